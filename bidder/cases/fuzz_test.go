package cases

import (
	"strings"
	"testing"
	"testing/fstest"

	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// FuzzLoad holds that no file of cases takes the program down, and that what loads without a fault
// can be run.
func FuzzLoad(f *testing.F) {
	configured := fstest.MapFS{"bidder.yaml": {Data: []byte(strings.TrimSpace(configuration))},
		"customers.txt": {Data: []byte(customers())}}
	rs, faults := rules.LoadOffline(configured, "bidder.yaml", func(string) (string, bool) { return "", false })
	if rs == nil {
		f.Fatal(faults)
	}
	f.Add("version: 1\nat: 2026-03-02 10:00\ncases:\n  - name: a\n    ping: {service: hvac, zip: 60614}\n    expect: {bid: 20}\n")
	f.Add("version: 1\ncases:\n  - name: a\n    at: 0001-01-01 00:00\n    ping: {attrs: {a: 1e999}, floor: $1}\n" +
		"    post: {lead: {notes: x}}\n    used: {business: {budget: {month: $9000000}}}\n    expect: {no_bid: paused, post: x}\n")
	f.Add("version: 1\nat: 9999-12-31T23:59:59Z\ncases: [{name: a, ping: {service: hvac}, expect: {no_bid: no_rule}}]")
	f.Fuzz(func(t *testing.T, text string) {
		var faults yamlfile.Faults
		all := Load(fstest.MapFS{"cases.yaml": {Data: []byte(text)}}, "cases.yaml", rs, &faults)
		if faults.Any() {
			return
		}
		report := Run(rs, all)
		if report.Passed+report.Failed != len(all) {
			t.Errorf("%d cases, %d passed and %d failed", len(all), report.Passed, report.Failed)
		}
	})
}
