package appmesh

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

const pulumiPrefix = "aws:appmesh/"

func isPulumi(v *value) bool {
	return v.has("deployment") && v.has("version") || v.get("deployment").has("manifest")
}

// readPulumi reads what `pulumi stack export` prints.
func readPulumi(d *Documents, v *value) {
	found := false
	for _, r := range v.get("deployment", "resources").list() {
		name, ours := strings.CutPrefix(r.get("type").str(), pulumiPrefix)
		if !ours {
			continue
		}
		found = true
		d.pulumiResource(r, name)
	}
	if !found {
		d.add(finding{fileWide: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
			Message: "this Pulumi export has no App Mesh resource: ignored"}})
	}
}

// pulumiResource reads one resource: its outputs, which are what AWS had, or
// its inputs where it has none yet.
func (d *Documents) pulumiResource(r *value, name string) {
	_, name, _ = strings.Cut(name, ":")
	k := kindOfType(name)
	switch {
	case k == unknownKind:
		d.documentError(r, r.get("type").at, r.get("type").text+" is no type of resource", d.didYouMean(name, typeNames()))
		return
	case r.get("delete").str() == "true":
		return // a left-over, to be destroyed
	}
	attributes := r.get("outputs")
	if attributes == nil || attributes.kind != object || len(attributes.members) == 0 {
		attributes = r.get("inputs")
	}
	if attributes == nil || attributes.kind != object {
		attributes = &value{kind: object, at: r.at}
	}
	d.unlock(attributes)
	address := r.get("urn").str()
	if i := strings.LastIndex(address, "::"); i >= 0 {
		address = r.get("type").str() + "::" + address[i+2:]
	}
	d.keep(kept{tool: "Pulumi", kind: k, address: address, at: r.at, attributes: attributes,
		lookup: r.get("external").str() == "true", tainted: r.get("taint").str() == "true"})
}

// A secret of Pulumi's is an object with this key and value, and the ciphertext
// or, where the export was told to, the plaintext: JSON in a text.
const (
	pulumiSignature = "4dabf18193072939515e22adb298388d"
	pulumiSecret    = "1b47061264138c4ac30d75fd1eb44270"
	// pulumiUnknown stands for what a preview does not know.
	pulumiUnknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
)

// unlock puts what they hold in place of secrets, or says that it is unknown.
func (d *Documents) unlock(v *value) {
	switch {
	case v.kind == text && v.text == pulumiUnknown:
		*v = value{kind: unknownValue, text: "(unknown)", at: v.at,
			why: &mystery{"Pulumi knows it only after an update", "run `pulumi up`, then `pulumi stack export > mesh.json`"}}
		return
	case v.get(pulumiSignature).str() == pulumiSecret:
		at, plain := v.at, v.get("plaintext")
		*v = value{kind: unknownValue, text: "(secret)", at: at,
			why: &mystery{"it is a secret that only Pulumi can decrypt", "`pulumi stack export --show-secrets > mesh.json` writes it in plain text"}}
		if plain == nil {
			return
		}
		if inner, err := readJSON(at.File, []byte(plain.text)); err == nil && len(inner) == 1 {
			inner[0].stand(at)
			d.sensitive(inner[0])
			*v = *inner[0]
		}
		return
	}
	for _, m := range v.members {
		d.unlock(m.value)
	}
	for _, item := range v.items {
		d.unlock(item)
	}
}

// stand gives all of v one place.
func (v *value) stand(at mesh.Position) {
	v.at = at
	for i := range v.members {
		v.members[i].at = at
		v.members[i].value.stand(at)
	}
	for _, item := range v.items {
		item.stand(at)
	}
}
