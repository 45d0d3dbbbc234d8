//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/internal/faultproxy"
	"leadbid/internal/pgtest"
	"leadbid/pingpost"
)

// replicaConfig has one cap of hundreds of the largest bids, and one of four and a half.
const replicaConfig = `
version: 1
business: {name: Three of Us, timezone: America/Chicago, budget: {month: $1000000}}
server: {listen: "${LISTEN}", admin: "${ADMIN}"}
store: "${STORE}"
mode: live
exchanges:
  northside:
    profile: native
    auth: {bearer: "${EXCHANGE_KEY}"}
    commitment: refusable
    bid_ttl: 2s
    hold_for: 1s
    grace: 1s
    reasons: true
campaigns:
  comfort:
    services: [hvac]
    area: {zip: 60614, miles: 40, only_states: [IL]}
    budget: {total: $%d}
    rules: [{name: all, bid: "5 + 0.05 * (lead_score ?? 0)"}]
    limits: {max_bid: $10}
    delivery: [{file: leads.jsonl}]
  water:
    services: [plumbing]
    area: {zip: 60614, miles: 40, only_states: [IL]}
    budget: {total: $45}
    rules: [{name: all, bid: "10"}]
    limits: {max_bid: $10}
    delivery: [{file: leads.jsonl}]
`

const (
	replicas    = 3
	largestBid  = pingpost.Cents(10_00)
	smallCap    = pingpost.Cents(45_00)
	perSecond   = 60 // dollars of the large cap, somewhat more than is bought under faults
	perFault    = 1400 * time.Millisecond
	beyondLease = 34 * time.Second // a lease of 30 s, the time of its last bid, and some more

	// betweenLeads is how long each of the callers waits while there are faults.
	betweenLeads = 100 * time.Millisecond
)

// TestReplicasUnderFaults runs three bidders on one PostgreSQL. The network between each and the
// database is cut, one way or both, reset, slowed; bidders are stopped for a while, one of them for
// longer than its leases last. Posts go to any of them. At the end no cap is passed by a cent, all
// promises hold, everything accepted is in the books, and the money is used as far as the rules of
// leases say.
//
// 20 faults; a campaign:
//
//	LEADBID_REPLICA_FAULTS=500 go test ./cmd/bidder -run ReplicasUnderFaults -timeout 0 -v
func TestReplicasUnderFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short, as it takes as long as a lease lasts: replicas under faults")
	}
	address := pgtest.Address(t)
	t.Parallel()
	faults, seed := numberFrom(t, "LEADBID_REPLICA_FAULTS", 20), crashSeed(t)
	// 100 of the largest bids at least.
	largeCap := perSecond * 100 * pingpost.Cents(max(time.Duration(faults)*perFault, beyondLease)/time.Second)
	var all [replicas]*replica
	for i := range all {
		all[i] = newReplica(t, address, largeCap)
	}
	callers := newCallers(t, "northside")
	callers.patience, callers.auction, callers.tries = 700*time.Millisecond, 700*time.Millisecond, 4
	callers.service = func(number int64) string {
		if number%10 == 0 {
			return "plumbing"
		}
		return "hvac"
	}
	callers.pause.Store(int64(betweenLeads))
	ctx, stop := context.WithCancel(t.Context())
	load := make(chan struct{})
	go func() {
		defer close(load)
		callers.call(ctx, 16, func() string { return all[rand.IntN(replicas)].url() })
	}()

	began := time.Now()
	tally := disturb(t, rand.New(rand.NewPCG(seed, seed)), faults, all)
	t.Logf("LEADBID_CRASH_SEED=%d: %d faults in %v: %v", seed, faults, time.Since(began).Round(time.Second), tally)
	t.Logf("under faults: %v", callers)

	// From now on nothing stands in the way: the money is used up but for what leases may keep. That takes
	// as long as it takes, while more and more of it is used.
	callers.pause.Store(0)
	used := pingpost.Cents(0)
	for grew := time.Now(); time.Since(grew) < patience; wait(t.Context(), time.Second) {
		leads := all[0].leads()
		large, small := spent(leads, "comfort"), spent(leads, "water")
		if large*100 >= largeCap*97 && smallCap-small <= replicas*largestBid {
			break
		}
		if large+small > used {
			used, grew = large+small, time.Now()
		}
	}
	stop()
	<-load
	callers.repeat(t.Context(), func() string { return all[rand.IntN(replicas)].url() }, 50)
	leads := all[0].leads()
	callers.check(leads)
	for _, r := range all {
		r.stop()
	}
	all[0].verify()
	large, small := spent(leads, "comfort"), spent(leads, "water")
	t.Logf("%v; %v of %v used, and %v of %v", callers, large, largeCap, small, smallCap)
	if large > largeCap || small > smallCap {
		t.Errorf("overspent: %v of %v, %v of %v", large, largeCap, small, smallCap)
	}
	if large*100 < largeCap*97 {
		t.Errorf("%v of %v is used: less than 97 %%", large, largeCap)
	}
	if smallCap-small > replicas*largestBid {
		t.Errorf("%v of %v is used: more than %d of the largest bids are left", small, smallCap, replicas)
	}
}

