package rules

import (
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"leadbid/pingpost"
)

// tabled loads one rule beside tables and a CSV file.
func tabled(t *testing.T, tables, csv, bid string) *Ruleset {
	t.Helper()
	text := strings.Replace(frame, "lists:\n", "tables:\n"+tables+"lists:\n", 1) + "    rules: [{bid: " + strconv.Quote(bid) + "}]\n"
	rs, faults := load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)}, "rich.txt": {Data: []byte("60614\n")},
		"t.csv": {Data: []byte(csv)}}, "bidder.yaml", testenv, options{})
	if rs == nil {
		t.Fatal(faults)
	}
	return rs
}

func TestTables(t *testing.T) {
	f := func(tables, csv, bid string, p *pingpost.Ping, want float64, missing string) {
		t.Helper()
		rs := tabled(t, tables, csv, bid)
		e := rs.NewEvaluation()
		e.Begin(monday, p)
		price := e.Price(rs.Campaigns()[0], nil, nil)
		if price.Dollars != want || price.Missing != missing {
			t.Errorf("%s: %+v, want %v, missing %q", bid, price, want, missing)
		}
	}
	const tiers = "  tier: {file: t.csv, key: zip, value: price}\n"
	const csv = "\xef\xbb\xbfcity,zip,price\r\nChicago,60614,$40\r\n# no comment,60615-1234,12.50\r\nOld Town,\"00501\", 7\r\n"
	base := basePing()
	f(tiers, csv, "tier[zip]", base, 40, "")
	f(tiers, csv, "tier[zip] * 2 + 1", base, 81, "")
	f(tiers, csv, `tier["60615"]`, base, 12.5, "")
	f(tiers, csv, `tier["60616"]`, base, 0, `tier["60616"]`)
	f(tiers, csv, `tier["60616"] ?? 3`, base, 3, "")
	f(tiers, csv, `known(tier[zip]) ? 1 : 2`, base, 1, "")
	f(tiers, csv, `known(tier["60616"]) ? 1 : 2`, base, 2, "")
	f(tiers, csv, `tier["60616"] < 5 ? 1 : 2`, base, 2, "") // a comparison with what is missing is false
	f(tiers, csv, `tier["60616"] != 5 ? 1 : 2`, base, 2, "")
	unplaced := basePing()
	unplaced.ZIP, unplaced.Source, unplaced.Attrs = 60043, "", []pingpost.Attr{{Name: "brand", Value: "acme"}}
	f(tiers, csv, "tier[zip]", unplaced, 0, "tier[zip]")
	f("  tier: {file: t.csv, key: zip, value: price, default: 9}\n", csv, "tier[zip]", unplaced, 9, "")
	// The first two columns, parted by semicolons.
	f("  tier: {file: t.csv}\n", "ZIP;price\n60614;3\n", "tier[zip]", base, 3, "")
	const written = "  quality: {values: {google-1: 1.5, bing: 0.5, acme: 2}}\n"
	f(written, "", "10 * quality[source]", base, 15, "")
	f(written, "", "10 * quality[source]", unplaced, 0, "source")
	f(written, "", "10 * quality[attrs.brand]", unplaced, 20, "")
	f(written, "", "10 * quality[attrs.brand]", base, 0, "attrs.brand")
	f(written, "", "10 * quality[lower(source)]", base, 15, "")
	// The default stands for every key that the table lacks, one that the ping does not say included.
	f("  quality: {values: {google-1: 1.5}, default: 1}\n", "", "10 * quality[source]", unplaced, 10, "")
}

func TestTableInTheHash(t *testing.T) {
	const tiers = "  tier: {file: t.csv}\n"
	if tabled(t, tiers, "zip,price\n60614,1\n", "tier[zip]").Hash() == tabled(t, tiers, "zip,price\n60614,2\n", "tier[zip]").Hash() {
		t.Error("a table does not change the hash")
	}
}
