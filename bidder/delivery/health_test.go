package delivery

import (
	"net/http"
	"slices"
	"testing"
	"time"

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

// Nothing more is bought for a target that took nothing for as long as the schedule lasts.
func TestATargetWithOnlyDeadLettersStaysDown(t *testing.T) {
	o, crm, told := newOutbox(), newReceiver(t), &told{}
	crm.answers(http.StatusBadGateway)
	id := o.add("hvac", "crm")
	d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.OnDown = told.down })
	for o.nextDue() {
		drain(t, d)
	}
	o.advance(time.Hour)
	drain(t, d)
	if got := told.all(); !slices.Equal(got, []string{"hvac true"}) || !o.row(id).dead {
		t.Errorf("told %v; dead %v", got, o.row(id).dead)
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
