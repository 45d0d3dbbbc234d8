// Command exchange is the seller's side of the market: a lead exchange, and on top of it what it
// takes to try one out (simulated homeowners and rival buyers) and to load one (or any bidder).
//
// It owns flags, wiring and words for the terminal. What is decided is the Market's, what is
// durable exchange/store's; nothing here chooses a winner or moves a cent.
package main

import (
	"github.com/spf13/cobra"

	"leadbid/internal/cli"
)

func main() { program.Exit() }

// configFile is what is read where nothing else is said.
const configFile = "exchange.yaml"

var program = cli.Program{
	Name:  "exchange",
	Short: "exchange sells leads to contractors in ping-post auctions.",
	Example: "  exchange serve                                        run the market\n" +
		"  exchange simulate --for 30s                           try it out, with homeowners and rivals made up\n" +
		"  exchange report --seller webform                      what was sold, and what it came to\n" +
		"  exchange load --rate 1000,5000 --for 10s --fail-if 'p99>5ms' http://127.0.0.1:8080/v1/ping/northside",
	ConfigFile: configFile,
	Commands: func(env *cli.Env) []*cobra.Command {
		return []*cobra.Command{
			serveCommand(env), simulateCommand(env), loadCommand(env),
			reportCommand(env), timelineCommand(env), verifyCommand(env),
		}
	},
}
