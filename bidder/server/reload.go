package server

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"leadbid/bidder"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// Loader reads the configuration again, as it is now. The Ruleset is nil where a fault keeps it
// from being used.
type Loader func() (*rules.Ruleset, *yamlfile.Faults)

// Reloaded tells how a reload went, and what is in force after it.
type Reloaded struct {
	At         time.Time        `json:"at"`
	Result     string           `json:"result"` // "reloaded", "unchanged" or "refused"
	Generation uint32           `json:"generation"`
	Rules      string           `json:"rules"`            // the first 12 digits of the hash of the rules in force
	Faults     []yamlfile.Fault `json:"faults,omitempty"` // why it was refused; otherwise warnings, if any
	Text       string           `json:"text,omitempty"`   // the faults in words, with their lines
}

// The results of a reload.
const (
	ReloadDone      = "reloaded"
	ReloadUnchanged = "unchanged"
	ReloadRefused   = "refused"
)

// Reload puts the configuration into force as it is now: whole, or not at all. Bids already sent
// stay valid, and every decision says by which generation it was made. Where the configuration is
// faulty, the store is away, or what changed needs a restart, the rules in force stay, and the log,
// the status and the metrics say so until a reload goes well. One reload at a time; others wait.
func (s *Server) Reload(ctx context.Context) Reloaded {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	rs, faults := s.options.Load()
	result := ReloadRefused
	if rs != nil {
		result = s.reload(ctx, rs, faults)
	}
	now := s.inForce.Load()
	done := Reloaded{
		At: s.clock.now(), Result: result, Generation: now.generation, Rules: now.rules.Hash()[:12],
	}
	done.Faults, done.Text = faults.List(), faults.String()
	s.lastReload.Store(&done)
	s.logReload(done)
	if s.options.Reloaded != nil {
		s.options.Reloaded(done)
	}
	return done
}

func (s *Server) reload(ctx context.Context, rs *rules.Ruleset, faults *yamlfile.Faults) (result string) {
	before := s.inForce.Load()
	if rs.Hash() == before.rules.Hash() {
		return ReloadUnchanged
	}
	needRestart(before.rules.Settings(), rs.Settings(), faults)
	if faults.Any() {
		return ReloadRefused
	}
	next, err := s.adopt(rs)
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, leaseTimeout)
		defer cancel()
		err = s.store.Replan(bounded, s.run)
	}
	if err != nil {
		faults.Add(yamlfile.Fault{File: "reload", Message: err.Error(), Expected: "to be asked again once that is mended"})
		return ReloadRefused
	}
	s.swap(next)
	return ReloadDone
}

// swap brings the next generation into force. The shell has it before the Agent: whatever the Agent
// decides by it, the shell then knows how to record.
func (s *Server) swap(next *inForce) {
	s.inForce.Store(next)
	var after *bidder.Snapshot
	if s.record.on() {
		after = new(bidder.Snapshot)
	}
	stamp := s.agent.Swap(s.clock.now(), next.rules, next.generation, after)
	s.record.swap(stamp, bidder.SwapRecord{Generation: next.generation, Rules: next.rules.Hash()}, after)
	s.meters.forgetCaps()
	s.mail.Notify()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Server) logReload(done Reloaded) {
	event := s.log.Info()
	if done.Result == ReloadRefused {
		event = s.log.Error()
		for _, fault := range done.Faults {
			if fault.Severity == yamlfile.Wrong {
				event = event.Str("fault", fmt.Sprintf("%s:%d:%d: %s", fault.File, fault.Line, fault.Col, fault.Message))
				break
			}
		}
	}
	event.Str("result", done.Result).Uint32("generation", done.Generation).Str("rules", done.Rules).
		Msg("reload")
}

// needRestart adds a fault for each setting that only a restart can change.
func needRestart(before, after *rules.Settings, faults *yamlfile.Faults) {
	same := func(key, was, is string) {
		if was != is {
			faults.Add(yamlfile.Fault{
				File: key, Message: fmt.Sprintf("this changed from %q to %q, which takes a restart", was, is),
				Expected: "a restart of the bidder, or the value that it was started with",
			})
		}
	}
	same("server.listen", before.Server.Listen, after.Server.Listen)
	same("server.admin", before.Server.Admin, after.Server.Admin)
	same("server.tls.cert", before.Server.TLSCert, after.Server.TLSCert)
	same("server.tls.key", before.Server.TLSKey, after.Server.TLSKey)
	same("store", before.Store, after.Store)
	same("pause_file", before.PauseFile, after.PauseFile)
	same("business.timezone", before.Business.Location.String(), after.Business.Location.String())
	// To be recorded, or not to be, follows from the mode where nothing is said. Going live must be
	// one word, so the recording goes on as it began; only another folder takes a restart.
	same("record.dir", cmp.Or(before.Record.Dir, after.Record.Dir), cmp.Or(after.Record.Dir, before.Record.Dir))
}
