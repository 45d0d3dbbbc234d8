package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"leadbid/internal/cli"
	"leadbid/pingpost"
)

// outcome is how a call of the test's program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// run calls a small program as a user types it. Its command "do" returns fail and shows what it
// was given.
func run(t *testing.T, fail error, environment map[string]string, line string) outcome {
	t.Helper()
	program := cli.Program{
		Name: "shop", Short: "a shop", ConfigFile: "shop.yaml",
		Commands: func(env *cli.Env) []*cobra.Command {
			do := &cobra.Command{Use: "do THING", Short: "does a thing", Args: cobra.ExactArgs(1)}
			rate := do.Flags().Int("hit-rate", 1, "how often")
			do.RunE = func(cmd *cobra.Command, args []string) error {
				env.Sayf("doing %s at %d with %s", args[0], *rate, env.ConfigPath())
				if fail != nil {
					return fail
				}
				table := cli.Table{Columns: []string{"thing", "hit_rate"}}
				table.Add(args[0], *rate)
				return env.Print(nil, table)
			}
			return []*cobra.Command{do, {Use: "serve", RunE: func(*cobra.Command, []string) error { return nil }}}
		},
	}
	var stdout, stderr bytes.Buffer
	code := program.Main(context.Background(), strings.Fields(line), strings.NewReader(""), &stdout, &stderr,
		func(name string) string { return environment[name] })
	return outcome{code, stdout.String(), stderr.String()}
}

func TestExitCodes(t *testing.T) {
	ends := func(fail error, code int, stderr string) {
		t.Helper()
		got := run(t, fail, nil, "do it")
		want := "doing it at 1 with shop.yaml\n" + stderr
		if got.code != code || got.stderr != want {
			t.Errorf("%v: exit %d, %q\n want exit %d, %q", fail, got.code, got.stderr, code, want)
		}
	}
	ends(nil, 0, "")
	ends(errors.New("no disk"), 1, "shop: no disk\n")
	ends(cli.Usage("no such %s", "thing"), 2, "shop: no such thing\n")
	ends(cli.Faults(errors.New("shop.yaml:3:1: unknown key \"bugdet\"\n")), 3, "shop.yaml:3:1: unknown key \"bugdet\"\n")
	ends(cli.Failed("p99 is %s", "9ms"), 4, "shop: p99 is 9ms\n")
	ends(cli.Connect("nobody at %s", "127.0.0.1:1"), 5, "shop: nobody at 127.0.0.1:1\n")
	ends(cli.Hint(cli.Failed("p99 is 9ms"), "lower the %s", "rate"), 4, "shop: p99 is 9ms\nhint: lower the rate\n")
	ends(cli.Hint(errors.New("no disk"), "free some"), 1, "shop: no disk\nhint: free some\n")
	ends(&cli.Error{Code: cli.CodeFailed}, 4, "")
	if cli.Faults(nil) != nil || cli.Hint(nil, "x") != nil || cli.Reach(nil) != nil {
		t.Error("no error became one")
	}
}

func TestWrongUse(t *testing.T) {
	says := func(line, stderr string) {
		t.Helper()
		if got := run(t, nil, nil, line); got.code != 2 || got.stderr != stderr || got.stdout != "" {
			t.Errorf("shop %s: exit %d, stdout %q, stderr\n%s\nwant exit 2,\n%s", line, got.code, got.stdout, got.stderr, stderr)
		}
	}
	says("serv", "shop: unknown command \"serv\"\nhint: did you mean \"serve\"?\n")
	says("zzz", "shop: unknown command \"zzz\"\nhint: \"shop --help\" lists the commands\n")
	says("do", "shop: \"shop do\" needs THING\nhint: usage: shop do THING [flags]\n")
	says("do it so", "shop: \"shop do\" takes one THING, not 2\nhint: usage: shop do THING [flags]\n")
	says("do it --hit-rat 5", "shop: unknown flag: --hit-rat\nhint: did you mean --hit-rate?\n")
	says("do it --zzz", "shop: unknown flag: --zzz\nhint: \"shop do --help\" lists the flags\n")
	says("do it --output xml", "shop: --output \"xml\": say text, json or csv\nhint: \"shop do --help\" lists the flags\n")
	says("do it --hit-rate often", "shop: --hit-rate \"often\": say a whole number\nhint: \"shop do --help\" lists the flags\n")
	if got := run(t, nil, nil, ""); got.code != 2 || !strings.Contains(got.stderr, "does a thing") || got.stdout != "" {
		t.Errorf("no command: exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
	}
}

func TestHelpVersionAndCompletionAreData(t *testing.T) {
	for line, holds := range map[string]string{
		"--help": "does a thing", "do --help": "--hit-rate", "--version": "shop version",
		"completion bash": "bash completion", "completion fish": "fish completion",
	} {
		if got := run(t, nil, nil, line); got.code != 0 || !strings.Contains(got.stdout, holds) || got.stderr != "" {
			t.Errorf("shop %s: exit %d, stderr %q, stdout %q", line, got.code, got.stderr, got.stdout)
		}
	}
}

func TestFlagBeatsEnvironmentBeatsDefault(t *testing.T) {
	says := func(environment map[string]string, line, want string) {
		t.Helper()
		if got := run(t, nil, environment, line); got.stderr != want {
			t.Errorf("shop %s: %q, want %q", line, got.stderr, want)
		}
	}
	set := map[string]string{"SHOP_CONFIG": "/etc/shop.yaml", "SHOP_HIT_RATE": "7", "HIT_RATE": "9", "SHOP_HELP": "true"}
	says(nil, "do it", "doing it at 1 with shop.yaml\n")
	says(set, "do it", "doing it at 7 with /etc/shop.yaml\n")
	says(set, "do it --hit-rate=1 -c here.yaml", "doing it at 1 with here.yaml\n")
	got := run(t, nil, map[string]string{"SHOP_HIT_RATE": "often"}, "do it")
	if got.code != 2 || got.stderr != "shop: the environment's SHOP_HIT_RATE: --hit-rate \"often\": say a whole number\n" {
		t.Errorf("a wrong value: exit %d, %q", got.code, got.stderr)
	}
	if got := run(t, nil, map[string]string{"SHOP_OUTPUT": "csv"}, "do it"); got.stdout != "thing,hit_rate\nit,1\n" {
		t.Errorf("SHOP_OUTPUT: %q", got.stdout)
	}
}

func TestInterruptedIsNotALayersError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	program := cli.Program{Name: "shop", Commands: func(*cli.Env) []*cobra.Command {
		return []*cobra.Command{{Use: "serve", RunE: func(cmd *cobra.Command, _ []string) error {
			cancel()
			return fmt.Errorf("store: opening shop.db: %w", cmd.Context().Err())
		}}}
	}}
	var stderr bytes.Buffer
	code := program.Main(ctx, []string{"serve"}, nil, &stderr, &stderr, func(string) string { return "" })
	if code != 1 || stderr.String() != "shop: interrupted\n" {
		t.Errorf("exit %d, %q", code, stderr.String())
	}
}

