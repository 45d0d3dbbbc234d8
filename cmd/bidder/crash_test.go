package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/exchange"
	"leadbid/pingpost"
)

// TestKilledBidderKeepsItsWord runs a real bidder in the middle of a market and kills it with
// SIGKILL again and again, at moments drawn from a seed: anywhere, at a start, while a post is on
// its way, as it is accepted. At the end the market stops, both sides settle, and every book is
// held against every other: what the bidder was heard to accept, what the exchange sold and
// charged, what the bidder booked and charged, what reached the file and the webhook.
//
// It takes 40 s of traffic, 4 s with -short. A longer campaign, and one seed again:
//
//	LEADBID_CRASH_FOR=10m LEADBID_CRASH_SEED=7 go test -run KilledBidder -v -timeout 1h ./cmd/bidder
//
// The bidder is a process of its own: this test binary, which TestMain turns into the program. The
// exchange, its rivals and the contractor's systems are real servers in the test's process, all
// on the loopback; cmd/exchange cannot be imported, so that the exchange's books are verified by
// what its command calls. The seed repeats homeowners, rivals and the moments of the kills; how
// the operating system shares out time is nobody's to repeat.
func TestKilledBidderKeepsItsWord(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT TESTED ON WINDOWS: there is no signal that asks a process to end")
	}
	t.Parallel()
	length, seed := crashLength(t), crashSeed(t)
	t.Logf("%v of traffic, LEADBID_CRASH_SEED=%d", length, seed)

	crm := startCRM(t)
	bidder := newBidder(t, crm.url())
	tap := startTap(t, bidder.listen)
	market := startMarket(t, seed, tap.url())
	bidder.start()
	bidder.awaitReady()

	// The last life, too, sees traffic: what it records is long enough to be replayed.
	endTraffic := market.drive()
	toll := killRepeatedly(rand.New(rand.NewPCG(seed, seed)), length, bidder, tap)
	bidder.awaitReady()
	bidder.live(lastLife)
	driven := endTraffic()
	market.drain()
	bidder.awaitDelivered()
	bidder.stop()
	market.stop()
	tap.stop()

	leads := bidder.leads()
	checkSales(t, market, leads)
	recalled := checkPromises(t, tap, leads)
	checkDeliveries(t, bidder, crm, leads)
	checkCounts(t, market, bidder.counts(), leads)
	market.verify()
	bidder.verify()
	replayed := bidder.backtest()

	t.Logf("%v; ready %v after a start", &toll, bidder.meanStart())
	t.Logf("homeowners: %d, %d dropped, %d failed", driven.Offered, driven.Dropped, driven.Failed)
	t.Logf("tap: %v; %d accepted from the books of a former life", tap, recalled)
	t.Logf("exchange: %v", market.dealings)
	t.Logf("bidder: %d leads, %d of them given back; webhook: %v", len(leads), returned(leads), crm)
	t.Logf("recording: %d segments, %d torn, %d inputs compared", replayed.Segments, replayed.Torn, replayed.Compared)
	if len(leads) == 0 || !toll.suffices(length, tap) {
		t.Errorf("too little happened for the test to mean anything")
	}
}

const (
	fullLength  = 40 * time.Second
	shortLength = 4 * time.Second

	// lastLife is how long traffic goes on after the last kill or fault.
	lastLife = 1500 * time.Millisecond
)

func crashLength(t *testing.T) time.Duration {
	text := os.Getenv("LEADBID_CRASH_FOR")
	switch {
	case text == "" && testing.Short():
		return shortLength
	case text == "":
		return fullLength
	}
	length, err := time.ParseDuration(text)
	if err != nil || length <= 0 {
		t.Fatalf("LEADBID_CRASH_FOR=%q: say a length of time, such as 10m", text)
	}
	return length
}

func crashSeed(t *testing.T) uint64 {
	text := os.Getenv("LEADBID_CRASH_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("LEADBID_CRASH_SEED=%q: say a whole number", text)
	}
	return seed
}

// moment is when a life ends, by what it is in the middle of.
type moment uint8

const (
	anywhere    moment = iota // a part of a second after its first answers
	starting                  // before, or just after
	settled                   // after a second or two: the recording has been flushed by then
	posting                   // while a post is on its way
	answering                 // as it has accepted one
	unheard                   // so too, and the exchange does not hear it
	unheardAway               // so too, and it is not back before the exchange withdraws the post
	moments
)

