package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"leadbid/internal/sqlstore"
)

// longestClaim is the most that anybody has a claim for. One that ends later was made by a clock that was
// set back since, and is over; dueDeliveries has it in milliseconds.
const longestClaim = time.Minute

func (s *books) Claim(ctx context.Context, claim Claim) (given bool, err error) {
	if s.claims != nil {
		return s.claimHere(ctx, claim)
	}
	lead, n := deliveryOf(claim.ID)
	err = s.write(ctx, "claiming a delivery", func(tx *sqlstore.Tx) error {
		now := s.now(tx)
		hit, err := tx.Exec(`UPDATE outbox SET claimed_by = ?1, claimed_until_ms = ?2
			WHERE lead = ?3 AND n = ?4 AND state = 'owed' AND attempts < ?5
			AND (claimed_by = ?1 OR claimed_until_ms <= ?6 OR claimed_until_ms > ?7)`,
			claim.Run, now.Add(claim.Lasts).UnixMilli(), lead, n, claim.Number, now.UnixMilli(), now.Add(longestClaim).UnixMilli())
		given = hit == 1
		return err
	})
	return given && err == nil, err
}

// claimHere is Claim where one process has the books. It costs no write: who would take the delivery
// over after an end of this process is a later one, to which no claim of this one means anything.
func (s *books) claimHere(ctx context.Context, claim Claim) (given bool, err error) {
	lead, n := deliveryOf(claim.ID)
	var one int64
	owed, err := s.db.Reader(ctx).Row(`SELECT 1 FROM outbox WHERE lead = ? AND n = ? AND state = 'owed' AND attempts < ?`,
		[]any{lead, n, claim.Number}, &one)
	if err != nil {
		return false, fmt.Errorf("%w: claiming a delivery: %w", ErrAway, err)
	}
	return owed && s.claims.take(claim, s.clock()), nil
}

// claims are the deliveries that are being attempted, in memory. They are safe for concurrent use. nil
// are those of books that replicas share: none is known here.
type claims struct {
	mu   sync.Mutex
	byID map[string]claimed
}

type claimed struct {
	run   uint32
	until time.Time
}

func (c claimed) stands(now time.Time) bool {
	return c.until.After(now) && !c.until.After(now.Add(longestClaim))
}

func newClaims() *claims { return &claims{byID: map[string]claimed{}} }

func (c *claims) take(claim Claim, now time.Time) (given bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if had, some := c.byID[claim.ID]; some && had.run != claim.Run && had.stands(now) {
		return false
	}
	if claim.Lasts <= 0 {
		delete(c.byID, claim.ID)
	} else {
		c.byID[claim.ID] = claimed{claim.Run, now.Add(claim.Lasts)}
	}
	return true
}

func (c *claims) has(id string, now time.Time) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	had, some := c.byID[id]
	return some && had.stands(now)
}

func (c *claims) end(id string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byID, id)
}

func (c *claims) count() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byID)
}