func TestReach(t *testing.T) {
	code := func(err error) cli.Code {
		var typed *cli.Error
		if errors.As(cli.Reach(err), &typed) {
			return typed.Code
		}
		return cli.CodeFailure
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	if _, err := net.Listen("tcp", listener.Addr().String()); !cli.CannotListen(fmt.Errorf("starting: %w", err)) {
		t.Errorf("an address in use: %v", err)
	}
	listener.Close()
	_, refused := http.Get(address)
	if code(refused) != cli.CodeConnect || cli.CannotListen(refused) {
		t.Errorf("a refused connection: %v", refused)
	}
	if other := errors.New("status 500"); cli.Reach(other) != other || code(context.Canceled) != cli.CodeFailure {
		t.Error("another error became one of connection")
	}
}

func TestPrint(t *testing.T) {
	table := cli.Table{Title: "leads", Columns: []string{"lead_id", "price_usd", "latency_ms", "at", "note", "of"}}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	table.Add("l-1", pingpost.Cents(1_042_50), 1500*time.Microsecond, at, "=HYPERLINK(1)", 3)
	table.Add("l-22", pingpost.Cents(5), 20*time.Millisecond, time.Time{}, "red \x1b[31m, \"quoted\"", nil)
	table.Add("l-3", pingpost.Cents(-100), time.Duration(0), at, "+1 312 555-0100", 12)

	prints := func(form, want string) {
		t.Helper()
		var stdout bytes.Buffer
		program := cli.Program{Name: "shop", Commands: func(env *cli.Env) []*cobra.Command {
			return []*cobra.Command{{Use: "list", RunE: func(*cobra.Command, []string) error {
				return env.Print(nil, table)
			}}}
		}}
		code := program.Main(context.Background(), []string{"list", "-o", form}, nil, &stdout, &stdout,
			func(string) string { return "" })
		if code != 0 || stdout.String() != want {
			t.Errorf("%s: exit %d\n%s\nwant\n%s", form, code, stdout.String(), want)
		}
	}
	prints("text", `leads
lead id      price  latency  at                    note                 of
l-1      $1,042.50    1.5ms  2026-03-01T08:00:00Z  =HYPERLINK(1)         3
l-22         $0.05     20ms                        red ?[31m, "quoted"   -
l-3         -$1.00       0s  2026-03-01T08:00:00Z  +1 312 555-0100      12
`)
	prints("csv", `lead_id,price_usd,latency_ms,at,note,of
l-1,1042.50,1.5,2026-03-01T08:00:00Z,'=HYPERLINK(1),3
l-22,0.05,20,,"red `+"\x1b"+`[31m, ""quoted""",
l-3,-1.00,0,2026-03-01T08:00:00Z,+1 312 555-0100,12
`)
	prints("json", `[
  {
    "lead_id": "l-1",
    "price_usd": 1042.50,
    "latency_ms": 1.5,
    "at": "2026-03-01T08:00:00Z",
    "note": "=HYPERLINK(1)",
    "of": 3
  },
  {
    "lead_id": "l-22",
    "price_usd": 0.05,
    "latency_ms": 20,
    "at": null,
    "note": "red \u001b[31m, \"quoted\"",
    "of": null
  },
  {
    "lead_id": "l-3",
    "price_usd": -1.00,
    "latency_ms": 0,
    "at": "2026-03-01T08:00:00Z",
    "note": "+1 312 555-0100",
    "of": 12
  }
]
`)
}

func TestProgressWithoutTerminalIsALineEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		env := &cli.Env{Stderr: &stderr}
		known, unknown := env.Progress("replaying", 200), env.Progress("reading", -1)
		for range 110 {
			time.Sleep(100 * time.Millisecond)
			known.Add(1)
		}
		unknown.Set(42)
		known.Done()
		want := "replaying: 50 of 200 (25 %)\nreplaying: 100 of 200 (50 %)\nreading: 42\n"
		if got := stderr.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}
