package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2"

	"leadbid/pingpost"
)

// rivalBook is one rival's memory: what it spent in its day, which posts it decided and how. Its
// own mutex guards it.
type rivalBook struct {
	roster *Roster
	rival  int

	mutex  sync.Mutex
	day    int64 // the day of spent, counted in UTC days of the rival's clock
	spent  pingpost.Cents
	counts Account
	posts  *lru.Cache[string, *decided] // by bid id
}

// decided is a post's decision, kept so that a repeat gets the same answer.
type decided struct {
	body    [32]byte
	verdict pingpost.Verdict
	price   pingpost.Cents // what was charged and not given back
	day     int64          // the day that it was charged to
	tries   int
}

// postsKept bounds a rival's memory. A post is repeated within minutes, long before so many
// others came.
const postsKept = 1 << 16

func newRivalBook(roster *Roster, rival int) *rivalBook {
	posts, err := lru.New[string, *decided](postsKept)
	if err != nil {
		panic("simulate: " + err.Error()) // a size above 0 is never refused
	}
	return &rivalBook{roster: roster, rival: rival, posts: posts}
}

func (b *rivalBook) account(name string) Account {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	account := b.counts
	account.Name = name
	return account
}

// bid prices a ping against what is left of the day's budget. Open bids do not count against it:
// like most buyers, a rival notices at the post.
func (b *rivalBook) bid(now time.Time, ping *pingpost.Ping) (pingpost.Cents, pingpost.Reason) {
	b.mutex.Lock()
	b.turnDay(now)
	spent := b.spent
	b.mutex.Unlock()
	bid, reason := b.roster.Bid(b.rival, now, ping, spent)
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.counts.Pings++
	if reason == pingpost.ReasonNone {
		b.counts.Bids++
	}
	return bid, reason
}

// settle decides a post once per bid id, and tells how often it was tried.
func (b *rivalBook) settle(now time.Time, post *pingpost.Post) (verdict pingpost.Verdict, try int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.turnDay(now)
	known, ok := b.posts.Get(post.BidID)
	if !ok {
		known = &decided{body: post.BodyHash, day: b.day}
		b.decideLocked(post, known)
		b.posts.Add(strings.Clone(post.BidID), known)
	}
	known.tries++
	verdict = known.verdict
	if known.body != post.BodyHash && known.body != withdrawn {
		verdict = pingpost.Verdict{Kind: pingpost.VerdictConflict}
	}
	verdict.PingID = post.PingID
	return verdict, known.tries
}

// withdrawn stands for the body of a post that was withdrawn before it came: any body meets it.
var withdrawn [32]byte

func (b *rivalBook) decideLocked(post *pingpost.Post, known *decided) {
	bid, ours := readBidID(b.roster.settings.Seed, b.rival, post.PingID, post.BidID)
	reason, refused := b.roster.Rejects(b.rival, post.PingID)
	switch {
	case !ours:
		reason, refused = pingpost.BidUnknown, true
	case post.Price <= 0 || post.Price > bid:
		reason, refused = pingpost.PriceMismatch, true
	case !refused && b.spent+post.Price > b.roster.Rivals[b.rival].DailyBudget:
		reason, refused = pingpost.BudgetExhausted, true
	}
	if refused {
		b.counts.Rejected++
		known.verdict = pingpost.Verdict{Kind: pingpost.VerdictRejected, Reason: reason}
		return
	}
	b.counts.Accepted++
	b.counts.Charged += post.Price
	b.spent += post.Price
	known.price = post.Price
	known.verdict = pingpost.Verdict{
		Kind:   pingpost.VerdictAccepted,
		LeadID: fmt.Sprintf("%s-%d", b.roster.Rivals[b.rival].Name, b.counts.Accepted),
	}
}

// notify gives back what a returned or voided lead cost, once, and has a post that was voided
// before it came be refused.
func (b *rivalBook) notify(notice *pingpost.Notice) {
	if notice.Outcome != pingpost.OutcomeReturned && notice.Outcome != pingpost.OutcomeVoided {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	known, ok := b.posts.Get(notice.BidID)
	if !ok {
		if notice.Outcome == pingpost.OutcomeVoided {
			refusal := pingpost.Verdict{Kind: pingpost.VerdictRejected, Reason: pingpost.Voided}
			b.posts.Add(strings.Clone(notice.BidID), &decided{body: withdrawn, verdict: refusal})
		}
		return
	}
	b.counts.Charged -= known.price
	if known.day == b.day {
		b.spent -= known.price
	}
	known.price = 0
	if notice.Outcome == pingpost.OutcomeVoided {
		if known.verdict.Kind == pingpost.VerdictAccepted {
			b.counts.Voided++
		}
		known.verdict = pingpost.Verdict{Kind: pingpost.VerdictRejected, Reason: pingpost.Voided}
	}
}

// turnDay begins a new budget with each day of the rival's clock.
func (b *rivalBook) turnDay(now time.Time) {
	if day := now.Unix() / 86400; day > b.day {
		b.day, b.spent = day, 0
	}
}

// bidID names a bid so that its rival knows it again without remembering it: the price, and a hash
// over all that it was made for. It is a label for a simulation, and no signature.
func bidID(seed uint64, rival int, pingID string, price pingpost.Cents) string {
	return fmt.Sprintf("%d-%016x", price, keyed(seed, "bid id", pingID, int64(rival), int64(price)))
}

// readBidID gives the price of a bid that bidID named; ok is false for any other text.
func readBidID(seed uint64, rival int, pingID, id string) (price pingpost.Cents, ok bool) {
	amount, _, _ := strings.Cut(id, "-")
	cents, err := strconv.ParseInt(amount, 10, 64)
	if err != nil {
		return 0, false
	}
	return pingpost.Cents(cents), id == bidID(seed, rival, pingID, pingpost.Cents(cents))
}
