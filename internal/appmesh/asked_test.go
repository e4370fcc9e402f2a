package appmesh

import (
	"slices"
	"strings"
	"testing"
)

func TestUnasked(t *testing.T) {
	const template = `{"Parameters": {"Env": {"Type": "String", "Default": "prod"}}, "Conditions": {"Off": {"Fn::Equals": ["a", "b"]}},
"Resources": {"M": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": {"Ref": "Env"}}},
"N": {"Type": "AWS::AppMesh::VirtualNode", "Condition": "Off", "Properties": {"MeshName": {"Fn::ImportValue": "off"}}}}}`
	for _, c := range []struct {
		says, document string
		params         []string
		want           []string
	}{
		{"a parameter in another spelling", template, []string{"ENV"}, []string{`--param "ENV": no document asks for it | did you mean "Env"?`}},
		{"what templates ask for", template, []string{"Env", "AWS::Region", "N.VirtualNodeName"}, nil},
		{"what placeholders ask for", `{"meshName": "$MESH", "spec": {"egressFilter": {"type": "{{ .Values.type }}"}}}`, []string{"MESH", "Values.type"}, nil},
		{"nothing asks", `{"meshName": "m"}`, []string{"AWS::Region"}, []string{`--param "AWS::Region": no document asks for it | `}},
	} {
		params := make(map[string]string)
		for _, name := range c.params {
			params[name] = "x"
		}
		var got []string
		for _, f := range (Checks{Params: params}).Parse([]Source{{Name: "case.json", Data: []byte(c.document)}}).Unasked() {
			got = append(got, f.Message+" | "+f.Hint)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.says, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
	given := Checks{Imports: map[string]string{"off": "x", "of": "x"}}.Parse([]Source{{Name: "case.json", Data: []byte(strings.Replace(template, `"b"`, `"a"`, 1))}}).Unasked()
	if len(given) != 1 || given[0].Message != `--import "of": no template imports it` {
		t.Errorf("%+v", given)
	}
}
