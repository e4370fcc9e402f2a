package appmesh

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// cliForm and cloudFormation describe one mesh: all seven types, and the
// members that CloudFormation spells in capitals.
const cliForm = `
{meshName: m, spec: {egressFilter: {type: ALLOW_ALL}, serviceDiscovery: {ipPreference: IPv4_PREFERRED}}}
---
{meshName: m, virtualNodeName: front, spec: {
  listeners: [{portMapping: {port: 8080, protocol: http}, connectionPool: {http: {maxConnections: 5, maxPendingRequests: 7}}, timeout: {http: {idle: {unit: s, value: 9}, perRequest: {unit: ms, value: 800}}},
    tls: {mode: PERMISSIVE, certificate: {acm: {certificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/a"}}, validation: {trust: {sds: {secretName: trusted}}}}}],
  serviceDiscovery: {dns: {hostname: front.local, responseType: ENDPOINTS}},
  backends: [{virtualService: {virtualServiceName: color.local, clientPolicy: {tls: {enforce: false, validation: {trust: {acm: {certificateAuthorityArns: ["arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/b"]}}}}}}}],
  logging: {accessLog: {file: {path: /dev/stdout, format: {json: [{key: a, value: "%START_TIME%"}]}}}}}}
---
{meshName: m, virtualNodeName: color-1, spec: {listeners: [{portMapping: {port: 9080, protocol: http}, healthCheck: {protocol: http, path: /ping, healthyThreshold: 2, unhealthyThreshold: 2, timeoutMillis: 2000, intervalMillis: 5000}}],
  serviceDiscovery: {awsCloudMap: {namespaceName: local, serviceName: color, attributes: [{key: v, value: "1"}]}}}}
---
{meshName: m, virtualNodeName: color-2, spec: {listeners: [{portMapping: {port: 9080, protocol: http}, connectionPool: {http: {maxConnections: 1}},
  outlierDetection: {maxServerErrors: 5, interval: {unit: s, value: 30}, baseEjectionDuration: {unit: s, value: 5}, maxEjectionPercent: 50}}], serviceDiscovery: {dns: {hostname: two.local}}}}
---
{meshName: m, virtualRouterName: colors, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}
---
{meshName: m, virtualRouterName: colors, routeName: all, spec: {priority: 3, httpRoute: {match: {prefix: /, headers: [{name: x, match: {range: {start: 1, end: 5}}}], queryParameters: [{name: q, match: {exact: v}}]},
  action: {weightedTargets: [{virtualNode: color-1, weight: 9}, {virtualNode: color-2, weight: 1}]},
  retryPolicy: {maxRetries: 2, perRetryTimeout: {unit: s, value: 1}, httpRetryEvents: [server-error], tcpRetryEvents: [connection-error]}, timeout: {perRequest: {unit: s, value: 4}}}}}
---
{meshName: m, virtualServiceName: color.local, spec: {provider: {virtualRouter: {virtualRouterName: colors}}}}
---
{meshName: m, virtualGatewayName: door, spec: {listeners: [{portMapping: {port: 80, protocol: http2}, connectionPool: {http2: {maxRequests: 3}}}]}}
---
{meshName: m, virtualGatewayName: door, gatewayRouteName: in, spec: {http2Route: {match: {prefix: /}, action: {target: {virtualService: {virtualServiceName: color.local}}}}}}
`

