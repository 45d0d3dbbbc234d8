package delivery

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/rules"
)

// failUntilDown lets a delivery fail until its target counts as down.
func failUntilDown(t *testing.T, o *outbox, d *Deliverer, told *told) {
	t.Helper()
	for range 60 {
		drain(t, d)
		if len(told.all()) > 0 {
			return
		}
		o.nextDue()
	}
	t.Fatalf("the target does not go down")
}

func TestAnEndpointThatStaysDownIsTold(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	id := o.add("hvac", "crm")
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	failUntilDown(t, o, d, told)
	if got := o.row(id); got.Attempts != 6 || o.clock().Sub(start) < time.Minute {
		t.Errorf("down after %d attempts and %v; want the sixth, the first beyond a minute", got.Attempts, o.clock().Sub(start))
	}
	crm.answers(0)
	o.nextDue()
	drain(t, d)
	if got, want := told.all(), []string{"hvac true", "hvac false"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

func TestManyFailuresWithinAMinuteAreNotDown(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	for range 30 {
		o.add("hvac", "crm")
	}
	drain(t, d)
	if got := told.all(); len(got) != 0 {
		t.Errorf("told %v after one bad moment", got)
	}
}

// One that fails for half a minute, then answers, and so on, goes on being bought for.
func TestAFlappingEndpointIsNotDown(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	for round := range 40 {
		crm.answers([]int{500, 500, 500, 200}[round%4])
		o.add("hvac", "crm")
		drain(t, d)
		o.advance(15 * time.Second)
	}
	if got := told.all(); len(got) != 0 {
		t.Errorf("told %v", got)
	}
}

// While it is down it is asked every minute, though the schedule would wait for ten; what fails
// then is not written down. Once it is back, everything owed comes at once.
func TestProbesFindThatItIsBack(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	var ids []string
	for range 3 {
		ids = append(ids, o.add("hvac", "crm"))
	}
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	failUntilDown(t, o, d, told)
	o.advance(20 * time.Second)
	drain(t, d) // the sixth attempts of the others; from here on the schedule waits for ten minutes
	attempts := func() (total int) {
		for _, id := range ids {
			total += o.row(id).Attempts
		}
		return total
	}
	written, asked := attempts(), len(crm.messages())
	running(t, d)
	for probe := range 3 {
		o.advance(probeEvery)
		d.Notify()
		waitFor(t, "a probe", func() bool { return len(crm.messages()) == asked+probe+1 })
	}
	for _, id := range ids { // what a probe claimed is free for whoever is to deliver it
		waitFor(t, id, func() bool { return !o.row(id).claimed.After(o.clock()) })
	}
	if got := attempts(); got != written {
		t.Errorf("the probes were written down as %d attempts", got-written)
	}
	crm.answers(0)
	o.advance(probeEvery)
	d.Notify()
	for _, id := range ids {
		waitFor(t, id, func() bool { return o.row(id).done })
	}
	if got, want := told.all(), []string{"hvac true", "hvac false"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

func TestARestartKnowsWhatIsDown(t *testing.T) {
	o, crm, before, after := newOutbox(), newReceiver(t), &told{}, &told{}
	crm.answers(http.StatusBadGateway)
	o.add("hvac", "crm")
	failUntilDown(t, o, newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = before.down }), before)

	// Nothing is due by the schedule for minutes; the new process tells at once, and asks at once.
	asked := len(crm.messages())
	running(t, newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = after.down }))
	waitFor(t, "the news", func() bool { return len(after.all()) == 1 })
	waitFor(t, "a probe", func() bool { return len(crm.messages()) == asked+1 })
	if got := after.all(); !slices.Equal(got, []string{"hvac true"}) {
		t.Errorf("told %v", got)
	}
}

