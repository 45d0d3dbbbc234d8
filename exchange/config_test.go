package exchange_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/exchange"
	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

var update = flag.Bool("update-config", false, "rewrite the expected messages under testdata/config/bad")

func environment(name string) (string, bool) {
	if !strings.HasSuffix(name, "_KEY") || name == "UNSET_KEY" {
		return "", false
	}
	return "value-of-" + name, true
}

// TestLeadsInTheClear warns of a buyer on another machine that is reached without TLS, and of none
// other.
func TestLeadsInTheClear(t *testing.T) {
	for address, warned := range map[string]bool{
		"http://127.0.0.1:8080": false, "http://localhost": false, "http://[::1]:8080": false, "https://bids.example": false,
		"http://bids.example": true, "http://10.0.0.7:8080": true, "http://127.example": true,
	} {
		text := `{version: 1, exchange: {name: X, timezone: UTC}, sellers: {s: {key: "${S_KEY}"}},
  buyers: {b: {ping: {url: "` + address + `", exchange: x, key: "${B_KEY}"}}}, campaigns: {c: {services: [hvac]}}}`
		config, faults := exchange.Load(fstest.MapFS{"x.yaml": {Data: []byte(text)}}, "x.yaml", environment)
		if got := strings.Contains(faults.String(), "unencrypted"); config == nil || got != warned {
			t.Errorf("%s: %s", address, faults.String())
		}
	}
}

func TestLoad(t *testing.T) {
	config, faults := exchange.Load(os.DirFS("testdata/config"), "full.yaml", environment)
	if faults.String() != "" {
		t.Fatal(faults.String())
	}
	nearby := map[pingpost.ZIP]struct{}{}
	within, _ := zips.Within(60614, 2)
	for _, zip := range within {
		if zip != 60657 {
			nearby[zip] = struct{}{}
		}
	}
	if _, in := nearby[60614]; !in || len(nearby) < 3 {
		t.Fatalf("the circle has %d ZIPs", len(nearby))
	}
	want := &exchange.Config{
		Name:   "Northside Leads",
		Server: exchange.Server{Listen: "0.0.0.0:9080", Admin: "127.0.0.1:9081", TLSCert: "tls/cert.pem", TLSKey: "tls/key.pem"},
		Store:  "sqlite:data/market.db",
		Sellers: []exchange.Seller{
			{Name: "webform", Key: "value-of-WEBFORM_KEY", Margin: 2500, Floor: 800},
			{Name: "partner", Key: "value-of-PARTNER_KEY", Margin: 1250},
		},
		Buyers: []exchange.Buyer{
			{Name: "lakeview", Key: "value-of-LAKEVIEW_KEY", CreditLimit: 5000, Tells: exchange.TellsPrice,
				Ping: &exchange.Endpoint{Profile: "native", URL: "http://127.0.0.1:8080", Exchange: "northside", Key: "value-of-LAKEVIEW_KEY"}},
			{Name: "northwest", Key: "value-of-NORTHWEST_VIEW_KEY",
				Ping: &exchange.Endpoint{Profile: "native", URL: "https://bids.northwest.example", Exchange: "northside", Key: "value-of-NORTHWEST_KEY"}},
			{Name: "city-plumbing", Key: "value-of-CITY_KEY", Tells: exchange.TellsResult,
				Preset: &exchange.Preset{Services: []pingpost.Service{pingpost.Plumbing}, ZIPs: nearby, Bid: 2200, DayBudget: 20000}},
			{Name: "anywhere-roofing", Tells: exchange.TellsResult,
				Preset: &exchange.Preset{Services: []pingpost.Service{pingpost.Roofing}, Bid: 3550}},
		},
		Campaigns: []exchange.Campaign{
			{Name: "hvac-chicago", Services: []pingpost.Service{pingpost.HVAC}, Window: 2 * time.Minute,
				Preview: []string{"job", "urgency"}, Fallback: []string{"leftovers"},
				Auction: exchange.Auction{Price: pingpost.AuctionSecond, Deadline: 250 * time.Millisecond, Reserve: 1000,
					Reroute: exchange.RerouteOn, Hops: 2, PostTimeout: time.Second, PostDeadline: 20 * time.Second}},
			{Name: "plumbing", Services: []pingpost.Service{pingpost.Plumbing, pingpost.Roofing}, Window: exchange.DefaultWindow,
				Auction: defaultAuction(exchange.RerouteBreakEven)},
			{Name: "leftovers", Services: []pingpost.Service{pingpost.HVAC}, Window: exchange.DefaultWindow,
				Auction: defaultAuction(exchange.RerouteOff)},
		},
	}
	zone := config.Location
	config.Location = nil
	if diff := cmp.Diff(want, config); diff != "" || zone.String() != "America/Chicago" {
		t.Fatalf("zone %v\n%s", zone, diff)
	}
}

func defaultAuction(reroute exchange.Reroute) exchange.Auction {
	return exchange.Auction{Price: pingpost.AuctionFirst, Deadline: exchange.DefaultDeadline, Reroute: reroute,
		Hops: exchange.DefaultHops, PostTimeout: exchange.DefaultPostTimeout, PostDeadline: exchange.DefaultPostDeadline}
}

// TestBadConfigs holds every message to the letter: they are what a user sees.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/config/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		config, faults := exchange.Load(os.DirFS(filepath.Dir(file)), filepath.Base(file), environment)
		if config != nil || !faults.Any() {
			t.Errorf("%s was taken", file)
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(faults.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), faults.String()); diff != "" {
			t.Errorf("%s:\n%s", file, diff)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	config, faults := exchange.Load(os.DirFS("testdata/config"), "absent.yaml", nil)
	if config != nil || !faults.Any() {
		t.Fatal("an absent file was taken")
	}
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/config/*.yaml")
	bad, _ := filepath.Glob("testdata/config/bad/*.yaml")
	for _, file := range append(files, bad...) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		files := fstest.MapFS{"exchange.yaml": {Data: text}}
		config, faults := exchange.Load(files, "exchange.yaml", environment)
		if (config == nil) != faults.Any() {
			t.Fatalf("configuration %v with faults %v", config != nil, faults)
		}
		if config != nil && (len(config.Sellers) == 0 || len(config.Buyers) == 0 || len(config.Campaigns) == 0) {
			t.Fatalf("taken, and nothing can be sold: %+v", config)
		}
	})
}