const cloudFormation = `
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Port: {Type: Number, Default: 9080}
  Second: {Type: String, Default: "on"}
Conditions:
  HasSecond: !Equals [!Ref Second, "on"]
  Never: !And [!Not [!Condition HasSecond], !Condition HasSecond]
Resources:
  Zone: {Type: "AWS::ServiceDiscovery::PrivateDnsNamespace", Properties: {Name: local, Vpc: vpc-1}}
  Registry: {Type: "AWS::ServiceDiscovery::Service", Properties: {Name: color}}
  Task: {Type: "AWS::ECS::TaskDefinition", Properties: {Family: !Ref "AWS::StackName"}}
  Mesh: {Type: "AWS::AppMesh::Mesh", Properties: {MeshName: m, Spec: {EgressFilter: {Type: ALLOW_ALL}, ServiceDiscovery: {IpPreference: IPv4_PREFERRED}}}}
  Front:
    Type: AWS::AppMesh::VirtualNode
    DependsOn: [Mesh]
    Metadata: {aws:cdk:path: stack/front}
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: front
      Tags: [{Key: a, Value: !Ref "AWS::StackId"}]
      Spec:
        Listeners:
          - PortMapping: {Port: "8080", Protocol: http}
            ConnectionPool: {HTTP: {MaxConnections: 5, MaxPendingRequests: 7}}
            Timeout: {HTTP: {Idle: {Unit: s, Value: 9}, PerRequest: {Unit: ms, Value: 800}}}
            TLS:
              Mode: PERMISSIVE
              Certificate: {ACM: {CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/a"}}
              Validation: {Trust: {SDS: {SecretName: trusted}}}
        ServiceDiscovery: {DNS: {Hostname: !Sub "front.${Zone.Name}", ResponseType: ENDPOINTS}}
        Backends:
          - VirtualService:
              VirtualServiceName: !GetAtt Service.VirtualServiceName
              ClientPolicy: {TLS: {Enforce: "false", Validation: {Trust: {ACM: {CertificateAuthorityArns: ["arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/b"]}}}}}
        Logging: {AccessLog: {File: {Path: /dev/stdout, Format: {Json: [{Key: a, Value: "%START_TIME%"}]}}}}
  First:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: !Join ["-", [!GetAtt Registry.Name, 1]]
      Spec:
        Listeners:
          - PortMapping: {Port: !Ref Port, Protocol: http}
            HealthCheck: {Protocol: http, Path: /ping, HealthyThreshold: 2, UnhealthyThreshold: 2, TimeoutMillis: 2000, IntervalMillis: 5000}
            OutlierDetection: !If [Never, {MaxServerErrors: 1}, !Ref "AWS::NoValue"]
        ServiceDiscovery: {AWSCloudMap: {NamespaceName: local, ServiceName: !GetAtt Registry.Name, Attributes: [{Key: v, Value: "1"}]}}
  Two:
    Type: AWS::AppMesh::VirtualNode
    Condition: HasSecond
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: color-2
      Spec:
        Listeners:
          - PortMapping: {Port: !Ref Port, Protocol: http}
            ConnectionPool: {HTTP: {MaxConnections: 1}}
            OutlierDetection: {MaxServerErrors: 5, Interval: {Unit: s, Value: 30}, BaseEjectionDuration: {Unit: s, Value: 5}, MaxEjectionPercent: 50}
        ServiceDiscovery: {DNS: {Hostname: two.local}}
  Three: {Type: "AWS::AppMesh::VirtualNode", Condition: Never, Properties: {MeshName: m, VirtualNodeName: color-3, Spec: {Nonsense: 1}}}
  Router: {Type: "AWS::AppMesh::VirtualRouter", Properties: {MeshName: m, VirtualRouterName: colors, Spec: {Listeners: [{PortMapping: {Port: 80, Protocol: http}}]}}}
  Route:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: m
      VirtualRouterName: !GetAtt Router.VirtualRouterName
      RouteName: all
      Spec:
        Priority: 3
        HttpRoute:
          Match: {Prefix: /, Headers: [{Name: x, Match: {Range: {Start: 1, End: 5}}}], QueryParameters: [{Name: q, Match: {Exact: v}}]}
          Action: {WeightedTargets: [{VirtualNode: !GetAtt First.VirtualNodeName, Weight: 9}, !If [HasSecond, {VirtualNode: !GetAtt Two.VirtualNodeName, Weight: 1}, !Ref "AWS::NoValue"]]}
          RetryPolicy: {MaxRetries: 2, PerRetryTimeout: {Unit: s, Value: 1}, HttpRetryEvents: [server-error], TcpRetryEvents: [connection-error]}
          Timeout: {PerRequest: {Unit: s, Value: 4}}
  Service: {Type: "AWS::AppMesh::VirtualService", Properties: {MeshName: m, VirtualServiceName: !Sub "color.${Zone.Name}", Spec: {Provider: {VirtualRouter: {VirtualRouterName: !Ref Router}}}}}
  Door: {Type: "AWS::AppMesh::VirtualGateway", Properties: {MeshName: m, VirtualGatewayName: door, Spec: {Listeners: [{PortMapping: {Port: 80, Protocol: http2}, ConnectionPool: {HTTP2: {MaxRequests: 3}}}]}}}
  In: {Type: "AWS::AppMesh::GatewayRoute", Properties: {MeshName: m, VirtualGatewayName: !GetAtt Door.VirtualGatewayName, GatewayRouteName: in, Spec: {Http2Route: {Match: {Prefix: /}, Action: {Target: {VirtualService: {VirtualServiceName: !GetAtt Service.VirtualServiceName}}}}}}}
`