func TestGoneDisablesTheEndpoint(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusGone)
	first := o.add("hvac", "crm")
	target := hook(crm.URL)
	d := newTest(o, func(string) []rules.Target { return []rules.Target{target} },
		func(options *Options) { options.OnDown = told.down })
	drain(t, d)
	crm.answers(0)
	second := o.add("hvac", "crm")
	for range 3 {
		o.advance(10 * time.Minute)
		drain(t, d)
	}
	if got := len(crm.messages()); got != 1 {
		t.Errorf("a disabled webhook was asked %d times", got)
	}
	if got := o.row(second); got.done || got.dead || got.Attempts == 0 {
		t.Errorf("a delivery to a disabled webhook is %+v, want it to run through the schedule", got.ended)
	}
	target.Webhook += "/new"
	o.advance(time.Hour)
	drain(t, d)
	if !o.row(first).done || !o.row(second).done {
		t.Error("with a new address the deliveries were not made")
	}
	if got, want := told.all(), []string{"hvac true", "hvac false"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

// A target that a reload took away keeps no campaign from buying.
func TestATargetThatIsGoneFromTheConfigurationIsNotDown(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	id := o.add("hvac", "crm")
	targets := []rules.Target{hook(crm.URL)}
	d := newTest(o, func(string) []rules.Target { return targets }, func(options *Options) { options.OnDown = told.down })
	failUntilDown(t, o, d, told)
	targets = nil
	for o.nextDue() {
		drain(t, d)
	}
	if got, want := told.all(), []string{"hvac true", "hvac false"}; !slices.Equal(got, want) || !o.row(id).dead {
		t.Errorf("told %v, want %v; dead %v", got, want, o.row(id).dead)
	}
}

// Only a lead that is bought can tell whether it is back; one that fails is enough to stop again.
func TestATargetWithOnlyDeadLettersGetsAnotherChance(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	id := o.add("hvac", "crm")
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	expect := func(when string, want ...string) {
		t.Helper()
		if got := told.all(); !slices.Equal(got, want) {
			t.Errorf("%s: told %v, want %v", when, got, want)
		}
	}
	for o.nextDue() {
		drain(t, d)
	}
	drain(t, d)
	if expect("after the dead letter", "hvac true", "hvac false"); !o.row(id).dead {
		t.Error("it is no dead letter")
	}
	next := o.add("hvac", "crm")
	drain(t, d)
	expect("after one more failure", "hvac true", "hvac false", "hvac true")
	crm.answers(0)
	o.nextDue()
	drain(t, d)
	if expect("at last", "hvac true", "hvac false", "hvac true", "hvac false"); !o.row(next).done {
		t.Error("the next lead was not delivered")
	}
}

// picky is a receiver that will not have some leads, and takes all others.
func picky(t *testing.T, status int, refused ...string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(refused, r.Header.Get("Webhook-Id")) {
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// A lead that its receiver refuses says nothing against the receiver: neither alone, nor beside others,
// nor after a restart.
func TestALeadThatIsRefusedStopsNothing(t *testing.T) {
	f := func(status, others int) {
		t.Helper()
		o, told := newOutbox(), &told{}
		crm := picky(t, status, "dlv_1")
		id := o.add("hvac", "crm")
		restart := func() *Deliverer {
			return newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
		}
		d := restart()
		for round := 0; o.nextDue(); round++ {
			for range others {
				o.add("hvac", "crm")
			}
			drain(t, d)
			d = restart()
		}
		if got := o.row(id); !got.dead || len(got.ended) != 12 || len(told.all()) > 0 {
			t.Errorf("%d beside %d others: told %v; dead %v after %d attempts, want a dead letter after 12",
				status, others, told.all(), got.dead, len(got.ended))
		}
	}
	f(http.StatusBadRequest, 0)
	f(http.StatusConflict, 2)
	f(http.StatusRequestEntityTooLarge, 0)
	f(http.StatusUnsupportedMediaType, 1)
	f(http.StatusUnprocessableEntity, 2)
}

// Several that it refuses now and then are no reason either, even where nobody else asks between their attempts.
func TestLeadsRefusedNowAndThenStopNothing(t *testing.T) {
	o, told := newOutbox(), &told{}
	crm := picky(t, http.StatusUnprocessableEntity, "dlv_1", "dlv_3", "dlv_5", "dlv_7", "dlv_9", "dlv_11", "dlv_13")
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	for range 14 {
		o.add("hvac", "crm")
		drain(t, d)
		o.advance(10 * time.Second)
	}
	for o.nextDue() {
		drain(t, d)
	}
	if got := told.all(); len(got) > 0 {
		t.Errorf("told %v", got)
	}
}

// Where it refuses every lead, nothing more is bought before it takes one.
func TestATargetThatRefusesAllLeadsIsDown(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusUnprocessableEntity)
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	var bought []string
	for range downAfter {
		if got := told.all(); len(got) > 0 {
			t.Fatalf("told %v after %d leads", got, len(bought))
		}
		bought = append(bought, o.add("hvac", "crm"))
		drain(t, d)
		o.advance(downSpan / (downAfter - 1))
	}
	if got := told.all(); !slices.Equal(got, []string{"hvac true"}) {
		t.Fatalf("told %v after %d leads", got, len(bought))
	}
	crm.answers(0)
	o.nextDue()
	drain(t, d)
	drain(t, d)
	for _, id := range bought {
		if !o.row(id).done {
			t.Errorf("%s was not delivered", id)
		}
	}
	if got, want := told.all(), []string{"hvac true", "hvac false"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

// Attempts ahead of the schedule leave nothing in the outbox, and still count once.
func TestADeliveryCountsOnceAmongTheRefused(t *testing.T) {
	h, one := health{}, store.Delivery{ID: "dlv_1"}
	for i := range 3 * downAfter {
		at := start.Add(time.Duration(i) * time.Minute)
		h.judge(at, at, one, outcome{err: errors.New("the receiver answered 422"), refused: true})
	}
	if h.down {
		t.Errorf("down after %v", h.refused)
	}
}

// A receiver that refuses a lead is there again, whatever failed before.
func TestARefusalEndsWhatFailed(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	o.add("hvac", "crm")
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	failUntilDown(t, o, d, told)
	crm.answers(http.StatusUnprocessableEntity)
	o.nextDue()
	drain(t, d)
	if got, want := told.all(), []string{"hvac true", "hvac false"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

// A lead that fails everywhere does not stand for its target while others can be tried.
func TestProbesTakeTurns(t *testing.T) {
	h, owed, got := health{}, []store.Delivery{{ID: "a"}, {ID: "b"}, {ID: "c"}}, ""
	for range 4 {
		got += h.nextProbe(owed).ID
	}
	got += h.nextProbe(owed[1:]).ID + h.nextProbe(owed[1:]).ID + h.nextProbe(owed[1:]).ID + h.nextProbe(owed[2:]).ID
	if got != "abca"+"bcb"+"c" {
		t.Errorf("it is probed with %s", got)
	}
}

// One campaign's endpoint says nothing about another's, even at the same address.
func TestCampaignsAreToldApart(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	o.add("hvac", "crm")
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	failUntilDown(t, o, d, told)
	o.add("plumbing", "crm")
	drain(t, d)
	if got := told.all(); !slices.Equal(got, []string{"hvac true"}) {
		t.Errorf("told %v", got)
	}
}
