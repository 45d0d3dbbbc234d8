// Command bidder is the contractor's buying agent: one binary and one YAML file.
//
// It owns flags, wiring and words for the terminal. What is decided is bidder's, what is durable
// budget/store's; nothing here prices a lead or moves a cent.
package main

import (
	"github.com/spf13/cobra"

	"leadbid/internal/cli"
)

func main() { program.Exit() }

var program = cli.Program{
	Name:  "bidder",
	Short: "bidder buys leads for a contractor in ping-post auctions.",
	Example: "  bidder check                      is the configuration right, and what does it come to?\n" +
		"  bidder explain ping.json          what would I bid, and why?\n" +
		"  bidder serve                      answer pings\n" +
		"  bidder status                     what is going on, and what is spent?",
	ConfigFile: configFile,
	Commands: func(env *cli.Env) []*cobra.Command {
		return []*cobra.Command{
			initCommand(env), checkCommand(env), testCommand(env), serveCommand(env), explainCommand(env), statusCommand(env),
			leadsCommand(env), disputeCommand(env), pauseCommand(env), resumeCommand(env), reloadCommand(env), pacingCommand(env), keysCommand(env), verifyCommand(env), reconcileCommand(env),
			backtestCommand(env), schemaCommand(env),
		}
	},
}
