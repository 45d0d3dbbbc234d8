package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadbid/exchange/load"
	"leadbid/exchange/simulate"
	"leadbid/pingpost/wire"
)

// lab starts what a part measures and ends it again.
type lab struct {
	settings  settings
	dir       string
	cpus      [2][]int // the measured server's, and everybody else's; nil where nothing is pinned
	processes []*process
}

func newLab(s settings, dir string) (*lab, error) {
	l := &lab{settings: s, dir: dir}
	if !s.pin {
		return l, nil
	}
	l.cpus[0], l.cpus[1] = splitCPUs()
	return l, pinSelf(l.cpus[1])
}

// measured starts a server that is measured, helper one beside the generator.
func (l *lab) measured(name string, s spec) (*process, error) { return l.start(name, s, l.cpus[0]) }
func (l *lab) helper(name string, s spec) (*process, error)   { return l.start(name, s, l.cpus[1]) }

func (l *lab) start(name string, s spec, cpus []int) (*process, error) {
	p, err := startProcess(name, l.dir, s, cpus)
	if err == nil {
		l.processes = append(l.processes, p)
	}
	return p, err
}

// end stops every process in reverse and gives what each found.
func (l *lab) end() (map[string]final, error) {
	finals := map[string]final{}
	var errs []error
	for _, p := range slices.Backward(l.processes) {
		last, err := p.stop()
		finals[p.name] = last
		errs = append(errs, err)
	}
	l.processes = nil
	return finals, errors.Join(errs...)
}

// abandon ends what end did not.
func (l *lab) abandon() {
	for _, p := range l.processes {
		_ = p.kill() // it reports nothing that matters after another error
	}
}

// subject is one server under a closed loop.
type subject struct {
	name    string
	process *process
	driver  *driver

	buyers int // of an exchange

	costs []cost    // one for each slice
	rates []float64 // pings, or leads, per second
	total tally
}

// pairing is a comparison with the slices of both sides, each beside its fellow.
type pairing struct {
	comparison
	full, bare []cost
}

// cost is what a slice cost the server's process, by request.
type cost struct {
	CPU    float64 // microseconds
	Allocs float64
	Bytes  float64
}

// The bid path's servers by name.
const (
	bareServer  = "bare"
	fullServer  = "full"
	plainServer = "no-recording"
	thickServer = "5000-rules"
)

// withNotices ends the name of a server as it is seen by a driver that tells it of every lost bid.
const (
	withNotices = "-notices"
	bareNotices = bareServer + withNotices
	fullNotices = fullServer + withNotices
)

const (
	phasesASlice = 8
	warmUpLimit  = 40 * time.Second
)

// comparison is one row of the table: a server held against bare.
type comparison struct{ what, fullSide, bareSide string }

var comparisons = []comparison{
	{"100 rules, recording", fullServer, bareServer},
	{"100 rules, no recording", plainServer, bareServer},
	{"5,000 rules, recording", thickServer, bareServer},
	{"100 rules, recording, a loss notice after each bid counted as a request", fullNotices, bareNotices},
}

// bidders are the bidders of the comparisons, by the name of their process.
var bidders = map[string]bidderSpec{
	fullServer:  {Rules: 100, Record: true},
	plainServer: {Rules: 100},
	thickServer: {Rules: 5000, Record: true},
}

