package app

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// TestEverySettingReachesTheCodec: a limit that was added to the codec and not
// wired is zero here.
func TestEverySettingReachesTheCodec(t *testing.T) {
	run, _, err := config.ParseRun([]string{"--node=mesh/m/virtualNode/n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	limits := reflect.ValueOf(http2Limits(&run.HTTP2))
	for i := range limits.NumField() {
		if limits.Field(i).IsZero() {
			t.Errorf("%s is not set", limits.Type().Field(i).Name)
		}
	}
}

// TestAbuseTable: what the table of docs/operations.md names is there: settings
// and counters; and every flood has a row.
func TestAbuseTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Limits against abuse")
	section, _, _ = strings.Cut(section, "\n## ")
	quoted := regexp.MustCompile("`([A-Za-z0-9_]+)`")
	usage := config.RunUsage()
	var counters []string
	for _, line := range strings.Split(section, "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(line, "|")
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if flag := "--http2-" + strings.ToLower(strings.ReplaceAll(name[1], "_", "-")); !strings.Contains(usage, flag+" ") {
				t.Errorf("there is no %s", flag)
			}
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[4], -1) {
			counters = append(counters, name[1])
			if !slices.Contains(h2.Layout.Counters, name[1]) {
				t.Errorf("there is no counter %s", name[1])
			}
		}
	}
	for _, name := range h2.Layout.Counters {
		if strings.Contains(name, "flood") && !slices.Contains(counters, name) {
			t.Errorf("%s is in no row", name)
		}
	}
}