var momentNames = [moments]string{
	"anywhere", "starting", "settled", "posting", "answering", "unheard", "unheard and away",
}

// oftenness is out of how many kills one is of a kind.
var oftenness = [moments]int{anywhere: 4, starting: 2, settled: 2, posting: 4, answering: 4, unheard: 3, unheardAway: 2}

func drawMoment(random *rand.Rand) moment {
	all := 0
	for _, often := range oftenness {
		all += often
	}
	at := random.IntN(all)
	for m, often := range oftenness {
		if at -= often; at < 0 {
			return moment(m)
		}
	}
	panic("unreachable: the parts add up to the whole")
}

// toll counts kills by moment.
type toll [moments]int

func (k *toll) total() (total int) {
	for _, count := range k {
		total += count
	}
	return total
}

func (k *toll) String() string {
	text := fmt.Sprintf("%d kills", k.total())
	for m, count := range k {
		text += fmt.Sprintf(", %d %s", count, momentNames[m])
	}
	return text
}

// suffices tells whether posts were accepted between the kills, and in a run of full length, whether
// there were ten kills and posts that one of them cut short.
func (k *toll) suffices(length time.Duration, tap *tap) bool {
	if len(tap.promises()) == 0 {
		return false
	}
	return k.total() > 0 && (length < fullLength || k.total() >= 10 && tap.cutShort() > 0)
}

// killRepeatedly kills the bidder and starts it again until the time is over and the toll suffices, and
// leaves it starting.
func killRepeatedly(random *rand.Rand, length time.Duration, bidder *contractor, tap *tap) (done toll) {
	for began := time.Now(); time.Since(began) < length || time.Since(began) < length+2*patience && !done.suffices(length, tap); {
		m := drawMoment(random)
		awaitMoment(random, m, bidder, tap)
		bidder.kill()
		if done[m]++; done.total()%verifyEvery == 0 {
			bidder.verify() // the books of a dead bidder can be read, and hold
		}
		if m == unheardAway {
			pause(between(random, 800*time.Millisecond, 1600*time.Millisecond))
		}
		bidder.start()
	}
	return done
}

const (
	verifyEvery = 10
	aimFor      = time.Second // without a post by then, the kill goes anywhere
)

// awaitMoment lets a life go on to its end. All waits are drawn, whatever comes of them, so that a
// seed always gives the same.
func awaitMoment(random *rand.Rand, m moment, bidder *contractor, tap *tap) {
	start := between(random, 0, 150*time.Millisecond)
	short := between(random, 150*time.Millisecond, 900*time.Millisecond)
	long := between(random, time.Second, 2500*time.Millisecond)
	into := between(random, 0, 3*time.Millisecond)
	if m == starting {
		bidder.live(start)
		return
	}
	bidder.awaitReady()
	if m == settled {
		bidder.live(long)
		return
	}
	bidder.live(short)
	switch m {
	case posting:
		if tap.awaitPost(aimFor) {
			bidder.live(into)
		}
	case answering, unheard, unheardAway:
		tap.awaitAnswer(aimFor, m != answering)
	}
}

func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// checkSales holds the leads that the exchange sold to the bidder against those that the bidder
// booked and did not give back: the same leads under the same ids at the same prices.
func checkSales(t *testing.T, market *market, leads map[string]store.Lead) {
	t.Helper()
	sales := market.sales()
	faults := newFaults(t)
	var paid, charged pingpost.Cents
	for ping, sale := range sales {
		paid += sale.price
		lead, booked := leads[ping]
		switch {
		case !booked:
			faults.add("%s was sold for %v, and the bidder has no such lead", ping, sale.price)
		case lead.Returned:
			faults.add("%s was sold, and the bidder gave it back", ping)
		case lead.Price != sale.price || lead.ID != sale.lead || lead.BidID != sale.bid:
			faults.add("%s was sold as %v, and booked as lead %s at %v for bid %s", ping, sale, lead.ID, lead.Price, lead.BidID)
		}
	}
	for ping, lead := range leads {
		if lead.Returned {
			if !market.dealings.of(exchange.OfferID(ping)).voided {
				faults.add("%s was given back, and the exchange did not withdraw it", ping)
			}
			continue
		}
		charged += lead.Price
		if _, sold := sales[ping]; !sold {
			faults.add("%s was booked for %v, and the exchange did not sell it", ping, lead.Price)
		}
	}
	faults.report("sales")
	if paid != charged {
		t.Errorf("the exchange sold for %v, the bidder was charged %v", paid, charged)
	}
	if balance, held := market.wallet(); balance != -paid || held != 0 {
		t.Errorf("the wallet has %v and %v held, and sales took %v out of nothing", balance, held, paid)
	}
}

