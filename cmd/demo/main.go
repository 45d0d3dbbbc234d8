// Command demo shows the whole market on one machine: homeowners ask, an exchange holds auctions,
// a contractor's bidder and its rivals bid over HTTP, leads are posted, charged and delivered. At
// the end it plays the same virtual days twice, to show what pacing and value buy with the same
// budget, and proves that all books agree. It needs no configuration and leaves nothing behind.
package main

import (
	"time"

	"github.com/spf13/cobra"

	"leadbid/internal/cli"
)

func main() { program.Exit() }

// settings are what the flags say.
type settings struct {
	length time.Duration // 0: until interrupted
	seed   uint64
	rate   float64 // homeowners per second
	rivals int
	keep   string // a folder to keep books and recordings in; "": thrown away
}

var program = cli.Program{
	Name:  "demo",
	Short: "demo runs an exchange, a contractor's bidder, rivals and homeowners, compares two strategies, and proves the books.",
	Example: "  demo                      until you press Ctrl-C\n" +
		"  demo --for 10s            ends by itself\n" +
		"  demo --for 10s --seed 7 --output json",
	Root: func(env *cli.Env, root *cobra.Command) {
		var s settings
		flags := root.Flags()
		flags.DurationVar(&s.length, "for", 0, "how long homeowners come (default: until Ctrl-C)")
		flags.Uint64Var(&s.seed, "seed", 1, "`number` that repeats the same homeowners and rivals")
		flags.Float64Var(&s.rate, "rate", 40, "`homeowners` per second, on average")
		flags.IntVar(&s.rivals, "rivals", 5, "how `many` rival bidders there are, 0 to 50")
		flags.StringVar(&s.keep, "keep", "", "a new `folder` to keep configurations, books and recordings in")
		root.Args = cobra.NoArgs
		root.RunE = func(cmd *cobra.Command, _ []string) error {
			if err := s.check(cmd.Flags().Changed("for")); err != nil {
				return err
			}
			return show(cmd.Context(), env, s)
		}
	},
}

// check is told whether a length was said: only where none was, it goes on until Ctrl-C.
func (s *settings) check(isBounded bool) error {
	switch {
	case isBounded && (s.length <= 0 || s.length > 24*time.Hour):
		return cli.Usage("--for %s: say more than nothing and at most 24h; without --for it goes on until Ctrl-C", s.length)
	case !(s.rate > 0) || s.rate > 1000:
		return cli.Usage("--rate %g: say more than 0 and at most 1000 homeowners per second", s.rate)
	case s.rivals < 0 || s.rivals > 50:
		return cli.Usage("--rivals %d: say 0 to 50", s.rivals)
	}
	return nil
}
