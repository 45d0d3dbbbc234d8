package server

import (
	"context"
	"net/http"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
)

// keyLook is how often the server reads the signing keys of the store: well within the minute that a
// new one waits before it signs.
const keyLook = 5 * time.Second

// keyLoop keeps the keyring that is in use up to the store's, and has a key made where the newest is
// too old. While the store is away the keys in hand go on.
func (s *Server) keyLoop(ctx context.Context) {
	for pause(ctx, keyLook) {
		if err := s.turnKeys(ctx); err != nil {
			s.log.Debug().Err(err).Msg("the signing keys stay as they were")
		}
	}
}

func (s *Server) turnKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	age := s.inForce.Load().rules.Settings().Server.RotateKeys
	if s.clock.now().Sub(s.keys.Load().Newest().MadeAt) < age {
		return s.readKeys(ctx)
	}
	_, err := s.rotateKeys(ctx, store.Rotation{OlderThan: age})
	return err
}

// rotateKeys has the next key made, unless another replica was faster, and reads them all.
func (s *Server) rotateKeys(ctx context.Context, how store.Rotation) (made bool, err error) {
	if made, err = s.store.Rotate(ctx, how); err != nil {
		return false, err
	}
	if err := s.readKeys(ctx); err != nil {
		return made, err
	}
	if made {
		newest := s.keys.Load().Newest()
		s.log.Info().Uint32("key", newest.ID).Time("signs_from", newest.SignsFrom).Bool("revoked_former", how.Revoke).
			Msg("a new key signs bid ids")
	}
	return made, nil
}

// readKeys replaces the keyring in use. One reading at a time, so that an older one never follows.
func (s *Server) readKeys(ctx context.Context) error {
	s.readingKeys.Lock()
	defer s.readingKeys.Unlock()
	ring, err := s.store.Keys(ctx)
	if err == nil {
		s.keys.Store(ring)
	}
	return err
}

// open reads a bid id. One of a key that is not known here yet, as it may come to a replica that was
// cut off from the store, is no forgery before the store was asked: an error says that it could not be.
func (s *Server) open(ctx context.Context, id, exchange, pingID string) (budget.BidRef, budget.Seal, error) {
	ref, seal := s.keys.Load().OpenBidID(id, exchange, pingID)
	if seal != budget.SealNewer {
		return ref, seal, nil
	}
	if err := s.readKeys(ctx); err != nil {
		return ref, seal, err
	}
	ref, seal = s.keys.Load().OpenBidID(id, exchange, pingID)
	return ref, seal, nil
}

// KeyRotated answers POST /-/keys/rotate.
type KeyRotated struct {
	Key       uint32    `json:"key"`
	SignsFrom time.Time `json:"signs_from"`
	Revoked   bool      `json:"revoked_former"`
	Error     string    `json:"error,omitempty"`
}

// serveRotate makes a key because a person says so.
func (s *Server) serveRotate(w http.ResponseWriter, r *http.Request) {
	// Whoever asked may go away; what has begun is ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), leaseTimeout)
	defer cancel()
	how := store.Rotation{Revoke: r.URL.Query().Get("revoke") == "true"}
	status, done := http.StatusOK, KeyRotated{Revoked: how.Revoke}
	if _, err := s.rotateKeys(ctx, how); err != nil {
		status, done.Error = http.StatusServiceUnavailable, err.Error()
	} else {
		newest := s.keys.Load().Newest()
		done.Key, done.SignsFrom = newest.ID, newest.SignsFrom
	}
	answerAdmin(w, status, done)
}
