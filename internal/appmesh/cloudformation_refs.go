package appmesh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ref is Ref: a pseudo parameter, a parameter, or what CloudFormation gives for
// a resource.
func (t *template) ref(v *value, name string) *value {
	if strings.HasPrefix(name, "AWS::") {
		return t.pseudo(v, name)
	}
	if p := t.parameters[name]; p != nil {
		return t.placed(v, t.once("!Ref "+name, v, func() *value { return t.parameter(name, p) }))
	}
	res := t.resources[name]
	if res == nil {
		return mysterious(v, "the template has no parameter or resource "+strconv.Quote(cut(name)), t.meant(name))
	}
	if given := t.given(v, name); given != nil {
		return given
	}
	typ := res.get("Type").str()
	if strings.HasPrefix(typ, typePrefix) {
		return t.placed(v, t.once("!Ref "+name, v, func() *value { return t.arn(v, name) }))
	}
	if property := refProperty[typ]; property != "" {
		return t.placed(v, t.property(name, property, v))
	}
	return mysterious(v, fmt.Sprintf("%s (%s) is known only once it exists", name, typ), paramHint(name))
}

// refProperty is, for types whose Ref is a name, the property that gives it.
var refProperty = map[string]string{
	"AWS::Logs::LogGroup":      "LogGroupName",
	"AWS::ECS::Cluster":        "ClusterName",
	"AWS::ECR::Repository":     "RepositoryName",
	"AWS::S3::Bucket":          "BucketName",
	"AWS::SSM::Parameter":      "Name",
	"AWS::IAM::Role":           "RoleName",
	"AWS::Route53::RecordSet":  "Name",
	"AWS::DynamoDB::Table":     "TableName",
	"AWS::SNS::Topic":          "TopicName",
	"AWS::EKS::Cluster":        "Name",
	"AWS::ApiGateway::RestApi": "Name",
}

// attributeProperty is, for attributes that repeat a property, that property.
var attributeProperty = map[string]string{
	"AWS::ServiceDiscovery::Service.Name":             "Name",
	"AWS::ServiceDiscovery::PrivateDnsNamespace.Name": "Name",
	"AWS::ServiceDiscovery::PublicDnsNamespace.Name":  "Name",
	"AWS::ServiceDiscovery::HttpNamespace.Name":       "Name",
	"AWS::Route53::HostedZone.Name":                   "Name",
	"AWS::ECS::Service.Name":                          "ServiceName",
	"AWS::SSM::Parameter.Value":                       "Value",
}

// getAtt is GetAtt: "RESOURCE.ATTRIBUTE" or [RESOURCE, ATTRIBUTE].
func (t *template) getAtt(v, arg *value) *value {
	id, attribute := "", ""
	if of, ok := args(arg, 2, 2); ok && of[0].kind == text {
		got, unknown := t.text(of[1])
		if unknown != nil {
			return because(v, unknown)
		}
		id, attribute = of[0].text, got
	} else if arg.kind == text {
		id, attribute, _ = strings.Cut(arg.text, ".")
	}
	if id == "" || attribute == "" {
		return mysterious(v, "GetAtt takes a resource and an attribute", "")
	}
	res := t.resources[id]
	if res == nil {
		return mysterious(v, "the template has no resource "+strconv.Quote(cut(id)), t.meant(id))
	}
	typ := res.get("Type").str()
	if name, ours := strings.CutPrefix(typ, typePrefix); ours {
		return t.meshAttribute(v, kindOfType(name), id, attribute)
	}
	if given := t.given(v, id+"."+attribute); given != nil {
		return given
	}
	if property := attributeProperty[typ+"."+attribute]; property != "" {
		return t.placed(v, t.property(id, property, v))
	}
	return mysterious(v, fmt.Sprintf("%s of %s (%s) is known only once it exists", attribute, id, typ), paramHint(id+"."+attribute))
}

