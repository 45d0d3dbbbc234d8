package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"leadbid/bidder"
	"leadbid/internal/filelock"
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
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a misspelt word would pause nothing
	if err := decoder.Decode(&pauses); err != nil {
		return bidder.Pauses{}, fmt.Errorf("server: %s is not a file of pauses (%w): remove it and pause again", path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return bidder.Pauses{}, fmt.Errorf("server: %s is more than one file of pauses: remove it and pause again", path)
	}
	return pauses, nil
}

// WritePauses replaces a file of pauses whole. Who changes what stands there holds LockPauses meanwhile.
func WritePauses(path string, pauses bidder.Pauses) error {
	text, err := json.MarshalIndent(pauses, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(path, append(text, '\n')); err != nil {
		return fmt.Errorf("server: writing pauses: %w", err)
	}
	return nil
}

// lockWait bounds how long a change of the pauses waits for others: each takes milliseconds.
const lockWait = 5 * time.Second

// LockPauses keeps other processes from changing a file of pauses, or the stop beside it, from reading it until
// it is written: of two changes at once neither undoes the other.
func LockPauses(ctx context.Context, path string) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("server: locking pauses: %w", err)
	}
	lock, err := filelock.Wait(ctx, path+".lock")
	if err != nil {
		return nil, fmt.Errorf("server: locking %s: %w", path, err)
	}
	return lock, nil
}

// replaceFile replaces a file whole, by renaming, so that nobody reads half, not even after a crash. Its
// other name is its own, so that several processes may replace one file.
func replaceFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	if err = writeSynced(fresh, text); err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(fresh.Name()))
	}
	return err
}

// writeSynced writes a file so that a rename cannot reach the disk before its content does. All may read
// it: a bidder need not run as the user who pauses it.
func writeSynced(file *os.File, text []byte) error {
	_, err := file.Write(text)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// pauseState is what is switched off, and by whom.
type pauseState struct {
	// applying is held from reading the state until the Agent has it: of two changes at a time the
	// older must not be the last that the Agent hears of. It is taken before mu.
	applying sync.Mutex

	mu      sync.Mutex
	byHand  bidder.Pauses
	down    []string      // campaigns whose leads cannot be delivered
	books   bool          // a promise about money is broken
	applied bidder.Pauses // what the Agent heard last

	faulty bool // the file could not be read, which was told; of the pause loop
}

// load reads the file. It is small enough to be read at every look, and neither its time nor its
// size could tell two quick changes apart.
func (p *pauseState) load(path string) error {
	pauses, err := ReadPauses(path)
	if err != nil {
		return err
	}
	p.set(pauses)
	return nil
}

func (p *pauseState) set(byHand bidder.Pauses) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byHand = byHand
}

// setBooks notes whether a promise about money is broken.
func (p *pauseState) setBooks(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.books = broken
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

// effective joins all reasons to pause.
func (p *pauseState) effective() (all bidder.Pauses, down []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = p.byHand
	all.All = all.All || p.books
	all.Campaigns = append(slices.Clone(p.byHand.Campaigns), p.down...)
	slices.Sort(all.Campaigns)
	all.Campaigns = slices.Compact(all.Campaigns)
	return all, slices.Clone(p.down)
}

// unheard tells whether the Agent has yet to hear what is in force.
func (p *pauseState) unheard() bool {
	all, _ := p.effective()
	p.mu.Lock()
	defer p.mu.Unlock()
	return !samePauses(all, p.applied)
}

func (p *pauseState) heard(all bidder.Pauses) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = all
}

func (s *Server) pauseFile() string { return s.path(s.options.Rules.Settings().PauseFile) }

func (s *Server) pauseLoop(ctx context.Context) {
	for pause(ctx, pauseLook) {
		s.lookAtPauses()
	}
}

// lookAtPauses follows the files. What is known goes to the Agent also while the file of pauses cannot
// be read: a stop because of the books does not wait for it.
func (s *Server) lookAtPauses() {
	s.followStop()
	err := s.pauses.load(s.pauseFile())
	if err != nil && !s.pauses.faulty {
		s.log.Error().Err(err).Msg("what was paused by hand stays as it was")
	}
	s.pauses.faulty = err != nil
	if s.pauses.unheard() {
		s.applyPauses()
	}
}

// applyPauses makes the present pauses an input of the Agent.
func (s *Server) applyPauses() {
	s.pauses.applying.Lock()
	defer s.pauses.applying.Unlock()
	pauses, _ := s.pauses.effective()
	s.record.pause(s.agent.Pause(s.clock.now(), pauses), pauses)
	s.pauses.heard(pauses)
	if samePauses(pauses, bidder.Pauses{}) {
		s.log.Info().Msg("nothing is paused")
		return
	}
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
