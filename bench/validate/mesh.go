//go:build linux

package validate

import (
	"bytes"
	"fmt"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// form is a way to write the mesh.
type form struct {
	form, file string
	text       func() ([]byte, error)
	target     bool
}

func forms(nodes int) []form {
	template := cloudFormation(nodes)
	as := func(f appmesh.Format) func() ([]byte, error) {
		return func() ([]byte, error) { return export(template, f) }
	}
	return []form{
		{"CloudFormation with functions", "template.json", func() ([]byte, error) { return template, nil }, true},
		{"CloudFormation in YAML", "template.yaml", func() ([]byte, error) { return yamlTemplate(nodes), nil }, true},
		{"requests", "requests.json", as(appmesh.CLI), false},
		{"Kubernetes", "manifests.yaml", as(appmesh.Kubernetes), false},
		{"Terraform", "show.json", func() ([]byte, error) { return terraform(nodes), nil }, false},
	}
}

// export turns the template into another form.
func export(template []byte, f appmesh.Format) ([]byte, error) {
	var b bytes.Buffer
	findings, err := appmesh.Parse([]appmesh.Source{{Name: "template.json", Data: template}}).Export(&b, f)
	for _, f := range findings {
		if f.Severity == mesh.Error {
			return nil, fmt.Errorf("%s: %s", f.Resource, f.Message)
		}
	}
	return b.Bytes(), err
}

// cloudFormation is a mesh in which every node calls the next one's service, with its names made as templates make them.
func cloudFormation(nodes int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Parameters": {"Project": {"Type": "String", "Default": "shop"}}, "Resources": {"Mesh": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": {"Ref": "Project"}}}`)
	for i := range nodes {
		fmt.Fprintf(&b, `,
"Node%[1]d": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {"MeshName": {"Fn::GetAtt": ["Mesh", "MeshName"]}, "VirtualNodeName": {"Fn::Sub": "${Project}-node-%[1]d"},
 "Spec": {"Listeners": [{"PortMapping": {"Port": 8080, "Protocol": "http"}}], "ServiceDiscovery": {"DNS": {"Hostname": {"Fn::Join": [".", ["node-%[1]d", {"Ref": "Project"}, "local"]]}}},
 "Backends": [{"VirtualService": {"VirtualServiceName": {"Fn::GetAtt": ["Service%[2]d", "VirtualServiceName"]}}}]}}},
"Router%[1]d": {"Type": "AWS::AppMesh::VirtualRouter", "Properties": {"MeshName": {"Ref": "Project"}, "VirtualRouterName": "router-%[1]d", "Spec": {"Listeners": [{"PortMapping": {"Port": 80, "Protocol": "http"}}]}}},
"Route%[1]d": {"Type": "AWS::AppMesh::Route", "Properties": {"MeshName": {"Ref": "Project"}, "VirtualRouterName": {"Fn::GetAtt": ["Router%[1]d", "VirtualRouterName"]}, "RouteName": "r",
 "Spec": {"HttpRoute": {"Match": {"Prefix": "/"}, "Action": {"WeightedTargets": [{"VirtualNode": {"Fn::GetAtt": ["Node%[1]d", "VirtualNodeName"]}, "Weight": 1}]}}}}},
