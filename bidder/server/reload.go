package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	Rules      string           `json:"rules"`               // the first 12 digits of the hash of the rules in force
	Recording  string           `json:"recording,omitempty"` // where a reload changed it: the folder from here on, or "none"
	Faults     []yamlfile.Fault `json:"faults,omitempty"`    // why it was refused; otherwise warnings, if any
	Text       string           `json:"text,omitempty"`      // the faults in words, with their lines
}

// The results of a reload.
const (
	ReloadDone      = "reloaded"
	ReloadUnchanged = "unchanged"
	ReloadRefused   = "refused"
)

// NoRecording is what Reloaded says where nothing is recorded any more.
const NoRecording = "none"

// Reload puts the configuration into force as it is now: whole, or not at all. Bids already sent
// stay valid, and every decision says by which generation it was made. Where the configuration is
// faulty, or what changed needs a restart, the rules in force stay, and the log, the status and the
// metrics say so until a reload goes well. One reload at a time; others wait.
func (s *Server) Reload() Reloaded {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	rs, faults := s.options.Load()
	result, before := ReloadRefused, s.record.into()
	if rs != nil {
		result = s.reload(rs, faults)
	}
	now := s.inForce.Load()
	done := Reloaded{
		At: s.clock.now(), Result: result, Generation: now.generation, Rules: now.rules.Hash()[:12],
	}
	if folder := s.record.into(); folder != before {
		done.Recording = cmp.Or(folder, NoRecording)
	}
	done.Faults, done.Text = faults.List(), faults.String()
	s.lastReload.Store(&done)
	s.logReload(done)
	if s.options.Reloaded != nil {
		s.options.Reloaded(done)
	}
	return done
}

func (s *Server) reload(rs *rules.Ruleset, faults *yamlfile.Faults) (result string) {
	before := s.inForce.Load()
	if rs.Hash() == before.rules.Hash() {
		return ReloadUnchanged
	}
	needRestart(before.rules, rs, faults)
	if faults.Any() {
		return ReloadRefused
	}
	next, err := s.adopt(rs)
	folder := ""
	if err == nil {
		folder, err = s.record.prepare(rs.Settings().Record.Dir)
	}
	if err != nil {
		faults.Add(yamlfile.Fault{Message: err.Error(), Expected: "to be asked again once that is mended"})
		return ReloadRefused
	}
	s.swap(next, folder)
	s.warnUnnamed(before.rules, rs, faults)
	return ReloadDone
}

// warnUnnamed warns where exchanges are taken away whose leads may still come back. While this process lives it
// knows their keys; the next one will not.
func (s *Server) warnUnnamed(before, after *rules.Ruleset, faults *yamlfile.Faults) {
	taken := slices.ContainsFunc(before.Exchanges(), func(x *rules.Exchange) bool { return after.Exchange(x.Name) == nil })
	if !taken {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
	defer cancel()
	warnings, _ := Unnamed(ctx, s.store, after, s.clock.now()) // where the store is away, the next start tells
	for _, warning := range warnings {
		faults.Add(warning)
	}
}

// swap brings the next generation into force. The shell has it before the Agent: whatever the Agent
// decides by it, the shell then knows how to record. folder is what is recorded into from there on.
func (s *Server) swap(next *inForce, folder string) {
	s.record.expect(folder)
	s.inForce.Store(next)
	var after *bidder.Snapshot
	if s.record.on() {
		after = new(bidder.Snapshot)
	}
	stamp := s.agent.Swap(s.clock.now(), next.rules, next.generation, after)
	s.record.swap(stamp, bidder.SwapRecord{Generation: next.generation, Rules: next.rules.Hash()}, after, folder)
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
				event = event.Str("fault", fault.Where()+fault.Message)
				break
			}
		}
	}
	if done.Recording != "" {
		event = event.Str("recording", done.Recording)
	}
	event.Str("result", done.Result).Uint32("generation", done.Generation).Str("rules", done.Rules).
		Msg("reload")
}

// needRestart adds a fault for each setting that only a restart can change, at its place.
func needRestart(before, after *rules.Ruleset, faults *yamlfile.Faults) {
	was, is := before.Settings(), after.Settings()
	same := func(key, was, is string) {
		if was == is {
			return
		}
		fault := after.Place(key)
		fault.Message = fmt.Sprintf("%s changed from %q to %q, which takes a restart", key, was, is)
		fault.Expected = "a restart of the bidder, or the value that it was started with"
		fault.Type = was
		faults.Add(fault)
	}
	same("server.listen", was.Server.Listen, is.Server.Listen)
	same("server.admin", was.Server.Admin, is.Server.Admin)
	same("server.tls.cert", was.Server.TLSCert, is.Server.TLSCert)
	same("server.tls.key", was.Server.TLSKey, is.Server.TLSKey)
	if was.Store != is.Store {
		name := is.StoreName()
		if name == was.StoreName() {
			name += " with another password" // which is never shown
		}
		same("store", was.StoreName(), name)
	}
	same("pause_file", was.PauseFile, is.PauseFile)
	same("business.timezone", was.Business.Location.String(), is.Business.Location.String())
}
