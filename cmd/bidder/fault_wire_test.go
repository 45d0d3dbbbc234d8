//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"leadbid/exchange"
	"leadbid/internal/faultproxy"
)

// wireLength is how long the line between exchange and bidder is bad: long enough for each fault once.
const wireLength = 6 * time.Second

// wireFaults are what happens to the line while a post is on its way. A cut that is longer than the
// exchange waits (post_deadline) loses the answer for good: the exchange withdraws the post. One that
// holds back what goes to the bidder brings the post after that.
var wireFaults = []struct {
	name        string
	weather     faultproxy.Weather
	reset       bool
	least, most time.Duration
}{
	{"resets", faultproxy.Weather{}, true, 50 * time.Millisecond, 100 * time.Millisecond},
	{"refusals", faultproxy.Weather{Closed: true}, true, 200 * time.Millisecond, 500 * time.Millisecond},
	{"answers late", faultproxy.Weather{DownCut: true}, false, 200 * time.Millisecond, 600 * time.Millisecond},
	{"answers lost", faultproxy.Weather{DownCut: true}, true, 1400 * time.Millisecond, 1800 * time.Millisecond},
	{"answers after the deadline", faultproxy.Weather{DownCut: true}, false, 1400 * time.Millisecond, 1800 * time.Millisecond},
	{"posts after the deadline", faultproxy.Weather{UpCut: true}, false, 1400 * time.Millisecond, 1800 * time.Millisecond},
}

// TestWireUnderFaults puts a bad network between an exchange and a real bidder. In the end both books
// have the same leads at the same prices, and nothing twice. LEADBID_CRASH_FOR makes it longer.
func TestWireUnderFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short, as it runs a market for some seconds: a bad line to the exchange")
	}
	t.Parallel()
	seed, length := crashSeed(t), wireLength
	if os.Getenv("LEADBID_CRASH_FOR") != "" {
		length = crashLength(t)
	}
	crm := startCRM(t)
	bidder := newBidder(t, crm.url())
	bidder.start()
	bidder.awaitReady()
	proxy, err := faultproxy.Start(bidder.listen)
	if err != nil {
		t.Fatal(err)
	}
	market := startMarket(t, seed, "http://"+proxy.Addr())
	endTraffic := market.drive()
	faults := spoil(rand.New(rand.NewPCG(seed, seed)), length, proxy, market)
	bidder.live(lastLife)
	driven := endTraffic()
	market.drain()
	bidder.awaitDelivered()
	bidder.stop()
	market.stop()
	if err := proxy.Close(); err != nil {
		t.Error(err)
	}

	leads := bidder.leads()
	checkSales(t, market, leads)
	checkDeliveries(t, bidder, crm, leads)
	checkCounts(t, market, bidder.counts(), leads)
	market.verify()
	bidder.verify()
	t.Logf("LEADBID_CRASH_SEED=%d: %v; %d homeowners", seed, faults, driven.Offered)
	t.Logf("exchange: %v; bidder: %d leads, %d of them given back", market.dealings, len(leads), returned(leads))
	if !sawFaults(market) {
		t.Error("too little happened for the test to mean anything")
	}
}

// sawFaults tells whether the bidder bought something, and a post was left without an answer and withdrawn.
func sawFaults(market *market) bool {
	return market.dealings.counted(exchange.PostAccepted) > 0 &&
		market.dealings.counted(exchange.PostUnknown) > 0 && market.dealings.counted(exchange.Voided) > 0
}

// spoil makes one fault after another, each kind as often as any other, until the time is over and they
// were seen, and ends with a good line. Before each, what passes takes a while, so that there are posts
// on their way; once the time is over it waits for one also where the exchange lets the bidder rest.
func spoil(random *rand.Rand, length time.Duration, proxy *faultproxy.Proxy, market *market) string {
	done := make([]int, len(wireFaults))
	forPost := time.Second
	for began := time.Now(); time.Since(began) < length || time.Since(began) < length+2*patience && !sawFaults(market); {
		if time.Since(began) >= length {
			forPost = patience
		}
		for _, i := range random.Perm(len(wireFaults)) {
			fault := &wireFaults[i]
			proxy.Set(faultproxy.Weather{Latency: between(random, 40*time.Millisecond, 80*time.Millisecond), Jitter: 40 * time.Millisecond})
			before := market.dealings.counted(exchange.PostRequested)
			waitFor(forPost, func() bool { return market.dealings.counted(exchange.PostRequested) > before })
			proxy.Set(fault.weather)
			if fault.reset && !fault.weather.DownCut {
				proxy.Reset()
			}
			pause(between(random, fault.least, fault.most))
			if fault.reset && fault.weather.DownCut {
				proxy.Reset() // what was held back is lost
			}
			done[i]++
		}
	}
	proxy.Set(faultproxy.Weather{})
	text := ""
	for i, count := range done {
		text += fmt.Sprintf(" %s %d,", wireFaults[i].name, count)
	}
	return text
}