func spent(leads map[string]store.Lead, campaign string) (sum pingpost.Cents) {
	for _, lead := range leads {
		if lead.Campaign == campaign && !lead.Returned {
			sum += lead.Price
		}
	}
	return sum
}

// replica is a bidder and the network between it and the database.
type replica struct {
	*contractor
	proxy *faultproxy.Proxy
}

func newReplica(t *testing.T, address string, largeCap pingpost.Cents) *replica {
	t.Helper()
	address, proxy := pgtest.Through(t, address)
	r := &replica{newBidder(t, ""), proxy}
	r.store = address
	r.env["STORE"] = r.store
	if err := os.WriteFile(r.config, fmt.Appendf(nil, replicaConfig, largeCap/100), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.awaitReady()
	return r
}

// disturb makes one fault after another, at one replica or another, and leaves good weather.
func disturb(t *testing.T, random *rand.Rand, many int, all [replicas]*replica) map[string]int {
	tally := map[string]int{}
	stopped := make(chan struct{})
	go func() { // beside all others
		defer close(stopped)
		all[replicas-1].suspend(t.Context(), beyondLease)
	}()
	tally["paused beyond its leases"]++
	for range many - 1 {
		r := all[random.IntN(replicas-1)]
		length := between(random, 200*time.Millisecond, 2500*time.Millisecond)
		weather, name := faultproxy.Weather{}, ""
		switch random.IntN(8) {
		case 0:
			weather, name = faultproxy.Weather{UpCut: true, DownCut: true}, "cut"
		case 1:
			weather, name = faultproxy.Weather{UpCut: true}, "cut towards the database"
		case 2:
			weather, name = faultproxy.Weather{DownCut: true}, "cut from the database"
		case 3:
			weather, name = faultproxy.Weather{Closed: true}, "reset and refused"
		case 4:
			weather, name = faultproxy.Weather{Latency: 50 * time.Millisecond, Jitter: 100 * time.Millisecond}, "slow"
		case 5:
			weather, name = faultproxy.Weather{Rate: 20_000}, "narrow"
		case 6:
			name = "reset"
		case 7:
			name = "paused"
		}
		tally[name]++
		r.proxy.Set(weather)
		switch {
		case name == "paused":
			r.suspend(t.Context(), length)
		default:
			if weather.Closed || name == "reset" {
				r.proxy.Reset()
			}
			wait(t.Context(), length)
		}
		if weather.UpCut || weather.DownCut {
			if random.IntN(2) == 0 {
				r.proxy.Reset() // what was held never arrives
			}
		}
		r.proxy.Set(faultproxy.Weather{})
		if r.hasEnded() {
			r.endedByItself()
		}
	}
	<-stopped
	return tally
}

// suspend stops the process for a while, as a machine does that is moved or swaps.
func (r *replica) suspend(ctx context.Context, length time.Duration) {
	r.signal(syscall.SIGSTOP)
	wait(ctx, length)
	r.signal(syscall.SIGCONT)
}

func (r *replica) signal(signal syscall.Signal) {
	if err := r.command.Process.Signal(signal); err != nil {
		r.t.Errorf("%v: %v", signal, err)
	}
}