// measureBids takes the bid path against bare fasthttp, in pairs of slices side by side.
func measureBids(ctx context.Context, s settings, dir string, r *report) error {
	lab, err := newLab(s, dir)
	if err != nil {
		return err
	}
	defer lab.abandon()
	subjects, err := lab.bidSubjects()
	if err != nil {
		return err
	}
	if err := warmUp(ctx, subjects, 2*s.slice/phasesASlice); err != nil {
		return err
	}
	pairings := make([]pairing, len(s.comparisons))
	for pair := range s.pairs {
		for i, c := range s.comparisons {
			pairings[i].comparison = c
			// Which of the two goes first alternates, so that neither always has the warmer machine.
			order := []string{c.bareSide, c.fullSide}
			if pair%2 == 1 {
				slices.Reverse(order)
			}
			for _, name := range order {
				if err := errors.Join(ctx.Err(), subjects[name].slice(s.slice)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			pairings[i].full = append(pairings[i].full, subjects[c.fullSide].lastCost())
			pairings[i].bare = append(pairings[i].bare, subjects[c.bareSide].lastCost())
		}
		fmt.Fprintf(s.log, "bids: pair %d of %d\n", pair+1, s.pairs)
	}
	for _, one := range subjects {
		one.driver.close()
	}
	finals, err := lab.end()
	if err != nil {
		return err
	}
	return r.addBids(pairings, subjects, finals)
}

// bidSubjects starts the servers that are compared and prepares what is sent to them.
func (l *lab) bidSubjects() (map[string]*subject, error) {
	population, err := homeowners(l.settings.people)
	if err != nil {
		return nil, err
	}
	profile, err := wire.Load("native")
	if err != nil {
		return nil, err
	}
	processes := map[string]*process{}
	subjects := map[string]*subject{}
	for _, c := range l.settings.comparisons {
		for _, name := range []string{c.bareSide, c.fullSide} {
			if subjects[name] != nil {
				continue
			}
			host := strings.TrimSuffix(name, withNotices)
			if processes[host] == nil {
				if processes[host], err = l.measured(host, l.specOf(host)); err != nil {
					return nil, err
				}
			}
			subjects[name] = newBidSubject(name, processes[host], l.settings.connections, population, profile)
		}
	}
	return subjects, nil
}

func (l *lab) specOf(host string) spec {
	wanted, ok := bidders[host]
	if !ok {
		return spec{Bare: &bareSpec{fixedAnswer}}
	}
	s := spec{Bidder: &wanted}
	if host == fullServer {
		s.Profile = l.settings.profile
	}
	return s
}

func newBidSubject(name string, p *process, connections int, population []simulate.Homeowner, profile *wire.Profile) *subject {
	requests := prepare(population, eachNew{load.Pings(profile)}, endpoint{p.addr, pingPath, benchKey})
	d := newDriver(p.addr, connections, requests, `"status":"bid"`)
	d.profile, d.polls = profile, true
	if name != bareServer {
		d.notices = &endpoint{p.addr, noticePath, benchKey}
	}
	if d.inline = strings.HasSuffix(name, withNotices); d.inline {
		d.number.Store(5_000_000_000) // its pings are not those of the driver beside it
	}
	return &subject{name: name, process: p, driver: d}
}

// warmUp runs until the bidders' leases have grown to what the phases want of them, which takes
// about as many seconds as doublings, and their memory of recent pings is in use. They grow side by
// side, over phases as much longer as they are slower then, and each makes sure alone. Callers give
// phases twice as long as the ones they measure.
func warmUp(ctx context.Context, subjects map[string]*subject, phase time.Duration) error {
	errs := make(chan error, len(subjects))
	for _, one := range subjects {
		go func() { errs <- one.warmUp(ctx, time.Duration(len(bidders))*phase) }()
	}
	var all []error
	for range subjects {
		all = append(all, <-errs)
	}
	for _, one := range subjects {
		all = append(all, one.warmUp(ctx, phase))
	}
	return errors.Join(all...)
}

func (one *subject) warmUp(ctx context.Context, phase time.Duration) error {
	var last tally
	for end := time.Now().Add(warmUpLimit); time.Now().Before(end) && ctx.Err() == nil; {
		sum, err := one.phase(phase)
		if err != nil {
			return fmt.Errorf("%s: warming up: %w", one.name, err)
		}
		if last.Pings > 0 && !sum.waited() {
			return nil
		}
		last = sum
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%s: after %v bids still wait for money: %v", one.name, warmUpLimit, last.Reasons)
}

// waited tells whether a bid was not made because the bidder has no lease large enough yet.
func (t *tally) waited() bool {
	return slices.ContainsFunc([]string{"open_bids", "store_away"}, func(reason string) bool { return t.Reasons[reason] > 0 })
}

// phase sends pings for a while and then tells of the bids that were lost, as after an auction.
func (one *subject) phase(length time.Duration) (tally, error) {
	sum, err := one.driver.run(length)
	if err != nil || one.driver.notices == nil || one.driver.inline {
		return sum, err
	}
	_, err = one.driver.tellLost()
	return sum, err
}

func (one *subject) lastCost() cost { return one.costs[len(one.costs)-1] }

// slice measures one slice: some phases of pings, with the notices of each between them and out of
// the measure.
func (one *subject) slice(length time.Duration) error {
	var sum tally
	var used usage
	for range phasesASlice {
		before, err := one.process.usage()
		if err != nil {
			return err
		}
		phase, err := one.driver.run(length / phasesASlice)
		if err != nil {
			return err
		}
		after, err := one.process.usage()
		if err != nil {
			return err
		}
		delta := after.since(before)
		used.CPU, used.Allocs, used.Bytes = used.CPU+delta.CPU, used.Allocs+delta.Allocs, used.Bytes+delta.Bytes
		sum.add(phase)
		if one.driver.notices != nil && !one.driver.inline {
			if _, err := one.driver.tellLost(); err != nil {
				return err
			}
		}
	}
	if sum.Requests == 0 {
		return errors.New("no request was answered")
	}
	requests := float64(sum.Requests)
	one.costs = append(one.costs, cost{
		CPU: float64(used.CPU.Nanoseconds()) / 1e3 / requests, Allocs: float64(used.Allocs) / requests, Bytes: float64(used.Bytes) / requests,
	})
	one.rates = append(one.rates, float64(sum.Pings)/sum.Elapsed.Seconds())
	one.total.add(sum)
	return nil
}
