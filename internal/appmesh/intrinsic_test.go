package appmesh

import (
	"strings"
	"testing"
)

// intrinsicBase is a template to resolve expressions in. WHAT is replaced.
const intrinsicBase = `
Parameters:
  Project: {Type: String, Default: shop}
  Port: {Type: Number, Default: 8080}
  Given: {Type: String, Default: no}
  Missing: {Type: String}
  Empty: {Type: String, Default: ""}
  Words: {Type: CommaDelimitedList, Default: "a, b,c"}
  Numbers: {Type: List<Number>}
  Stored: {Type: "AWS::SSM::Parameter::Value<String>", Default: /cdk-bootstrap/hnb659fds/version}
  Stage: {Type: String, Default: beta, AllowedValues: [beta, prod]}
  Tier: {Type: String, Default: gold, AllowedValues: [silver]}
Mappings:
  Domains:
    beta: {zone: beta.local, ports: [1, 2]}
Conditions:
  Yes: !Equals [!Ref Stage, beta]
  No: !Not [{Condition: Yes}]
  Unknowable: !Equals [!Ref Missing, x]
  Loop: !And [!Condition Loop, !Condition Yes]
  Typed: {"Fn::Equals": [{Ref: Port}, "8080"]}
Resources:
  Mesh: {Type: "AWS::AppMesh::Mesh", Properties: {MeshName: !Sub "${Project}-mesh"}}
  Node: {Type: "AWS::AppMesh::VirtualNode", Properties: {MeshName: !GetAtt Mesh.MeshName, VirtualNodeName: front, Spec: {}}}
  Shared: {Type: "AWS::AppMesh::VirtualNode", Properties: {MeshName: m, MeshOwner: "999999999999", VirtualNodeName: far, Spec: {}}}
  Nameless: {Type: "AWS::AppMesh::VirtualNode", Properties: {MeshName: !GetAtt Mesh.MeshName, Spec: {}}}
  Router: {Type: "AWS::AppMesh::VirtualRouter", Properties: {MeshName: !GetAtt Mesh.MeshName, VirtualRouterName: r, Spec: {}}}
  Route: {Type: "AWS::AppMesh::Route", Properties: {MeshName: !GetAtt Mesh.MeshName, VirtualRouterName: !GetAtt Router.VirtualRouterName, RouteName: one, Spec: {}}}
  Self: {Type: "AWS::AppMesh::VirtualNode", Properties: {MeshName: m, VirtualNodeName: !GetAtt Self.VirtualNodeName}}
  Registry: {Type: "AWS::ServiceDiscovery::Service", Properties: {Name: !Sub "${Project}-color"}}
  Namespace: {Type: "AWS::ServiceDiscovery::PrivateDnsNamespace", Properties: {Name: shop.local}}
  Group: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /shop}}
  Unnamed: {Type: "AWS::Logs::LogGroup"}
  Balancer: {Type: "AWS::ElasticLoadBalancingV2::LoadBalancer"}
Outputs:
  Zone: {Value: !Ref Project, Export: {Name: !Sub "${Project}-zone"}}
  Gone: {Condition: No, Value: x, Export: {Name: gone}}
  East: {Value: east, Export: {Name: region}}
  West: {Value: west, Export: {Name: region}}
  Once: {Value: !Ref Project, Export: {Name: same}}
  Again: {Value: shop, Export: {Name: same}}
What: WHAT
`

var intrinsicChecks = Checks{
	Params:  map[string]string{"Given": "yes", "Numbers": "7,8", "AWS::Region": "eu-west-1", "Balancer.DNSName": "lb.example.com", "Nameless.VirtualNodeName": "made-1XYZ"},
	Imports: map[string]string{"other:Mesh": "their-mesh"},
}

