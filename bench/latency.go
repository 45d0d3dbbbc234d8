package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leadbid/exchange/load"
	"leadbid/pingpost/wire"
)

// measureLatency sends pings at fixed rates, with a loss notice after every bid, to bare and to the
// full bid path in turn. Servers have two processors, though they share a CPU: with one, a write to the
// disk holds up every answer until the runtime notices.
func measureLatency(ctx context.Context, s settings, dir string, r *report) error {
	lab, err := newLab(s, dir)
	if err != nil {
		return err
	}
	defer lab.abandon()
	bare, err := lab.measured("latency-bare", spec{Processors: 2, Bare: &bareSpec{fixedAnswer}})
	if err != nil {
		return err
	}
	wanted := bidders[fullServer]
	full, err := lab.measured("latency-full", spec{Processors: 2, Bidder: &wanted})
	if err != nil {
		return err
	}
	population, err := homeowners(s.people)
	if err != nil {
		return err
	}
	profile, err := wire.Load("native")
	if err != nil {
		return err
	}
	run := 0
	send := func(p *process, rate int, length time.Duration) (load.Step, error) {
		run++
		result, err := load.Run(ctx, load.Options{
			Target: "http://" + p.addr + pingPath, NoticeTarget: "http://" + p.addr + noticePath, NoticeProfile: profile,
			Protocol: eachNew{load.Pings(profile)}, Key: benchKey, Rates: []int{rate}, For: length,
			Connections: s.connections, Population: population, Run: fmt.Sprintf("r%d", run),
		})
		if err != nil {
			return load.Step{}, err
		}
		return result.Steps[0], nil
	}
	for _, p := range []*process{bare, full} {
		// The leases grow to what the highest rate wants of them.
		if _, err := send(p, slices.Max(s.rates), s.latency); err != nil {
			return err
		}
	}
	for _, rate := range s.rates {
		row := latencyRow{Rate: rate}
		if row.Bare, err = send(bare, rate, s.latency); err != nil {
			return err
		}
		if row.Full, err = send(full, rate, s.latency); err != nil {
			return err
		}
		fmt.Fprintf(s.log, "latency: %d/s\n", rate)
		r.Latency = append(r.Latency, row)
	}
	if _, err := lab.end(); err != nil {
		return err
	}
	return r.checkLatency()
}
