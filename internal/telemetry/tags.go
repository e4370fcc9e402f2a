package telemetry

import "strings"

// tag is one label that Envoy takes out of a stat's name (Envoy 7.1).
type tag struct{ label, value string }

// splitPrefix takes the tags out of what stands before the names of a group:
// "cluster.backend." becomes "cluster." and envoy_cluster_name="backend".
// Tags are in the order in which Envoy prints them.
func splitPrefix(prefix string) (rest string, tags []tag) {
	kind, after, ok := strings.Cut(prefix, ".")
	if !ok {
		return prefix, nil
	}
	switch kind {
	case "cluster":
		rest, tags = takeToken("cluster.", after, "envoy_cluster_name")
		return takeCall(rest, tags)
	case "tcp":
		return takeToken("tcp.", after, "envoy_tcp_prefix")
	case "udp":
		return takeToken("udp.", after, "envoy_udp_prefix")
	case "http":
		rest, tags = takeToken("http.", after, "envoy_http_conn_manager_prefix")
		return takeMember(rest, tags, "http.", "rds.", "envoy_rds_route_config")
	case "vhost":
		rest, tags = takeToken("vhost.", after, "envoy_virtual_host")
		rest, tags = takeMember(rest, tags, "vhost.", "vcluster.", "envoy_virtual_cluster")
		return takeMember(rest, tags, "vhost.", "route.", "envoy_route")
	case "listener":
		return splitListener(after)
	}
	return prefix, nil
}

// takeToken takes the part up to the next dot as the value of a label.
func takeToken(before, after, label string) (rest string, tags []tag) {
	value, after, ok := strings.Cut(after, ".")
	if !ok {
		return before + value, nil // no name follows: nothing to tag
	}
	return before + after, []tag{{label, value}}
}

// takeMember does the same for "<before><member>$." in rest.
func takeMember(rest string, tags []tag, before, member, label string) (string, []tag) {
	after, ok := strings.CutPrefix(rest, before+member)
	if !ok {
		return rest, tags
	}
	rest, more := takeToken(before+member, after, label)
	return rest, append(more, tags...)
}

// takeCall takes service and method out of "cluster.grpc.<service>.<method>.".
// Decision: the method is the last part and the service all before it. Envoy's
// own pattern stops at the first dot of a service such as "color.Service", so
// that the method becomes part of the metric's name (its filter has an option
// that replaces the dots); names without dots come out the same.
func takeCall(rest string, tags []tag) (string, []tag) {
	const before = "cluster.grpc."
	after, ok := strings.CutPrefix(rest, before)
	end := strings.LastIndexByte(after, '.')
	if !ok || end < 0 {
		return rest, tags
	}
	service, name := after[:end], after[end+1:]
	var call []tag
	if dot := strings.LastIndexByte(service, '.'); dot >= 0 {
		call = []tag{{"envoy_grpc_bridge_method", service[dot+1:]}}
		service = service[:dot]
	}
	call = append(call, tag{"envoy_grpc_bridge_service", service})
	return before + name, append(call, tags...)
}

// splitListener reads "<address>.", then "http.<prefix>." or "worker_<n>.".
// Only an address is a label (Envoy's pattern): "admin" stays in the name.
func splitListener(after string) (rest string, tags []tag) {
	const before = "listener."
	n := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("0123456789._[]aAbBcCdDeEfF", r) })
	if n < 0 {
		n = len(after)
	}
	n = strings.LastIndexByte(after[:n], '.')
	if n > 0 && strings.ContainsAny(after[:1], "0123456789_[") {
		tags = []tag{{"envoy_listener_address", after[:n]}}
		after = after[n+1:]
	}
	if number, ok := strings.CutPrefix(after, "worker_"); ok {
		if id, name, ok := strings.Cut(number, "."); ok {
			return before + "worker_" + name, append([]tag{{"envoy_worker_id", id}}, tags...)
		}
	}
	return takeMember(before+after, tags, before, "http.", "envoy_http_conn_manager_prefix")
}

// splitName takes a response code, or its class, off the end of a name.
func splitName(name string) (rest string, tags []tag) {
	i := strings.LastIndex(name, "_rq_")
	if i < 0 {
		return name, nil
	}
	rest, code := name[:i+len("_rq")], name[i+len("_rq_"):]
	switch {
	case len(code) == 3 && isDigits(code):
		return rest, []tag{{"envoy_response_code", code}}
	case len(code) == 3 && isDigits(code[:1]) && code[1:] == "xx":
		return rest + "_xx", []tag{{"envoy_response_code_class", code[:1]}}
	}
	return name, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// metricName is Envoy's Prometheus name of a stat without its tags.
func metricName(rest string) string {
	b := append(make([]byte, 0, len("envoy_")+len(rest)), "envoy_"...)
	for i := range len(rest) {
		c := rest[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' {
			b = append(b, c)
		} else {
			b = append(b, '_')
		}
	}
	return string(b)
}

// labelText prints tags as they stand between the braces.
func labelText(tags []tag) string {
	var b []byte
	for i, t := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, t.label...), `="`...)
		b = append(appendLabelValue(b, t.value), '"')
	}
	return string(b)
}

// appendLabelValue escapes what the exposition format asks to escape.
func appendLabelValue(dst []byte, value string) []byte {
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
