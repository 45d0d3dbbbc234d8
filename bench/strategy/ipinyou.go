package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"leadbid/bidder/strategy"
)

// recordedWeek is the virtual time that each half of the recorded auctions is spread over evenly:
// the file tells their order, not their times.
const recordedWeek = 7 * 24 * time.Hour

// readRecorded reads lines of "click price pctr". The predicted click rate is what the auction is
// worth, in units that make the average worth of the file 100.
func readRecorded(path string) ([]lead, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var leads []lead
	lines := bufio.NewScanner(text)
	sum := 0.0
	for lines.Scan() {
		var one lead
		if _, err := fmt.Sscan(lines.Text(), &one.clicks, &one.price, &one.worth); err != nil {
			return nil, fmt.Errorf("%s:%d: expected click price pctr: %w", path, len(leads)+1, err)
		}
		sum += one.worth
		leads = append(leads, one)
	}
	if err := lines.Err(); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(leads) < 1000 {
		return nil, fmt.Errorf("%s: %d auctions are too few", path, len(leads))
	}
	for i := range leads {
		leads[i].worth *= 100 * float64(len(leads)) / sum
	}
	return leads, nil
}

// compareRecorded learns on the first half of the recorded auctions and plays the second, at several
// shares of what the second half would cost in all.
func compareRecorded(path string) ([]table, error) {
	leads, err := readRecorded(path)
	if err != nil {
		return nil, err
	}
	first, second := leads[:len(leads)/2], leads[len(leads)/2:]
	for _, half := range [][]lead{first, second} {
		for i := range half {
			half[i].at = time.Duration(float64(recordedWeek) * float64(i) / float64(len(half)))
		}
	}
	total, prices := 0.0, make([]float64, len(second))
	for i, one := range second {
		total, prices[i] = total+one.price, one.price
	}
	median := medianOf(prices)
	var tables []table
	for _, part := range []float64{32, 8, 4, 2} {
		budget := math.Floor(total / part)
		tables = append(tables, recordedTable(first, second, budget, median, part))
	}
	return tables, nil
}

func recordedTable(first, second []lead, budget, median, part float64) table {
	most, possible := bound(second, budget)
	t := table{Market: fmt.Sprintf("recorded, 1/%.0f", part), What: "iPinYou campaign 2997, second half after the first", Periods: 1,
		Budget: budget, Bound: "linear program", Possible: float64(possible)}
	run := func(name string, b buyer) row {
		play(b, 0, first, budget, median, recordedWeek)
		return summary(name, []result{play(b, 1, second, budget, median, recordedWeek)}, []float64{most}, budget)
	}
	tuned := tunedFactor(first, budget)
	t.Rows = append(t.Rows,
		run("volume, learned", newDesk(strategy.Volume, strategy.Learned, recordedWeek, budget)),
		bestOf("best of 20 constants, by hindsight", factors(hindsights), func(f float64) row { return run("", constant{f}) }),
		bestOf("best of 200 constants, by hindsight", factors(manyHindsights), func(f float64) row { return run("", constant{f}) }),
		run("linear, tuned on history", constant{tuned}),
		run("ortb, tuned on history", tunedORTB(first, budget)),
		run("throttled", &throttled{constant: constant{1}, length: recordedWeek}),
		run("unpaced, full worth", constant{1}),
	)
	return t
}