// TestCloudFormationIsTheSameMesh: a template and requests that say the same
// have one version, the same resources and the same findings but for places.
func TestCloudFormationIsTheSameMesh(t *testing.T) {
	of := func(text string) (*Documents, *mesh.Snapshot) {
		d := Parse([]Source{{Name: "f.yaml", Data: []byte(text)}})
		s, findings := d.Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{})
		if s == nil {
			t.Fatalf("no snapshot: %+v", findings)
		}
		return d, s
	}
	cli, want := of(cliForm)
	template, got := of(cloudFormation)
	if got.Version != want.Version {
		t.Errorf("version %s, want %s", got.Version, want.Version)
	}
	noErrors(t, template.Check())
	if a, b := said(template.Check()), said(cli.Check()); !slices.Equal(a, b) {
		t.Errorf("findings\n%s\nwant\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if a, b := canonical(template), canonical(cli); !slices.Equal(a, b) {
		t.Errorf("resources\n%s\nwant\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

// said are findings without places, sorted.
func said(fs []mesh.Finding) []string {
	var lines []string
	for _, f := range fs {
		lines = append(lines, f.Resource+" "+f.Field+" "+f.Message)
	}
	slices.Sort(lines)
	return lines
}

// canonical are resources with their specs, sorted.
func canonical(d *Documents) []string {
	var lines []string
	for _, r := range d.resources {
		lines = append(lines, fmt.Sprintf("%s of %s %q: %s", r, r.mesh, r.parent, ordered(r.spec)))
	}
	slices.Sort(lines)
	return lines
}

func ordered(v *value) string {
	slices.SortFunc(v.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for _, m := range v.members {
		ordered(m.value)
	}
	for _, item := range v.items {
		ordered(item)
	}
	return resolved(v)
}

// TestCDK reads what `cdk synth` writes: JSON, IDs with hashes, metadata, the
// bootstrap parameter and its rule; and two stacks that import from each other.
func TestCDK(t *testing.T) {
	mesh1 := `{"Resources": {
	  "Mesh1234ABCD": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "m", "Spec": {}}, "Metadata": {"aws:cdk:path": "S/Mesh/Resource"}},
	  "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:x"}, "Condition": "CDKMetadataAvailable"}},
	 "Outputs": {"ExportsOutputFnGetAttMesh1234ABCDMeshName": {"Value": {"Fn::GetAtt": ["Mesh1234ABCD", "MeshName"]}, "Export": {"Name": "S:ExportsOutputFnGetAttMesh1234ABCDMeshName"}}},
	 "Conditions": {"CDKMetadataAvailable": {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, "af-south-1"]}, {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}]}},
	 "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version", "Description": "d"}},
	 "Rules": {"CheckBootstrapVersion": {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1"], {"Ref": "BootstrapVersion"}]}]}, "AssertDescription": "d"}]}}}`
	nodes := `{"Resources": {"NodeAB": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {
	   "MeshName": {"Fn::ImportValue": "S:ExportsOutputFnGetAttMesh1234ABCDMeshName"}, "MeshOwner": {"Fn::Select": [4, {"Fn::Split": [":", "arn:aws:appmesh:eu-west-1:123456789012:mesh/m"]}]},
	   "VirtualNodeName": "front", "Spec": {"Listeners": [], "ServiceDiscovery": {"DNS": {"Hostname": "h"}}}}}}}`
	d := Parse([]Source{{Name: "nodes.template.json", Data: []byte(nodes)}, {Name: "mesh.template.json", Data: []byte(mesh1)}})
	if fs := d.Check(); len(fs) > 0 {
		t.Errorf("%+v", fs)
	}
	if s, fs := d.Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{}); s == nil || d.meshes[meshID{"m", "123456789012"}].find(nodeKind, "front").owner != "123456789012" {
		t.Errorf("no snapshot: %+v", fs)
	}
}

// TestCloudFormationFindings: one fault in a template at a time.
func TestCloudFormationFindings(t *testing.T) {
	const header = "Parameters: {P: {Type: String}, H: {Type: String}}\nConditions: {C: !Equals [!Ref P, a]}\nResources:\n"
	node := func(rest string) string {
		return "  Node: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: m, VirtualNodeName: n, " + rest + "}}\n"
	}
	for _, c := range []struct{ says, resources, want string }{
		{"an unknown field value is an error", node("Spec: {ServiceDiscovery: {DNS: {Hostname: !Ref H}}}"),
			`error: virtual node "n": serviceDiscovery.dns.hostname "!Ref H": is unknown: parameter H has no value and no default | give it with --param 'H=VALUE'`},
		{"one cause is told of once", node("Spec: {ServiceDiscovery: {DNS: {Hostname: !Ref H}}, Backends: [{VirtualService: {VirtualServiceName: !Sub 'a.${H}'}}]}"),
			`error: virtual node "n": serviceDiscovery.dns.hostname "!Ref H": is unknown: parameter H has no value and no default (2 places) | give it with --param 'H=VALUE'`},
		{"an unknown name leaves no resource", "  Node: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: m, VirtualNodeName: !Ref P, Spec: {}}}\n",
			`error: virtual node (Node): VirtualNodeName "!Ref P": is unknown: parameter P has no value and no default | give it with --param 'P=VALUE'`},
		{"so does one that CloudFormation made up", "  Node: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: m, Spec: {}}}\n",
			`error: virtual node (Node): VirtualNodeName "Node.VirtualNodeName": is unknown: Node gives no VirtualNodeName, so that CloudFormation made one up | give it with --param 'Node.VirtualNodeName=VALUE'`},
		{"and an unknown condition", "  Node: {Type: 'AWS::AppMesh::VirtualNode', Condition: C, Properties: {MeshName: m, VirtualNodeName: n, Spec: {}}}\n",
			`error: virtual node (Node): Condition "C": is unknown: parameter P has no value and no default | give it with --param 'P=VALUE'`},
		{"and an unknown spec", node("Spec: !FindInMap [A, b, c]"), `error: virtual node (Node): Spec "!FindInMap [A, b, c]": is unknown: the mappings have no A.b.c`},
		{"an unknown owner is a warning", node("MeshOwner: !Ref P, Spec: {}"),
			`warning: virtual node (Node): MeshOwner "!Ref P": is unknown: parameter P has no value and no default | give it with --param 'P=VALUE'`},
		{"an unknown tag is nothing", node("Tags: [{Key: a, Value: !Ref P}], Spec: {}"), ``},
		{"a deploy script's variable is not filled in", node("Spec: {ServiceDiscovery: {DNS: {Hostname: '${HOST}.local'}}}"),
			`error: virtual node "n": serviceDiscovery.dns.hostname "${HOST}.local": is a template variable that nobody has filled in | give it with --param 'HOST=VALUE', write the value, or run the template through the tool it was made for`},
		{"a misspelt field is an error", node("Spec: {BackendDefault: {}}"), `error: virtual node "n": BackendDefault: no such field | did you mean "backendDefaults"?`},
		{"a misspelt property is an error", node("Specs: {}, Spec: {}"), `error: virtual node "n": Specs: no such field beside spec | did you mean "spec"?`},
		{"another kind's property is an error", node("RouteName: r, Spec: {}"), `error: RouteName: a virtual node has no such property`},
		{"a misspelt part is an error", "  Node: {Type: 'AWS::AppMesh::VirtualNode', Conditions: C, Properties: {MeshName: m, VirtualNodeName: n, Spec: {}}}\n",
			`error: "Conditions": no such field beside Type | did you mean "Condition"?`},
		{"a misspelt type is an error", "  Node: {Type: 'AWS::AppMesh::VirtualNod', Properties: {}}\n",
			`error: "AWS::AppMesh::VirtualNod" is no type of resource | did you mean "VirtualNode"?`},
		{"properties are an object", "  Node: {Type: 'AWS::AppMesh::VirtualNode', Properties: [1]}\n", `error: Properties must be an object, not a list`},
		{"a spec is needed", node("Tags: []"), `error: virtual node "n": spec is required`},
		{"a misspelt reference is guessed", node("Spec: {ServiceDiscovery: {DNS: {Hostname: !GetAtt Nodes.VirtualNodeName}}}"),
			`error: virtual node "n": serviceDiscovery.dns.hostname "!GetAtt Nodes.VirtualNodeName": is unknown: the template has no resource "Nodes" | did you mean "Node"?`},
		{"loops are not done", "  'Fn::ForEach::Nodes': [A, [a, b], {}]\n  T: {Type: 'AWS::ECS::Cluster'}\n", "error: Fn::ForEach::Nodes is not done here | " + processed},
		{"a template of something else is a warning", "  T: {Type: 'AWS::ECS::Cluster'}\n", `warning: this CloudFormation template has no App Mesh resource: ignored`},
		{"a name that is an ARN is its end", node("Spec: {}") + "  R: {Type: 'AWS::AppMesh::VirtualService', Properties: {MeshName: m, VirtualServiceName: s.local, Spec: {Provider: {VirtualNode: {VirtualNodeName: !Ref Node}}}}}\n",
			`warning: virtual service "s.local": provider.virtualNode.virtualNodeName "n": the node has no listener | nothing can be sent to it`},
		{"an open ARN is no other value", node("Spec: {ServiceDiscovery: {DNS: {Hostname: !Ref Node}}}"),
			`error: virtual node "n": serviceDiscovery.dns.hostname "arn:aws:appmesh:${AWS::Region}:${AWS::AccountId}:mesh/m/virtualNode/n": is a template variable that nobody has filled in | give it with --param 'AWS::Region=VALUE', write the value, or run the template through the tool it was made for`},
	} {
		got := about("t.yaml", Parse([]Source{{Name: "m.yaml", Data: []byte("meshName: m")}, {Name: "t.yaml", Data: []byte(header + c.resources)}}).Check())
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.says, strings.Join(got, "\n     "), c.want)
		}
	}
}

// TestCloudFormationPlaces: a finding stands where the template has the value,
// or the expression.
func TestCloudFormationPlaces(t *testing.T) {
	const text = `Parameters:
  Port: {Type: Number, Default: 0}
Resources:
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: m
      VirtualNodeName: n
      Spec:
        Listeners:
          - PortMapping:
              Port: !Ref Port
              Protocol: htp
        ServiceDiscovery:
          DNS:
            Hostname:
              Fn::GetAtt: [Balancer, DNSName]
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
`
	var got bytes.Buffer
	_ = WriteText(&got, Parse([]Source{{Name: "m.yaml", Data: []byte("meshName: m")}, {Name: "t.yaml", Data: []byte(text)}}).Check(), 1)
	want := `t.yaml:12:21: error: virtual node "n": listeners[0].portMapping.port "0": is out of range
    App Mesh takes 1 to 65535
t.yaml:13:25: error: virtual node "n": listeners[0].portMapping.protocol "htp": must be one of http, http2, grpc, tcp, https
    did you mean "http"?
t.yaml:17:15: error: virtual node "n": serviceDiscovery.dns.hostname "!GetAtt Balancer.DNSName": is unknown: DNSName of Balancer (AWS::ElasticLoadBalancingV2::LoadBalancer) is known only once it exists
    give it with --param 'Balancer.DNSName=VALUE'
3 errors, 0 warnings in 1 document
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestUnknownWithinReach: what is unknown stops those whom it concerns.
func TestUnknownWithinReach(t *testing.T) {
	text := strings.Replace(cloudFormation, "Hostname: two.local", "Hostname: !ImportValue two", 1)
	for says, c := range map[string]struct {
		checks Checks
		starts bool
	}{
		"an unknown host name of a target stops": {Checks{}, false},
		"an import starts it":                    {Checks{Imports: map[string]string{"two": "two.local"}}, true},
		"so does a stack without the target":     {Checks{Params: map[string]string{"Second": "off"}}, true},
	} {
		s, findings := c.checks.Parse([]Source{{Name: "t.yaml", Data: []byte(text)}}).Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{})
		if (s != nil) != c.starts {
			t.Errorf("%s: %+v", says, findings)
		}
	}
}

// TestNamesGivenTwice: what a reader would have to choose between is refused
// wherever it stands, not only in specs.
func TestNamesGivenTwice(t *testing.T) {
	for document, want := range map[string]string{
		`{"Resources": {"M": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "m"}},
"M": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "n"}}}}`: "error: M is given twice | first at case.yaml:1",
		`{"Resources": {"M": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "m"}, "Properties": {"MeshName": "n"}}}}`:                              "error: Properties is given twice | first at case.yaml:1",
		`{"Parameters": {"P": {"Default": "a"}, "P": {"Default": "b"}}, "Resources": {"M": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "m"}}}}`: "error: P is given twice | first at case.yaml:1",
		"apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: {name: a, name: b}\nspec: {}\nspec: {}":                                                   "error: spec is given twice | first at case.yaml:4\nerror: name is given twice | first at case.yaml:3",
	} {
		got := about("case.yaml", Parse([]Source{{Name: "case.yaml", Data: []byte(document)}}).Check())
		slices.Sort(got)
		lines := strings.Split(want, "\n")
		slices.Sort(lines)
		if !slices.Equal(got, lines) {
			t.Errorf("%s\n got %s\nwant %s", document, strings.Join(got, "\n     "), want)
		}
	}
}

// largeTemplate is a mesh of n nodes that composes its names.
func largeTemplate(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Parameters": {"Project": {"Type": "String", "Default": "shop"}}, "Resources": {"Mesh": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": {"Ref": "Project"}}}`)
	for i := range n {
		fmt.Fprintf(&b, `,
"Node%[1]d": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {"MeshName": {"Fn::GetAtt": ["Mesh", "MeshName"]}, "VirtualNodeName": {"Fn::Sub": "${Project}-node-%[1]d"},
 "Spec": {"Listeners": [{"PortMapping": {"Port": 8080, "Protocol": "http"}}], "ServiceDiscovery": {"DNS": {"Hostname": {"Fn::Join": [".", ["node-%[1]d", {"Ref": "Project"}, "local"]]}}},
 "Backends": [{"VirtualService": {"VirtualServiceName": {"Fn::GetAtt": ["Service%[2]d", "VirtualServiceName"]}}}]}}},
"Router%[1]d": {"Type": "AWS::AppMesh::VirtualRouter", "Properties": {"MeshName": {"Ref": "Project"}, "VirtualRouterName": "router-%[1]d", "Spec": {"Listeners": [{"PortMapping": {"Port": 80, "Protocol": "http"}}]}}},
"Route%[1]d": {"Type": "AWS::AppMesh::Route", "Properties": {"MeshName": {"Ref": "Project"}, "VirtualRouterName": {"Fn::GetAtt": ["Router%[1]d", "VirtualRouterName"]}, "RouteName": "r",
 "Spec": {"HttpRoute": {"Match": {"Prefix": "/"}, "Action": {"WeightedTargets": [{"VirtualNode": {"Fn::GetAtt": ["Node%[1]d", "VirtualNodeName"]}, "Weight": 1}]}}}}},
"Service%[1]d": {"Type": "AWS::AppMesh::VirtualService", "Properties": {"MeshName": {"Ref": "Project"}, "VirtualServiceName": {"Fn::Sub": "service-%[1]d.${Project}.local"},
 "Spec": {"Provider": {"VirtualRouter": {"VirtualRouterName": {"Fn::GetAtt": ["Router%[1]d", "VirtualRouterName"]}}}}}}`, i, (i+1)%n)
	}
	b.WriteString("}}")
	return b.Bytes()
}