"Service%[1]d": {"Type": "AWS::AppMesh::VirtualService", "Properties": {"MeshName": {"Ref": "Project"}, "VirtualServiceName": {"Fn::Sub": "service-%[1]d.${Project}.local"},
 "Spec": {"Provider": {"VirtualRouter": {"VirtualRouterName": {"Fn::GetAtt": ["Router%[1]d", "VirtualRouterName"]}}}}}}`, i, (i+1)%nodes)
	}
	b.WriteString("}}\n")
	return b.Bytes()
}

// yamlTemplate is the same, with YAML's short functions.
func yamlTemplate(nodes int) []byte {
	var b bytes.Buffer
	b.WriteString("Parameters:\n  Project: {Type: String, Default: shop}\nResources:\n  Mesh: {Type: 'AWS::AppMesh::Mesh', Properties: {MeshName: !Ref Project}}\n")
	for i := range nodes {
		fmt.Fprintf(&b, `  Node%[1]d:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: !Sub '${Project}-node-%[1]d'
      Spec:
        Listeners:
        - PortMapping: {Port: 8080, Protocol: http}
        ServiceDiscovery:
          DNS: {Hostname: !Sub 'node-%[1]d.${Project}.local'}
        Backends:
        - VirtualService: {VirtualServiceName: !GetAtt Service%[2]d.VirtualServiceName}
  Router%[1]d:
    Type: AWS::AppMesh::VirtualRouter
    Properties:
      MeshName: !Ref Project
      VirtualRouterName: router-%[1]d
      Spec: {Listeners: [{PortMapping: {Port: 80, Protocol: http}}]}
  Route%[1]d:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: !Ref Project
      VirtualRouterName: !GetAtt Router%[1]d.VirtualRouterName
      RouteName: r
      Spec: {HttpRoute: {Match: {Prefix: /}, Action: {WeightedTargets: [{VirtualNode: !GetAtt Node%[1]d.VirtualNodeName, Weight: 1}]}}}
  Service%[1]d:
    Type: AWS::AppMesh::VirtualService
    Properties:
      MeshName: !Ref Project
      VirtualServiceName: !Sub 'service-%[1]d.${Project}.local'
      Spec: {Provider: {VirtualRouter: {VirtualRouterName: !GetAtt Router%[1]d.VirtualRouterName}}}
`, i, (i+1)%nodes)
	}
	return b.Bytes()
}

// terraform is the same mesh as "terraform show -json" prints it.
func terraform(nodes int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"format_version": "1.0", "terraform_version": "1.9.8", "values": {"root_module": {"resources": [` +
		`{"address": "aws_appmesh_mesh.m", "mode": "managed", "type": "aws_appmesh_mesh", "name": "m", "values": {"name": "shop", "spec": []}}`)
	resource := func(kind string, i int, values, spec string) {
		fmt.Fprintf(&b, ",\n"+`{"address": "aws_appmesh_%[1]s.x[%[2]d]", "mode": "managed", "type": "aws_appmesh_%[1]s", "name": "x", "index": %[2]d, "values": {"mesh_name": "shop", %[3]s, "spec": [%[4]s]}}`,
			kind, i, values, spec)
	}
	for i := range nodes {
		resource("virtual_node", i, fmt.Sprintf(`"name": "shop-node-%d"`, i), fmt.Sprintf(`{"backend": [{"virtual_service": [{"client_policy": [], "virtual_service_name": "service-%d.shop.local"}]}], "backend_defaults": [], `+
			`"listener": [{"connection_pool": [], "health_check": [], "outlier_detection": [], "port_mapping": [{"port": 8080, "protocol": "http"}], "timeout": [], "tls": []}], "logging": [], `+
			`"service_discovery": [{"aws_cloud_map": [], "dns": [{"hostname": "node-%d.shop.local", "ip_preference": "", "response_type": ""}]}]}`, (i+1)%nodes, i))
		resource("virtual_router", i, fmt.Sprintf(`"name": "router-%d"`, i), `{"listener": [{"port_mapping": [{"port": 80, "protocol": "http"}]}]}`)
		resource("route", i, fmt.Sprintf(`"name": "r", "virtual_router_name": "router-%d"`, i), fmt.Sprintf(`{"grpc_route": [], "http2_route": [], "http_route": [{"action": [{"weighted_target": [{"port": 0, "virtual_node": "shop-node-%d", "weight": 1}]}], `+
			`"match": [{"header": [], "method": "", "path": [], "port": 0, "prefix": "/", "query_parameter": [], "scheme": ""}], "retry_policy": [], "timeout": []}], "priority": 0, "tcp_route": []}`, i))
		resource("virtual_service", i, fmt.Sprintf(`"name": "service-%d.shop.local"`, i), fmt.Sprintf(`{"provider": [{"virtual_node": [], "virtual_router": [{"virtual_router_name": "router-%d"}]}]}`, i))
	}
	b.WriteString("]}}}\n")
	return b.Bytes()
}
