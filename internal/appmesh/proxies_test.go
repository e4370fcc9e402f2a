package appmesh

import (
	"fmt"
	"testing"
)

func TestProxies(t *testing.T) {
	for documents, want := range map[string]string{
		"": "[]",
		"{meshName: m, virtualNodeName: b, spec: {}}\n---\n{meshName: m, virtualNodeName: a, spec: {}}\n---\n{meshName: m, virtualGatewayName: g, spec: {}}\n---\n{meshName: l, virtualNodeName: c, spec: {}}\n": "[mesh/l/virtualNode/c mesh/m/virtualNode/a mesh/m/virtualNode/b mesh/m/virtualGateway/g]",
		"{meshName: m, meshOwner: 111122223333, virtualNodeName: b, spec: {}}":                                                                            "[mesh/m/virtualNode/b]",
		"{meshName: m, meshOwner: 111122223333, virtualNodeName: b, spec: {}}\n---\n{meshName: m, meshOwner: 444455556666, virtualNodeName: b, spec: {}}": "[mesh/m@111122223333/virtualNode/b mesh/m@444455556666/virtualNode/b]",
	} {
		if got := fmt.Sprint(Parse([]Source{{Name: "f", Data: []byte(documents)}}).Proxies()); got != want {
			t.Errorf("%s\ngot %s, want %s", documents, got, want)
		}
	}
}