func TestLargeCloudFormation(t *testing.T) {
	d := Parse([]Source{{Name: "t.json", Data: largeTemplate(2000)}})
	if fs := d.Check(); len(fs) > 0 || d.Resources() != 8001 {
		t.Errorf("%d resources, %d findings, the first %+.1v", d.Resources(), len(fs), fs)
	}
}

// BenchmarkCloudFormation validates a mesh of 2,000 nodes, 8,001 resources.
func BenchmarkCloudFormation(b *testing.B) {
	data := largeTemplate(2000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if d := Parse([]Source{{Name: "t.json", Data: data}}); len(d.Check()) > 0 {
			b.Fatal(d.Check()[0])
		}
	}
}

// FuzzCloudFormation: any template is read without a panic, and in bounds.
func FuzzCloudFormation(f *testing.F) {
	f.Add([]byte(cloudFormation))
	f.Add(largeTemplate(2))
	f.Add([]byte(strings.Replace(intrinsicBase, "WHAT", "!Sub '${Project}'", 1)))
	for _, expression := range []string{`{"Fn::Sub": ["${a}", {"a": {"Ref": "N"}}]}`, `{"Fn::Select": ["-1", [1]]}`, `{"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]}`,
		`{"Fn::Split": ["", {"Ref": "N"}]}`, `{"Fn::GetAtt": ["N", {"Ref": "N"}]}`, `{"Fn::ImportValue": {"Fn::Sub": "${N.MeshName}"}}`, `{"Fn::Join": [[], 1]}`} {
		f.Add([]byte(`{"Conditions": {"C": {"Fn::And": [{"Condition": "C"}]}}, "Outputs": {"O": {"Value": {"Fn::ImportValue": "e"}, "Export": {"Name": "e"}}},
			"Resources": {"N": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {"MeshName": ` + expression + `, "VirtualNodeName": "n", "Spec": ` + expression + `}}}}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := Checks{Params: map[string]string{"P": "v"}}.Parse([]Source{{Name: "t", Data: data}})
		for _, finding := range d.Check() {
			if finding.Message == "" {
				t.Error("a finding without words")
			}
		}
		for _, r := range d.resources {
			if r.name == "" || r.mesh == "" {
				t.Errorf("%s has no name or no mesh", r)
			}
		}
	})
}
