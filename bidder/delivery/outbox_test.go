package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 2, 15, 4, 5, 123e6, time.UTC)

// row is one delivery in the outbox's twin, with every end of an attempt that was noted.
type row struct {
	store.Delivery
	next  time.Time
	done  bool
	dead  bool
	ended []store.Attempt

	claimant uint32
	claimed  time.Time // until then
}

// outbox is the store's outbox in memory, and the clock of the test.
type outbox struct {
	mu    sync.Mutex
	now   time.Time
	rows  []*row
	fails int // so many calls of Attempted fail first
	deaf  int // so many calls of Due get no answer first
}

func newOutbox() *outbox { return &outbox{now: start} }

func (o *outbox) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *outbox) advance(by time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(by)
}

// add puts a lead into the outbox that is due at once, and gives its delivery's id.
func (o *outbox) add(campaign, target string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	number := len(o.rows) + 1
	o.rows = append(o.rows, &row{
		next: o.now,
		Delivery: store.Delivery{
			ID: fmt.Sprintf("dlv_%d", number), LeadID: fmt.Sprintf("lead-%d", number),
			Campaign: campaign, Target: target, FirstAt: o.now,
			Lead: store.Lead{
				ID: fmt.Sprintf("lead-%d", number), Exchange: "northside", Campaign: campaign,
				PingID: fmt.Sprintf("p-%d", number), Price: 41_00, At: o.now, Post: post(),
			},
		},
	})
	return o.rows[number-1].ID
}

func post() pingpost.Post {
	return pingpost.Post{
		Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614, Exclusive: true,
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate("Quentin"), LastName: pingpost.NewPrivate("O'Canary"),
			Phone: pingpost.NewPrivate("+13125550142"), Email: pingpost.NewPrivate("canary@example.com"),
			Address: pingpost.NewPrivate("1 Secret <Way>"), City: "Chicago", State: "IL", ZIP: 60614,
			Notes: pingpost.NewPrivate("the canary sings"),
		},
		Consent: pingpost.Consent{Agreed: pingpost.Yes, TrustedFormURL: "https://cert.trustedform.com/abc"},
		Attrs: []pingpost.Attr{
			{Name: "system", Value: "furnace"}, {Name: "age", Value: "12", Kind: pingpost.AttrNumber},
		},
	}
}

var private = []string{"Quentin", "Canary", "3125550142", "canary@example.com", "Secret", "sings"}

func (o *outbox) Due(ctx context.Context, now time.Time, most int) ([]store.Delivery, error) {
	if o.isDeaf() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	owed := slices.DeleteFunc(slices.Clone(o.rows), func(r *row) bool {
		return r.done || r.dead || r.next.After(now) || r.claimed.After(now)
	})
	slices.SortStableFunc(owed, func(a, b *row) int {
		return cmp.Or(a.next.Compare(b.next), a.FirstAt.Compare(b.FirstAt))
	})
	var due []store.Delivery
	for _, r := range owed[:min(most, len(owed))] {
		due = append(due, r.Delivery)
	}
	return due, nil
}

func (o *outbox) isDeaf() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deaf--
	return o.deaf >= 0
}

func (o *outbox) Claim(_ context.Context, claim store.Claim) (given bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.rows {
		if r.ID == claim.ID && !r.done && !r.dead && r.Attempts < claim.Number &&
			(r.claimant == claim.Run || !r.claimed.After(o.now)) {
			r.claimant, r.claimed, given = claim.Run, o.now.Add(claim.Lasts), true
		}
	}
	return given, nil
}

func (o *outbox) Attempted(_ context.Context, result store.Attempt) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails > 0 {
		o.fails--
		return errors.New("the disk is full")
	}
	for _, r := range o.rows {
		if r.ID == result.ID {
			if r.done || r.dead {
				return fmt.Errorf("%s had ended before", r.ID)
			}
			r.ended = append(r.ended, result)
			r.Attempts, r.Error = r.Attempts+1, result.Error
			r.done, r.dead, r.next, r.claimed = result.Done, result.Dead, result.Next, time.Time{}
		}
	}
	return nil
}

func (o *outbox) row(id string) row {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.rows {
		if r.ID == id {
			copied := *r
			copied.ended = slices.Clone(r.ended)
			return copied
		}
	}
	return row{}
}

// nextDue moves the clock to the earliest time at which something is due; false where nothing is
// owed any more.
func (o *outbox) nextDue() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	var times []time.Time
	for _, r := range o.rows {
		if !r.done && !r.dead {
			times = append(times, r.next)
		}
	}
	if len(times) == 0 {
		return false
	}
	if next := slices.MinFunc(times, time.Time.Compare); next.After(o.now) {
		o.now = next
	}
	return true
}

// message is one request that a receiver got.
type message struct {
	header http.Header
	body   []byte
}

// receiver is a webhook's other end. answer says what the next requests get; 0 is 204.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer int
	got    []message
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Errorf("receiver: %v", err)
		}
		r.mu.Lock()
		r.got = append(r.got, message{request.Header, body})
		status := cmp.Or(r.answer, http.StatusNoContent)
		r.mu.Unlock()
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// told collects what OnDown was told.
type told struct {
	mu   sync.Mutex
	said []string
}

func (t *told) down(campaign string, down bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, fmt.Sprintf("%s %v", campaign, down))
}

func (t *told) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.said)
}

func only(targets ...rules.Target) func(string) []rules.Target {
	return func(string) []rules.Target { return targets }
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func hook(url string) rules.Target { return rules.Target{Name: "crm", Webhook: url, Secret: secret} }

func newTest(o *outbox, targets func(string) []rules.Target, change func(*Options)) *Deliverer {
	options := Options{Outbox: o, Targets: targets, Log: zerolog.Nop(), Clock: o.clock, Wall: o.clock, AllowPrivate: true}
	if change != nil {
		change(&options)
	}
	return New(options)
}

// patience ends a test that fails: what is waited for takes as long as the disk needs for its syncs.
const patience = 5 * time.Minute

func drain(t *testing.T, d *Deliverer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Drain(ctx); err != nil {
		t.Fatalf("Drain: %v", err)
	}
}

// running runs a Deliverer until the test, or the returned function, ends it.
func running(t *testing.T, d *Deliverer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}
