package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"leadbid/bidder"
)

// Pauses live in a small file beside the configuration, so that the kill switch works when the
// database does not, survives a restart, and can be thrown without the process's help: `bidder
// pause` writes the file, and the server looks at it four times a second.

// pauseLook is how often the server looks at the file.
const pauseLook = 250 * time.Millisecond

// ReadPauses reads a file of pauses; one that is not there pauses nothing. A file that cannot be
// read as pauses is an error: guessing would mean buying against somebody's will.
func ReadPauses(path string) (bidder.Pauses, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return bidder.Pauses{}, nil
	}
	if err != nil {
		return bidder.Pauses{}, fmt.Errorf("server: reading pauses: %w", err)
	}
	var pauses bidder.Pauses
	if err := json.Unmarshal(text, &pauses); err != nil {
		return bidder.Pauses{}, fmt.Errorf("server: %s is not a file of pauses (%w): remove it and pause again", path, err)
	}
	return pauses, nil
}

// WritePauses replaces a file of pauses whole, by renaming, so that the server never reads half.
func WritePauses(path string, pauses bidder.Pauses) error {
	text, err := json.MarshalIndent(pauses, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("server: writing pauses: %w", err)
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("server: writing pauses: %w", err)
	}
	return os.Rename(fresh, path)
}

// pauseState is what is switched off, and by whom.
type pauseState struct {
	mu     sync.Mutex
	seen   time.Time // the file's time when it was read last
	size   int64
	byHand bidder.Pauses
	down   []string // campaigns whose leads cannot be delivered
}

// load reads the file where it has changed.
func (p *pauseState) load(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var seen time.Time
	var size int64 = -1
	if info, err := os.Stat(path); err == nil {
		seen, size = info.ModTime(), info.Size()
	}
	if seen.Equal(p.seen) && size == p.size {
		return nil
	}
	pauses, err := ReadPauses(path)
	if err != nil {
		return err
	}
	p.byHand, p.seen, p.size = pauses, seen, size
	return nil
}

// setDown notes whether a campaign's leads can be delivered.
func (p *pauseState) setDown(campaign string, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = slices.DeleteFunc(p.down, func(name string) bool { return name == campaign })
	if down {
		p.down = append(p.down, campaign)
	}
}

// effective joins both reasons to pause.
func (p *pauseState) effective() (all bidder.Pauses, down []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = p.byHand
	all.Campaigns = append(slices.Clone(p.byHand.Campaigns), p.down...)
	slices.Sort(all.Campaigns)
	all.Campaigns = slices.Compact(all.Campaigns)
	return all, slices.Clone(p.down)
}

func (s *Server) pauseFile() string { return s.path(s.rules.Settings().PauseFile) }

func (s *Server) pauseLoop(ctx context.Context) {
	faulty := false
	for pause(ctx, pauseLook) {
		before, _ := s.pauses.effective()
		if err := s.pauses.load(s.pauseFile()); err != nil {
			if !faulty {
				s.log.Error().Err(err).Msg("the pauses stay as they were")
			}
			faulty = true
			continue
		}
		faulty = false
		if after, _ := s.pauses.effective(); !samePauses(before, after) {
			s.applyPauses()
		}
	}
}

// applyPauses makes the present pauses an input of the Agent.
func (s *Server) applyPauses() {
	pauses, _ := s.pauses.effective()
	s.record.pause(s.agent.Pause(s.clock.now(), pauses), pauses)
	s.log.Info().Bool("all", pauses.All).Strs("campaigns", pauses.Campaigns).
		Strs("exchanges", pauses.Exchanges).Msg("pauses in force")
}

// deliveryDown pauses buying for a campaign whose leads have nowhere to go, and resumes it.
func (s *Server) deliveryDown(campaign string, down bool) {
	s.pauses.setDown(campaign, down)
	s.log.Warn().Str("campaign", campaign).Bool("paused", down).Msg("delivery: buying follows the webhook")
	s.applyPauses()
}

func samePauses(a, b bidder.Pauses) bool {
	return a.All == b.All && slices.Equal(a.Campaigns, b.Campaigns) && slices.Equal(a.Exchanges, b.Exchanges)
}