// TestIntrinsics resolves one expression at a time: to a value, or to
// "?expression: why".
func TestIntrinsics(t *testing.T) {
	for _, c := range []struct{ says, expression, want string }{
		// Ref.
		{"a default", "!Ref Project", `"shop"`},
		{"a default that is a number stays one", "!Ref Port", `8080`},
		{"the long form", "{Ref: Project}", `"shop"`},
		{"what is given overrules the default", "!Ref Given", `"yes"`},
		{"an empty default is known", "!Ref Empty", `""`},
		{"no value", "!Ref Missing", `?!Ref Missing: parameter Missing has no value and no default`},
		{"a list", "!Ref Words", `["a" "b" "c"]`},
		{"a list that is given", "!Ref Numbers", `["7" "8"]`},
		{"SSM holds the value, not the default", "!Ref Stored", `?!Ref Stored: parameter Stored has its value in SSM`},
		{"an allowed value", "!Ref Stage", `"beta"`},
		{"a value that is not allowed", "!Ref Tier", `?!Ref Tier: parameter Tier must not be "gold"`},
		{"no such name", "!Ref Projct", `?!Ref Projct: the template has no parameter or resource "Projct"`},
		{"no name at all", "!Ref [a]", `?!Ref [a]: Ref takes a name`},
		{"a pseudo parameter that is given", "!Ref AWS::Region", `"eu-west-1"`},
		{"one that is not", "!Ref AWS::StackName", `?!Ref AWS::StackName: nothing says AWS::StackName`},
		{"the partition follows", "!Ref AWS::Partition", `"aws"`},
		{"so does the suffix", "!Ref AWS::URLSuffix", `"amazonaws.com"`},
		{"NoValue takes a member away", "{a: 1, b: !Ref AWS::NoValue}", `{a=1}`},
		{"NoValue takes an item away", "[1, !Ref AWS::NoValue, 2]", `[1 2]`},
		{"a node is its ARN", "!Ref Node", `"arn:aws:appmesh:eu-west-1:${AWS::AccountId}:mesh/shop-mesh/virtualNode/front"`},
		{"a route's ARN goes through its router", "!Ref Route", `"arn:aws:appmesh:eu-west-1:${AWS::AccountId}:mesh/shop-mesh/virtualRouter/r/route/one"`},
		{"the owner of a shared mesh is in the ARN", "!Ref Shared", `"arn:aws:appmesh:eu-west-1:999999999999:mesh/m/virtualNode/far"`},
		{"a mesh is its ARN", "!Ref Mesh", `"arn:aws:appmesh:eu-west-1:${AWS::AccountId}:mesh/shop-mesh"`},
		{"an ARN with an open account is no argument", "!Join [':', [!Ref Node]]", `?!Join [...]: nothing says AWS::AccountId`},
		{"a log group is its name", "!Ref Group", `"/shop"`},
		{"a log group without a name", "!Ref Unnamed", `?!Ref Unnamed: Unnamed gives no LogGroupName, so that CloudFormation made one up`},
		{"a load balancer", "!Ref Balancer", `?!Ref Balancer: Balancer (AWS::ElasticLoadBalancingV2::LoadBalancer) is known only once it exists`},

		// GetAtt.
		{"a name", "!GetAtt Node.VirtualNodeName", `"front"`},
		{"a name by list", "!GetAtt [Node, VirtualNodeName]", `"front"`},
		{"a name in the long form", "{'Fn::GetAtt': [Route, RouteName]}", `"one"`},
		{"a name that is composed", "!GetAtt Node.MeshName", `"shop-mesh"`},
		{"the parent's name", "!GetAtt Route.VirtualRouterName", `"r"`},
		{"an ARN", "!GetAtt Mesh.Arn", `"arn:aws:appmesh:eu-west-1:${AWS::AccountId}:mesh/shop-mesh"`},
		{"the owner that is written", "!GetAtt Shared.MeshOwner", `"999999999999"`},
		{"the owner that is not", "!GetAtt Node.MeshOwner", `?!GetAtt Node.MeshOwner: nothing says AWS::AccountId`},
		{"a UID", "!GetAtt Node.Uid", `?!GetAtt Node.Uid: App Mesh chose it`},
		{"another kind's name", "!GetAtt Node.RouteName", `?!GetAtt Node.RouteName: Node has no attribute RouteName`},
		{"a name that CloudFormation made, as given", "!GetAtt Nameless.VirtualNodeName", `"made-1XYZ"`},
		{"itself", "!GetAtt Self.VirtualNodeName", `?!GetAtt Self.VirtualNodeName: it depends on itself`},
		{"a Cloud Map service's name", "!GetAtt Registry.Name", `"shop-color"`},
		{"its ID", "!GetAtt Registry.Id", `?!GetAtt Registry.Id: Id of Registry (AWS::ServiceDiscovery::Service) is known only once it exists`},
		{"a namespace's name", "!GetAtt Namespace.Name", `"shop.local"`},
		{"what --param says", "!GetAtt Balancer.DNSName", `"lb.example.com"`},
		{"no such resource", "!GetAtt Nod.VirtualNodeName", `?!GetAtt Nod.VirtualNodeName: the template has no resource "Nod"`},
		{"no attribute", "!GetAtt Node", `?!GetAtt Node: GetAtt takes a resource and an attribute`},

		// Sub.
		{"names in a text", "!Sub 'color.${Project}.local'", `"color.shop.local"`},
		{"attributes", "!Sub '${Node.VirtualNodeName}:${Port}'", `"front:8080"`},
		{"its own names", "!Sub ['${a}-${Project}', {a: !Ref Given}]", `"yes-shop"`},
		{"a literal", "!Sub '${!Project}'", `"${Project}"`},
		{"no name", "!Sub plain$", `"plain$"`},
		{"an open brace", "!Sub 'a${b'", `"a${b"`},
		{"pseudo parameters", "!Sub '${AWS::Region}.${AWS::URLSuffix}'", `"eu-west-1.amazonaws.com"`},
		{"what is unknown makes all unknown", "!Sub 'x.${Missing}.local'", `?!Sub x.${Missing}.local: parameter Missing has no value and no default`},
		{"a list in a text", "!Sub '${Words}'", `?!Sub ${Words}: text is wanted here, not a list`},
		{"no text", "!Sub [1, 2, 3]", `?!Sub 1: Sub takes a text, or a list of a text and an object`},

		// Join, Split, Select.
		{"texts", "!Join ['.', [a, !Ref Project, b]]", `"a.shop.b"`},
		{"numbers", "!Join [':', [!Ref Project, !Ref Port]]", `"shop:8080"`},
		{"a list parameter", "!Join ['-', !Ref Words]", `"a-b-c"`},
		{"the long form of Join", "{'Fn::Join': ['', [a, b]]}", `"ab"`},
		{"Join of something unknown", "!Join ['.', [a, !Ref Missing]]", `?!Join [...]: parameter Missing has no value and no default`},
		{"Join of no list", "!Join ['.', a]", `?!Join [., a]: a list is wanted here, not text`},
		{"Join of one", "!Join [a]", `?!Join [a]: Join takes a separator and a list`},
		{"Split", "!Split ['.', a.b.c]", `["a" "b" "c"]`},
		{"Split by nothing", "!Split ['', abc]", `?!Split [, abc]: Split takes a separator that is not empty`},
		{"Select", "!Select [1, [a, b]]", `"b"`},
		{"Select by text, of Split", "!Select ['2', !Split ['/', x/y/z]]", `"z"`},
		{"Select of a parameter", "!Select [0, !Ref Words]", `"a"`},
		{"only the item chosen must be known", "!Select [0, [a, !Ref Missing]]", `"a"`},
		{"Select of something unknown", "!Select [1, [a, !Ref Missing]]", `?!Select [...]: parameter Missing has no value and no default`},
		{"Select beyond the end", "!Select [2, [a, b]]", `?!Select [...]: the list has no item "2" (of 2, the first is 0)`},
		{"Select of zones", "!Select [0, !GetAZs '']", `?!Select [...]: GetAZs needs AWS`},
		{"Base64", "!Base64 ab", `"YWI="`},

		// Conditions.
		{"If it holds", "!If [Yes, a, b]", `"a"`},
		{"If it does not", "!If [No, a, b]", `"b"`},
		{"only the branch taken must be known", "!If [Yes, a, !Ref Missing]", `"a"`},
		{"If takes whole objects", "!If [Yes, {a: !Ref Project}, x]", `{a="shop"}`},
		{"If to nothing", "{a: !If [No, 1, !Ref 'AWS::NoValue'], b: 2}", `{b=2}`},
		{"If nobody knows", "!If [Unknowable, a, b]", `?!If [Unknowable, a, b]: parameter Missing has no value and no default`},
		{"If of nothing", "!If [Nope, a, b]", `?!If [Nope, a, b]: the template has no condition "Nope"`},
		{"If of itself", "!If [Loop, a, b]", `?!If [Loop, a, b]: condition "Loop" depends on itself`},
		{"numbers equal texts", "!If [Typed, a, b]", `"a"`},
		{"And", "!And [!Condition Yes, !Equals [a, a]]", `true`},
		{"one that fails settles And", "!And [!Condition Unknowable, !Condition No]", `false`},
		{"And cannot be told", "!And [!Condition Yes, !Condition Unknowable]", `?!And [...]: parameter Missing has no value and no default`},
		{"one that holds settles Or", "!Or [!Condition Unknowable, !Condition Yes]", `true`},
		{"Or", "!Or [!Condition No, !Equals [a, b]]", `false`},
		{"Not", "!Not [!Equals [a, b]]", `true`},
		{"the case counts", "!Equals [a, A]", `false`},
		{"lists are compared", "!Equals [!Ref Words, [a, b, c]]", `true`},

		// Parts of an ARN whose account nobody has told.
		{"the name", `!Select [3, !Split ["/", !Ref Node]]`, `"front"`},
		{"the name behind a longer separator", `!Select [1, !Split ["/virtualNode/", !Ref Node]]`, `"front"`},
		{"the region", `!Select [3, !Split [":", !Ref Node]]`, `"eu-west-1"`},
		{"the account", `!Select [4, !Split [":", !Ref Node]]`, `?!Select [...]: nothing says AWS::AccountId`},
		{"all of them", `!Join [",", !Split [":", !Ref Node]]`, `?!Join [...]: nothing says AWS::AccountId`},

		// Maps and imports.
		{"a map", "!FindInMap [Domains, !Ref Stage, zone]", `"beta.local"`},
		{"a map's list", "!FindInMap [Domains, beta, ports]", `[1 2]`},
		{"no such key", "!FindInMap [Domains, prod, zone]", `?!FindInMap [Domains, prod, zone]: the mappings have no Domains.prod.zone`},
		{"a default of a map", "!FindInMap [Domains, prod, zone, {DefaultValue: d}]", `"d"`},
		{"an import that is given", "!ImportValue other:Mesh", `"their-mesh"`},
		{"an import that is composed", "{'Fn::ImportValue': !Sub '${Project}-zone'}", `"shop"`},
		{"an import of nobody", "!ImportValue nobody", `?!ImportValue nobody: no template here exports "nobody"`},
		{"an export of several values", "!ImportValue region", `?!ImportValue region: templates here export different values as "region": t.yaml:38, t.yaml:39`},
		{"an export of one value, told twice", "!ImportValue same", `"shop"`},
		{"an export whose condition does not hold", "!ImportValue gone", `?!ImportValue gone: no template here exports "gone"`},

		// The rest.
		{"what needs AWS", "!Cidr [10.0.0.0/16, 2, 8]", `?!Cidr [10.0.0.0/16, 2, 8]: Cidr needs AWS`},
		{"a tag of nobody's", "!Nonsense a", `?!Nonsense a: Nonsense needs AWS`},
		{"plain values stay", "{a: [1, true, x, ~]}", `{a=[1 true "x" null]}`},
	} {
		d := &Documents{checks: intrinsicChecks}
		values, err := readYAML("t.yaml", []byte(strings.Replace(intrinsicBase, "WHAT", c.expression, 1)))
		if err != nil {
			t.Errorf("%s: %v", c.says, err)
			continue
		}
		readCloudFormation(d, values[0])
		tpl := d.stacks.templates[0]
		d.stacks.exports = map[string]export{}
		tpl.readExports()
		v := values[0].members[len(values[0].members)-1].value
		got := tpl.resolve(v)
		if s := resolved(got); s != c.want {
			t.Errorf("%s: %s gives\n     %s\nwant %s", c.says, c.expression, s, c.want)
		}
		if got != nil && (got.at.File != "t.yaml" || got.at.Line != v.at.Line) {
			t.Errorf("%s: %s stands at %s, want %s", c.says, c.expression, got.at, v.at)
		}
	}
}

