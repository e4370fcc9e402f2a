package mesh

import "testing"

func TestParseResource(t *testing.T) {
	for text, want := range map[string]Resource{
		"mesh/m/virtualNode/n":                                           {Mesh: "m", Kind: VirtualNode, Name: "n"},
		"mesh/m@111122223333/virtualNode/n":                              {Mesh: "m", Owner: "111122223333", Kind: VirtualNode, Name: "n"},
		"arn:aws:appmesh:eu-west-1:111122223333:mesh/m/virtualNode/n":    {Mesh: "m", Kind: VirtualNode, Name: "n"},
		"arn:aws:appmesh:eu-west-1:111122223333:mesh/m/virtualGateway/n": {Mesh: "m", Kind: VirtualGateway, Name: "n"},
		"n":                           {},
		"mesh/@1/virtualNode/n":       {},
		"x/m/virtualNode/n":           {},
		"":                            {},
		"mesh/m":                      {},
		"mesh/m/virtualNode/":         {},
		"mesh//virtualNode/n":         {},
		"mesh/m/virtualnode/n":        {},
		"arn:aws:appmesh:r:1:mesh":    {},
		"mesh/m/virtualRouter/router": {},
	} {
		got, err := ParseResource(text)
		if got != want || (err != nil) != (want.Name == "") {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func FuzzParseResource(f *testing.F) {
	f.Add("mesh/m@1/virtualNode/n")
	f.Add("arn:aws:appmesh:r:1:mesh/m/virtualGateway/g/x")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseResource(text)
		if err != nil {
			return
		}
		if again, err := ParseResource(r.String()); err != nil || again != r {
			t.Errorf("%q: %+v becomes %+v, %v", text, r, again, err)
		}
	})
}
