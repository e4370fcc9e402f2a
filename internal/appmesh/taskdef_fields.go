package appmesh

import "strings"

// task reads one task definition; name is what its template calls it.
func (r *taskReader) task(name string, v *value) {
	if !v.isObject() {
		return
	}
	t := TaskDefinition{Position: v.at, Name: name, NetworkMode: saidBy(given(v, "networkMode")),
		Compatibilities: sayings(given(v, "requiresCompatibilities")), CPU: saidBy(given(v, "cpu")), Memory: saidBy(given(v, "memory"))}
	if family := saidBy(given(v, "family")); family.Text != "" {
		t.Name = family.Text
	}
	if p := inner(given(v, "proxyConfiguration")); p.isObject() {
		t.Proxy = proxyConfiguration(p)
	} else if p != nil && (p.kind != list || len(p.items) > 0) {
		t.Unread = append(t.Unread, strange(p, "a proxyConfiguration"))
	}
	containers := unpacked(given(v, "containerDefinitions"))
	switch {
	case containers == nil:
		t.Unread = append(t.Unread, Said{Position: v.at, Unknown: "it gives no containerDefinitions", Hint: "a plan knows them only once it is applied; a state has them"})
	case containers.kind != list:
		t.Unread = append(t.Unread, strange(containers, "a list of containers"))
	default:
		for _, item := range containers.items {
			if item = unpacked(item); item.kind == object {
				t.Containers = append(t.Containers, container(item))
			} else {
				t.Unread = append(t.Unread, strange(item, "a container"))
			}
		}
	}
	r.tasks = append(r.tasks, t)
}

// inner is the only entry of a list of one, which is how Terraform writes an
// object.
func inner(v *value) *value {
	if v != nil && v.kind == list && len(v.items) == 1 {
		return v.items[0]
	}
	return v
}

// unpacked reads JSON inside a text, as Terraform keeps containers and as a
// --param may bring one. All that is inside stands where the text does.
func unpacked(v *value) *value {
	if v == nil || v.kind != text || !strings.ContainsAny(firstByte(v.text), "[{") {
		return v
	}
	values, err := readJSON(v.at.File, []byte(v.text))
	if err != nil || len(values) != 1 {
		return v
	}
	standAt(values[0], v)
	return values[0]
}

func firstByte(s string) string {
	s = strings.TrimLeft(s, " \t\r\n")
	return s[:min(1, len(s))]
}

func standAt(v, to *value) {
	v.at = to.at
	for i := range v.members {
		v.members[i].at = to.at
		standAt(v.members[i].value, to)
	}
	for _, item := range v.items {
		standAt(item, to)
	}
}

func strange(v *value, want string) Said {
	if s := saidBy(v); s.Unknown != "" {
		return s
	}
	return Said{Position: v.at, Unknown: want + " is wanted here, not " + v.kind.String()}
}

// saidBy is a scalar. What is no scalar is not known.
func saidBy(v *value) Said {
	switch {
	case v == nil || v.kind == null:
		return Said{}
	case v.kind == text || v.kind == number || v.kind == boolean:
		return Said{Position: v.at, Text: v.text}
	case v.kind == unknownValue:
		why := v.why.why
		if v.text != "" {
			why = cut(v.text) + ": " + why
		}
		return Said{Position: v.at, Unknown: why, Hint: v.why.hint}
	case v.kind == tagged:
		return Said{Position: v.at, Unknown: "the tag " + cut(v.text) + " cannot be resolved here", Hint: "write the value it stands for"}
	}
	return Said{Position: v.at, Unknown: "text is wanted here, not " + v.kind.String()}
}

// sayings are the entries of a list of texts; a text alone is a list of one.
func sayings(v *value) []Said {
	if v == nil || v.kind != list {
		if s := saidBy(v); s.Given() {
			return []Said{s}
		}
		return nil
	}
	all := make([]Said, 0, len(v.items))
	for _, item := range v.items {
		all = append(all, saidBy(item))
	}
	return all
}

// pairs reads a list of {name, value}, or a map. What is of another shape is a
// pair without a name.
func pairs(v *value, valueName string) []Named {
	var all []Named
	if v.isObject() {
		for _, m := range v.members {
			all = append(all, Named{m.at, m.name, saidBy(m.value)})
		}
		return all
	}
	if v != nil && v.kind != list {
		return []Named{{v.at, "", saidBy(v)}}
	}
	for _, item := range v.list() {
		if item.kind != object {
			all = append(all, Named{item.at, "", strange(item, "a name with a value")})
			continue
		}
		name := saidBy(given(item, "name"))
		pair := Named{item.at, name.Text, saidBy(given(item, valueName))}
		if name.Given() {
			pair.Position = name.Position
		}
		if name.Unknown != "" {
			pair.Said = name
		}
		all = append(all, pair)
	}
	return all
}

func proxyConfiguration(v *value) *ProxyConfiguration {
	properties := given(v, "properties")
	if properties == nil {
		properties = given(v, "proxyConfigurationProperties")
	}
	return &ProxyConfiguration{Position: v.at, Type: saidBy(given(v, "type")), Container: saidBy(given(v, "containerName")), Properties: pairs(properties, "value")}
}

func container(v *value) Container {
	c := Container{Position: v.at,
		Name: saidBy(given(v, "name")), Image: saidBy(given(v, "image")), User: saidBy(given(v, "user")), Essential: saidBy(given(v, "essential")),
		Environment:            pairs(given(v, "environment"), "value"),
		Secrets:                pairs(given(v, "secrets"), "valueFrom"),
		Capabilities:           sayings(given(inner(given(inner(given(v, "linuxParameters")), "capabilities")), "add")),
		CPU:                    saidBy(given(v, "cpu")),
		Memory:                 saidBy(given(v, "memory")),
		MemoryReservation:      saidBy(given(v, "memoryReservation")),
		StopTimeout:            saidBy(given(v, "stopTimeout")),
		EntryPoint:             sayings(given(v, "entryPoint")),
		Command:                sayings(given(v, "command")),
		ReadonlyRootFilesystem: saidBy(given(v, "readonlyRootFilesystem")),
	}
	for i := range c.Secrets {
		c.Secrets[i].Said = Said{Position: c.Secrets[i].Position, Unknown: "ECS fills it in"}
	}
	for _, file := range given(v, "environmentFiles").list() {
		c.EnvironmentFiles = append(c.EnvironmentFiles, saidBy(given(file, "value")))
	}
	if health := inner(given(v, "healthCheck")); health.isObject() {
		c.HealthCheck = &ContainerHealth{Position: health.at, Command: sayings(given(health, "command")), Interval: saidBy(given(health, "interval")),
			Timeout: saidBy(given(health, "timeout")), Retries: saidBy(given(health, "retries")), StartPeriod: saidBy(given(health, "startPeriod"))}
	}
	for _, d := range given(v, "dependsOn").list() {
		c.DependsOn = append(c.DependsOn, Dependency{d.at, saidBy(given(d, "containerName")), saidBy(given(d, "condition"))})
	}
	for _, p := range given(v, "portMappings").list() {
		c.Ports = append(c.Ports, saidBy(given(p, "containerPort")))
	}
	for _, u := range given(v, "ulimits").list() {
		c.Ulimits = append(c.Ulimits, Ulimit{u.at, saidBy(given(u, "name")), saidBy(given(u, "softLimit")), saidBy(given(u, "hardLimit"))})
	}
	return c
}
