package iptables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxTaskDefinition bounds the file, in bytes. ECS takes 64 KiB; a CloudFormation template 1 MiB.
const maxTaskDefinition = 1 << 20

// FromTaskDefinition reads the proxyConfiguration of an ECS task definition in JSON: the form that
// `aws ecs register-task-definition --cli-input-json` takes, the form that `describe-task-definition` answers with,
// a CloudFormation template with one such resource (ProxyConfigurationProperties), or Terraform's JSON syntax
// (proxy_configuration with a map of properties). The path only names the file in errors.
//
// Names of properties are ECS's and compared exactly, for ECS ignores what it does not know and a misspelt AppPorts
// would silently intercept nothing. EnableIPv6 stays false; it is the caller's choice.
// The error is a *ConfigError that lists every fault of the properties.
func FromTaskDefinition(document []byte, path string) (Config, error) {
	cfg, err := decodeTaskDefinition(bytes.NewReader(document), path)
	if err == nil {
		err = blame(path, cfg.Validate())
	}
	if err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// decodeTaskDefinition reads what the document says; whether it makes sense is asked once flags have had their say.
func decodeTaskDefinition(r io.Reader, path string) (Config, error) {
	document, err := io.ReadAll(io.LimitReader(r, maxTaskDefinition+1))
	if err != nil {
		return Config{}, fmt.Errorf("reading task definition %s: %w", path, err)
	}
	found, err := findProxyConfiguration(document)
	if err != nil {
		return Config{}, blame(path, &ConfigError{Problems: []string{err.Error()}})
	}
	var bad problems
	cfg := found.config(&bad)
	return cfg, blame(path, bad.err())
}

// blame puts the file's name before each fault of a *ConfigError.
func blame(path string, err error) error {
	var bad problems
	bad.add(err)
	for i := range bad {
		bad[i] = "task definition " + path + ": " + bad[i]
	}
	return bad.err()
}

// The shapes a task definition comes in. encoding/json compares keys without case, so that one struct reads the API's
// lower and CloudFormation's upper camel case.
type (
	template struct {
		taskDefinition
		Described *taskDefinition     `json:"taskDefinition"`
		Resources map[string]resource `json:"Resources"` // CloudFormation
		Terraform map[string]map[string]struct {
			Proxy *proxyConfiguration `json:"proxy_configuration"`
		} `json:"resource"`
	}
	resource struct {
		Type       string
		Properties json.RawMessage
	}
	taskDefinition struct {
		Proxy *proxyConfiguration `json:"proxyConfiguration"`
	}
	proxyConfiguration struct {
		Type           string
		Properties     properties `json:"properties"`
		CloudFormation properties `json:"ProxyConfigurationProperties"`
	}
)

// findProxyConfiguration returns the only proxy configuration of the document.
func findProxyConfiguration(document []byte) (*proxyConfiguration, error) {
	if len(document) > maxTaskDefinition {
		return nil, fmt.Errorf("larger than %d bytes", maxTaskDefinition)
	}
	var t template
	if err := json.Unmarshal(document, &t); err != nil {
		return nil, explainJSON(document, err)
	}
	all, err := t.all()
	if err != nil {
		return nil, err
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return nil, errors.New("no proxyConfiguration in it")
	}
	return nil, fmt.Errorf("%d proxy configurations in it: give the flags, or a file with one task definition", len(all))
}

func (t template) all() ([]*proxyConfiguration, error) {
	all := []*proxyConfiguration{t.Proxy}
	if t.Described != nil {
		all = append(all, t.Described.Proxy)
	}
	for name, r := range t.Resources {
		if r.Type != "AWS::ECS::TaskDefinition" {
			continue // Other resources' properties are none of our business, whatever their shape.
		}
		var task taskDefinition
		if err := json.Unmarshal(r.Properties, &task); err != nil {
			return nil, fmt.Errorf("resource %q: %w", name, err)
		}
		all = append(all, task.Proxy)
	}
	for _, task := range t.Terraform["aws_ecs_task_definition"] {
		all = append(all, task.Proxy)
	}
	return slices.DeleteFunc(all, func(p *proxyConfiguration) bool { return p == nil }), nil
}

// config reads the properties. Faults of several properties are gathered.
func (p *proxyConfiguration) config(bad *problems) Config {
	if p.Type != "" && p.Type != "APPMESH" {
		bad.addf("proxyConfiguration type %q is unknown: ECS knows APPMESH alone", p.Type)
	}
	var cfg Config
	given := map[string]bool{}
	for _, property := range slices.Concat(p.Properties, p.CloudFormation) {
		if given[property.Name] {
			bad.addf("property %q is there twice", property.Name)
		}
		given[property.Name] = true
		bad.add(cfg.SetProperty(property.Name, string(property.Value)))
	}
	cfg.EgressIgnoredIPs = withAlwaysIgnored(cfg.EgressIgnoredIPs)
	return cfg
}

// PropertyNames are those of proxyConfiguration, as ECS spells them.
func PropertyNames() []string {
	return []string{"IgnoredUID", "IgnoredGID", "ProxyIngressPort", "ProxyEgressPort", "AppPorts", "EgressIgnoredPorts", "EgressIgnoredIPs"}
}

// SetProperty takes a property of proxyConfiguration into the Config. Names are ECS's, to the letter; an empty value
// means absent in ECS, and changes nothing. The error says what is wrong with the value, or that there is no such property.
func (c *Config) SetProperty(name, value string) (err error) {
	if strings.TrimSpace(value) == "" && slices.Contains(PropertyNames(), name) {
		return nil
	}
	switch name {
	case "IgnoredUID":
		c.IgnoredUIDs, err = ParseIDs(name, value)
	case "IgnoredGID":
		c.IgnoredGIDs, err = ParseIDs(name, value)
	case "ProxyIngressPort":
		c.IngressPort, err = ParsePort(name, value)
	case "ProxyEgressPort":
		c.EgressPort, err = ParsePort(name, value)
	case "AppPorts":
		c.AppPorts, err = ParsePorts(name, value)
	case "EgressIgnoredPorts":
		c.EgressIgnoredPorts, err = ParsePorts(name, value)
	case "EgressIgnoredIPs":
		c.EgressIgnoredIPs, err = ParseAddresses(name, value)
	default:
		err = fmt.Errorf("property %q does not exist: ECS knows %s", name, strings.Join(PropertyNames(), ", "))
	}
	return err
}

// properties reads a list of name and value, or Terraform's map; the map is sorted so that errors come in one order.
type properties []property

type property struct {
	Name  string
	Value scalar
}

func (p *properties) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte("{")) {
		return json.Unmarshal(text, (*[]property)(p))
	}
	var byName map[string]scalar
	if err := json.Unmarshal(text, &byName); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		*p = append(*p, property{Name: name, Value: byName[name]})
	}
	return nil
}

// scalar is a value as text. ECS wants strings; people write numbers too.
type scalar string

func (s *scalar) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case '"':
		return json.Unmarshal(text, (*string)(s))
	case '{', '[':
		return errors.New("a property's value is not a plain string: functions and references must be resolved before")
	}
	if string(text) != "null" {
		*s = scalar(text)
	}
	return nil
}

// explainJSON adds the place to an error of encoding/json, and the likely reason when the file is not JSON at all.
func explainJSON(document []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := document[:min(int(syntax.Offset), len(document))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Errorf("line %d, column %d: %w (only JSON is read)", line, column, err)
}
