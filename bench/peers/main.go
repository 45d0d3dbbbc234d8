// Command peers holds the rule index of leadbid against general rule engines that do the same
// work: of N rules of five conditions each, find all that hold for a ping. Every engine has its
// rules compiled before the clock starts, and all have to find the same rules.
//
// It is a module of its own, so that none of these libraries is a dependency of leadbid.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"
)

func main() {
	out := flag.String("out", "../results/peers", "folder that the JSON is written to; empty writes none")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// engine is one way to find the rules.
type engine struct {
	name string
	most int // rules that it is given at most: beyond, a run would take minutes
	make func(rules []rule) (count func(p *ping) (int, error), err error)
}

var engines = []engine{
	{"leadbid", 10_000, withLeadbid},
	{"expr, one after the other", 10_000, withExpr},
	{"cel-go, one after the other", 10_000, withCEL},
	{"grule-rule-engine", 1_000, withGrule},
}

type row struct {
	Engine string  `json:"engine"`
	Rules  int     `json:"rules"`
	Build  float64 `json:"build_s"`
	Find   float64 `json:"find_ns"` // per ping: the least of five rounds
	Held   float64 `json:"held"`    // rules per ping
}

type report struct {
	Date string `json:"date"`
	OS   string `json:"os"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	Rows []row  `json:"rows"`
}

func run(folder string) error {
	r := report{Date: time.Now().UTC().Format(time.DateOnly), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPUs: runtime.NumCPU(), Go: runtime.Version()}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "engine\trules\tbuild\tfind\theld\t")
	for _, n := range []int{10, 100, 1_000, 10_000} {
		rules, pings := drawRules(n), drawPings(2_048)
		held := -1
		for _, e := range engines {
			if n > e.most {
				continue
			}
			measured, found, err := e.measure(rules, pings)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			if held >= 0 && found != held {
				return fmt.Errorf("%s found %d rules, and the first engine %d", e.name, found, held)
			}
			held = found
			r.Rows = append(r.Rows, measured)
			fmt.Fprintf(table, "%s\t%d\t%.3f s\t%.0f ns\t%.3f\t\n", e.name, n, measured.Build, measured.Find, measured.Held)
		}
	}
	if err := table.Flush(); err != nil || folder == "" {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	return errors.Join(err, os.WriteFile(filepath.Join(folder, r.Date+".json"), append(text, '\n'), 0o644))
}

// measure asks about a few pings only where the engine is slow, and about the same ones first, so
// that what it finds can be compared.
func (e engine) measure(rules []rule, pings []ping) (measured row, found int, err error) {
	began := time.Now()
	count, err := e.make(rules)
	if err != nil {
		return row{}, 0, err
	}
	measured = row{Engine: e.name, Rules: len(rules), Build: time.Since(began).Seconds()}
	const compared = 64
	for i := range pings[:compared] {
		n, err := count(&pings[i])
		if err != nil {
			return row{}, 0, err
		}
		found += n
	}
	began = time.Now()
	_, _ = count(&pings[0])
	asked := pings
	if time.Since(began) > 50*time.Microsecond {
		asked = pings[:compared]
	}
	for range 5 {
		began, all := time.Now(), 0
		for i := range asked {
			n, _ := count(&asked[i])
			all += n
		}
		took := float64(time.Since(began).Nanoseconds()) / float64(len(asked))
		if measured.Find == 0 || took < measured.Find {
			measured.Find = took
		}
		measured.Held = float64(all) / float64(len(asked))
	}
	return measured, found, nil
}