// meshAttribute is an attribute of one of App Mesh's resources.
func (t *template) meshAttribute(v *value, k kind, id, attribute string) *value {
	switch {
	case k == unknownKind:
	case attribute == "Arn":
		return t.ref(v, id)
	case attribute == "ResourceOwner":
		return t.pseudo(v, "AWS::AccountId")
	case attribute == "MeshOwner":
		return t.placed(v, t.owner(v, id))
	case attribute == title(kinds[meshKind].name), attribute == title(kinds[k].name), kinds[k].parent != "" && attribute == title(kinds[k].parent):
		got := t.placed(v, t.property(id, attribute, v))
		nameOfARN(got)
		return got
	case attribute == "Uid":
		if given := t.given(v, id+"."+attribute); given != nil {
			return given
		}
		return mysterious(v, "App Mesh chose it", paramHint(id+"."+attribute))
	}
	return mysterious(v, fmt.Sprintf("%s has no attribute %s", id, cut(attribute)), "")
}

// arn is the ARN of one of App Mesh's resources. Region and account that
// nobody has told stand in it as variables: as a reference to the resource it
// will do (see unsettled).
func (t *template) arn(v *value, id string) *value {
	name, _ := strings.CutPrefix(t.resources[id].get("Type").str(), typePrefix)
	k := kindOfType(name)
	if k == unknownKind {
		return mysterious(v, id+" is of no known type", "")
	}
	path, unknown := t.arnPath(v, k, id)
	if unknown != nil {
		return because(v, unknown)
	}
	or := func(got *value, name string) string {
		if got.kind == text || got.kind == number {
			return got.text
		}
		return "${" + name + "}"
	}
	return made(v, "arn:"+t.pseudo(v, "AWS::Partition").text+":appmesh:"+or(t.pseudo(v, "AWS::Region"), "AWS::Region")+
		":"+or(t.owner(v, id), "AWS::AccountId")+":"+path)
}

// owner is the account of a resource's mesh: its own unless it says another.
func (t *template) owner(v *value, id string) *value {
	return t.once("owner of "+id, v, func() *value {
		if t.resources[id].get("Properties").spelt("meshOwner") == nil {
			return t.pseudo(v, "AWS::AccountId")
		}
		return t.property(id, "MeshOwner", v)
	})
}

// arnPath is what an ARN ends in: mesh/M/virtualRouter/R/route/NAME.
func (t *template) arnPath(v *value, k kind, id string) (string, *value) {
	path := ""
	add := func(k kind) *value {
		got := t.property(id, title(kinds[k].name), v)
		switch got.kind {
		case unknownValue:
			return got
		case text, number, boolean:
			path += "/" + kinds[k].object + "/" + got.text[strings.LastIndexByte(got.text, '/')+1:]
			return nil
		}
		return mysterious(v, "a name is text, not "+got.kind.String(), "")
	}
	of := []kind{meshKind}
	if p := kinds[k].parent; p != "" {
		of = append(of, kindNamed(p))
	}
	if k != meshKind {
		of = append(of, k)
	}
	for _, k := range of {
		if unknown := add(k); unknown != nil {
			return "", unknown
		}
	}
	return path[1:], nil
}

// property is a property of a resource, resolved once. at is where it is
// asked for. It is unknown, never nil.
func (t *template) property(id, name string, at *value) *value {
	return t.once("!GetAtt "+id+"."+name, at, func() *value {
		res := t.resources[id]
		if p := res.get("Properties").spelt(name); p != nil {
			if got := t.resolve(p); got != nil && got.kind != null {
				return got
			}
		}
		if given := t.d.param(id + "." + name); given != "" {
			return &value{kind: text, text: given, at: res.at}
		}
		return &value{kind: unknownValue, text: id + "." + name, at: res.at, why: &mystery{
			fmt.Sprintf("%s gives no %s, so that CloudFormation made one up", id, name), paramHint(id + "." + name)}}
	})
}

// once resolves what key names the first time it is asked for. at is where it
// is asked for.
func (t *template) once(key string, at *value, resolve func() *value) *value {
	got, begun := t.known[key]
	if !begun {
		t.known[key] = nil
		got = resolve()
		t.known[key] = got
	}
	if got == nil {
		return mysterious(at, "it depends on itself", "")
	}
	return got
}

// maxGuessed bounds the names that a guess is taken from.
const maxGuessed = 5000

// meant guesses which name a reference means.
func (t *template) meant(name string) string {
	if t.d.suggestions >= maxSuggestions || len(t.parameters)+len(t.resources) > maxGuessed {
		return ""
	}
	var names []string
	for _, m := range slices.Concat(t.root.get("Parameters").all(), t.root.get("Resources").all()) {
		names = append(names, m.name)
	}
	return t.d.didYouMean(name, names)
}
