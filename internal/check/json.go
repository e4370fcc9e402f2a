package check

import (
	"encoding/json"
	"io"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// The words of the JSON form, which stay as they are whatever the text says.
var (
	standingWords = [...]string{mesh.Honoured: "honoured", mesh.Approximated: "approximated", mesh.Unknown: "unknown", mesh.Unsupported: "not-yet", mesh.Wrong: "wrong"}
	effectWords   = [...]string{mesh.NoEffect: "none", mesh.OnObservation: "observation", mesh.Perhaps: "perhaps", mesh.OnTraffic: "traffic"}
)

type (
	jsonReport struct {
		TrafficDiffers bool           `json:"trafficDiffers"`
		Unjudged       int            `json:"unjudged"`
		Conclusion     string         `json:"conclusion"`
		Standings      map[string]int `json:"standings"`
		Effects        map[string]int `json:"effects"`
		LeftOut        []string       `json:"leftOut,omitempty"`
		Sections       []jsonSection  `json:"sections"`
	}
	jsonSection struct {
		Task     string        `json:"task,omitempty"`
		About    string        `json:"about"`
		Title    string        `json:"title"`
		Verdicts []jsonVerdict `json:"verdicts"`
	}
	jsonVerdict struct {
		Standing string `json:"standing"`
		Effect   string `json:"effect"`
		Resource string `json:"resource,omitempty"`
		Subject  string `json:"subject,omitempty"`
		Value    string `json:"value,omitempty"`
		Message  string `json:"message,omitempty"`
		Hint     string `json:"hint,omitempty"`
		File     string `json:"file,omitempty"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
	}
)

// WriteJSON writes the whole report for programs, every field of the mesh
// included.
func (r *Report) WriteJSON(w io.Writer) error {
	n := r.Count()
	out := jsonReport{TrafficDiffers: r.Differs(), Unjudged: r.Unjudged, Conclusion: r.Conclusion(), LeftOut: r.LeftOut,
		Standings: make(map[string]int), Effects: make(map[string]int), Sections: []jsonSection{}}
	for i, word := range standingWords {
		out.Standings[word] = n.Standing[i]
	}
	for i, word := range effectWords {
		out.Effects[word] = n.Effect[i]
	}
	for _, s := range r.Sections {
		section := jsonSection{s.Task, s.About, s.Title, []jsonVerdict{}}
		for _, v := range s.Verdicts {
			section.Verdicts = append(section.Verdicts, jsonVerdict{standingWords[v.Standing], effectWords[v.Effect], v.Resource, v.Subject, v.Value, v.Message, v.Hint, v.File, v.Line, v.Column})
		}
		out.Sections = append(out.Sections, section)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
