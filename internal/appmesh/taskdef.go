package appmesh

import (
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// ECS task definitions, for those who compare one with its mesh. Nothing here
// is part of a snapshot.
//
//	taskdef.go         what a task definition says
//	taskdef_read.go    sources become values: requests, describe output,
//	                   CloudFormation, Terraform, Pulumi
//	taskdef_fields.go  values become TaskDefinitions

// TaskDefinition is an ECS task definition, as far as it concerns a sidecar.
type TaskDefinition struct {
	mesh.Position
	// Name is the family, or where that is unknown the name of the resource in
	// its template or state.
	Name            string
	NetworkMode     Said
	Compatibilities []Said
	CPU, Memory     Said
	// Proxy is nil where nothing redirects.
	Proxy      *ProxyConfiguration
	Containers []Container
	// Unread are containers of which nobody knows what they are, and containers
	// or a proxyConfiguration that are no such thing.
	Unread []Said
	// Sensitive is true where no value of the containers may be shown.
	Sensitive bool
}

// Said is one value as a document gives it. Its position is zero where the
// document is silent.
type Said struct {
	mesh.Position
	// Text is the value as text; empty where it is not known.
	Text string
	// Unknown says why nobody here knows the value, and Hint how to tell; empty
	// for what is known.
	Unknown, Hint string
}

// Given tells whether the document says anything. An empty text is nothing, as
// for ECS.
func (s Said) Given() bool { return s.Text != "" || s.Unknown != "" }

// Int is the whole number that is said, and whether one is.
func (s Said) Int() (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s.Text))
	return n, err == nil
}

// ProxyConfiguration is the proxyConfiguration of a task definition (App Mesh 4.1).
type ProxyConfiguration struct {
	mesh.Position
	Type, Container Said
	// Properties are in the document's order, with the names it writes.
	Properties []Named
}

// Named is a value with a name: a variable, a property, a secret.
type Named struct {
	mesh.Position
	Name string
	Said Said
}

// Container is one container of a task definition.
type Container struct {
	mesh.Position
	Name, Image, User, Essential Said
	Environment                  []Named
	// Secrets are variables that ECS fills in; what they hold, and where it
	// comes from, is not kept.
	Secrets          []Named
	EnvironmentFiles []Said
	HealthCheck      *ContainerHealth
	DependsOn        []Dependency
	// Ports are the container ports that are mapped.
	Ports []Said
	// Capabilities are those that are added.
	Capabilities           []Said
	Ulimits                []Ulimit
	CPU, Memory            Said
	MemoryReservation      Said
	StopTimeout            Said
	EntryPoint, Command    []Said
	ReadonlyRootFilesystem Said
}

// ContainerHealth is a container's healthCheck; times are in seconds.
type ContainerHealth struct {
	mesh.Position
	Command                                 []Said
	Interval, Timeout, Retries, StartPeriod Said
}

// Dependency is one entry of dependsOn.
type Dependency struct {
	mesh.Position
	Container, Condition Said
}

// Ulimit is one entry of ulimits.
type Ulimit struct {
	mesh.Position
	Name, Soft, Hard Said
}
