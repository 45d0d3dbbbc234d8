// Command bidder is the contractor's buying agent: one binary and one YAML file.
//
// It owns flags, wiring and words for the terminal. What is decided is bidder's, what is durable
// budget/store's; nothing here prices a lead or moves a cent.
package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"leadbid/internal/cli"
)

func main() {
	ctx, stop := cli.Signals()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer,
	getenv func(string) string) int {
	return program.Main(ctx, args, stdin, stdout, stderr, getenv)
}

var program = cli.Program{
	Name:  "bidder",
	Short: "bidder buys leads for a contractor in ping-post auctions.",
	Example: "  bidder check                      is the configuration right, and what does it come to?\n" +
		"  bidder explain ping.json          what would I bid, and why?\n" +
		"  bidder serve                      answer pings\n" +
		"  bidder status                     what is going on, and what is spent?",
	ConfigFile: "bidder.yaml",
	Commands: func(env *cli.Env) []*cobra.Command {
		return []*cobra.Command{
			checkCommand(env), serveCommand(env), explainCommand(env), statusCommand(env),
			leadsCommand(env), pauseCommand(env), resumeCommand(env), verifyCommand(env),
			backtestCommand(env),
		}
	},
}
