package main

import (
	"context"
	"errors"
	"fmt"

	"leadbid/exchange/load"
)

// buyerCounts are the sizes of the auctions.
var buyerCounts = []int{1, 4, 16}

// measureAuctions sells leads through exchanges with few and many buyers, in turn.
func measureAuctions(ctx context.Context, s settings, dir string, r *report) error {
	lab, err := newLab(s, dir)
	if err != nil {
		return err
	}
	defer lab.abandon()
	subjects, err := lab.auctionSubjects()
	if err != nil {
		return err
	}
	for _, one := range subjects {
		if _, err := one.driver.run(s.slice); err != nil { // connections, and the first pages of the books
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	for round := range s.pairs {
		for _, one := range subjects {
			if err := one.slice(s.slice); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", one.name, err), ctx.Err())
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(s.log, "auctions: round %d of %d\n", round+1, s.pairs)
	}
	for _, one := range subjects {
		one.driver.close()
	}
	if _, err := lab.end(); err != nil {
		return err
	}
	return r.addAuctions(subjects)
}

func (l *lab) auctionSubjects() ([]*subject, error) {
	population, err := homeowners(l.settings.people)
	if err != nil {
		return nil, err
	}
	buyers, err := l.helper("buyers", spec{Buyers: &buyersSpec{}})
	if err != nil {
		return nil, err
	}
	var subjects []*subject
	for _, count := range buyerCounts {
		name := fmt.Sprintf("exchange-%d", count)
		p, err := l.measured(name, spec{Exchange: &exchangeSpec{Buyers: count, At: buyers.addr, Waits: l.settings.auction}})
		if err != nil {
			return nil, err
		}
		requests := prepare(population, eachNew{load.Leads()}, endpoint{p.addr, leadsPath, benchKey})
		d := newDriver(p.addr, l.settings.salesAtOnce, requests, `"status":"sold"`)
		subjects = append(subjects, &subject{name: name, process: p, driver: d, buyers: count})
	}
	return subjects, nil
}