// checkPromises holds what the bidder was heard to accept against its books, whether or not the
// exchange heard it as well. It counts those whose first answer was lost: booked before the attempt
// that was answered.
func checkPromises(t *testing.T, tap *tap, leads map[string]store.Lead) (recalled int) {
	t.Helper()
	faults := newFaults(t)
	for ping, promise := range tap.promises() {
		lead, booked := leads[ping]
		switch {
		case !booked:
			faults.add("%s was accepted as lead %s, and is not in the books", ping, promise.lead)
		case lead.ID != promise.lead || lead.BidID != promise.bid || lead.Price != promise.price:
			faults.add("%s was accepted as %v, and booked as lead %s at %v", ping, promise, lead.ID, lead.Price)
		case lead.At.Before(promise.asked.Add(-time.Millisecond)):
			recalled++
		}
	}
	faults.report("promises")
	return recalled
}

// checkDeliveries: each lead is in the file once and reached the webhook, and nothing else did. One that was
// withdrawn goes where it had not gone yet no more.
func checkDeliveries(t *testing.T, bidder *contractor, crm *crm, leads map[string]store.Lead) {
	t.Helper()
	faults := newFaults(t)
	filed, hooked := bidder.filed(), crm.received()
	bought := map[string]bool{}
	for _, lead := range leads {
		bought[lead.ID] = true
		inFile, atHook := filed[lead.ID], hooked[lead.ID]
		switch withdrawn := lead.Returned && lead.Owed < 2; {
		case inFile > 1 || atHook > 1 || !withdrawn && inFile+atHook < 2:
			faults.add("lead %s is in the file %d times, and reached the webhook under %d ids", lead.ID, inFile, atHook)
		case lead.Delivered != lead.Owed || lead.Delivered > inFile+atHook || !withdrawn && lead.Owed != 2:
			faults.add("lead %s is delivered to %d of %d targets in the books", lead.ID, lead.Delivered, lead.Owed)
		}
	}
	for _, received := range []map[string]int{filed, hooked} {
		for id := range received {
			if !bought[id] {
				faults.add("lead %s was delivered, and is not in the books", id)
			}
		}
	}
	faults.report("deliveries")
}

// checkCounts holds the sums that the bidder shows against its rows.
func checkCounts(t *testing.T, market *market, counts store.Counts, leads map[string]store.Lead) {
	t.Helper()
	want := store.Counts{Leads: int64(len(leads)), Refused: counts.Refused, OpenLeases: counts.OpenLeases}
	for _, lead := range leads {
		want.Charged += lead.Price
		want.Delivered += int64(lead.Delivered)
		if lead.Returned {
			want.Returned++
			want.Credited += lead.Price
		}
	}
	if counts != want {
		t.Errorf("the bidder counts %+v, its leads come to %+v", counts, want)
	}
	if report := market.spendOf(buyerName); report != counts.Charged-counts.Credited {
		t.Errorf("the exchange reports a spend of %v, the bidder one of %v", report, counts.Charged-counts.Credited)
	}
}

func returned(leads map[string]store.Lead) (count int) {
	for _, lead := range leads {
		if lead.Returned {
			count++
		}
	}
	return count
}

// faults collects what is wrong, and tells the first few: one cause has many effects.
type faults struct {
	t     *testing.T
	texts []string
}

func newFaults(t *testing.T) *faults { return &faults{t: t} }

func (f *faults) add(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func (f *faults) report(what string) {
	f.t.Helper()
	const shown = 5
	for _, text := range f.texts[:min(shown, len(f.texts))] {
		f.t.Errorf("%s: %s", what, text)
	}
	if more := len(f.texts) - shown; more > 0 {
		f.t.Errorf("%s: and %d more", what, more)
	}
}

// pause lets time pass in which there is no bidder.
func pause(length time.Duration) { waitFor(length, func() bool { return false }) }

// waitFor waits for a condition of another process's or goroutine's making, and reports false where
// it does not come in time.
func waitFor(bound time.Duration, done func() bool) bool {
	tick, end := time.NewTicker(20*time.Millisecond), time.NewTimer(bound)
	defer tick.Stop()
	defer end.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end.C:
			return false
		}
	}
	return true
}