// resolved writes a value without places.
func resolved(v *value) string {
	switch {
	case v == nil:
		return "nothing"
	case v.kind == unknownValue:
		return "?" + v.text + ": " + v.why.why
	case v.kind == text:
		return `"` + v.text + `"`
	case v.kind == null:
		return "null"
	case v.kind == object:
		var parts []string
		for _, m := range v.members {
			parts = append(parts, m.name+"="+resolved(m.value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case v.kind == list:
		var parts []string
		for _, item := range v.items {
			parts = append(parts, resolved(item))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return v.text
}

// TestExpansionIsBounded: a few lines that stand for more than memory has, and
// references without end, are unknown and not computed.
func TestExpansionIsBounded(t *testing.T) {
	double := func(function string) string {
		inner := `"` + strings.Repeat("x", 1000) + `"`
		for range 30 {
			inner = strings.Replace(function, "INNER", inner, 1)
		}
		return inner
	}
	for says, expression := range map[string]string{
		"Sub doubles":     double(`{"Fn::Sub": ["${a}${a}", {"a": INNER}]}`),
		"Join multiplies": `{"Fn::Join": [{"Ref": "Long"}, {"Fn::Split": [",", "` + strings.Repeat(",", 100000) + `"]}]}`,
		"Split lists":     `{"Fn::Split": ["x", {"Ref": "Long"}]}`,
	} {
		long := strings.Repeat("x", 1<<20)
		values, err := readJSON("t.json", []byte(`{"Parameters": {"Long": {"Type": "String", "Default": "`+long+`"}}, "Resources": {}, "What": `+expression+`}`))
		if err != nil {
			t.Fatal(err)
		}
		d := &Documents{}
		readCloudFormation(d, values[0])
		got := d.stacks.templates[0].resolve(values[0].get("What"))
		if got.kind != unknownValue || !strings.Contains(got.why.why, "more than 16 MiB") {
			t.Errorf("%s: %.100s", says, resolved(got))
		}
	}
	chain := strings.Builder{}
	for i := range 3000 {
		next := string(rune('a'+(i+1)%26)) + strings.Repeat("n", (i+1)/26)
		name := string(rune('a'+i%26)) + strings.Repeat("n", i/26)
		chain.WriteString(`"` + name + `": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {"MeshName": "m", "VirtualNodeName": {"Fn::GetAtt": ["` + next + `", "VirtualNodeName"]}}},`)
	}
	fs := Parse([]Source{{Name: "t.json", Data: []byte(`{"Resources": {` + strings.TrimSuffix(chain.String(), ",") + `}}`)}}).Check()
	if len(fs) == 0 || !strings.Contains(fs[0].Message, "is unknown: its references go more than 200 deep") {
		t.Errorf("a chain of references: %+.3v", fs)
	}
}
