package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"leadbid/internal/cli"
)

func TestLogFlags(t *testing.T) {
	logs := func(line string, code int, want string) {
		t.Helper()
		var stderr bytes.Buffer
		program := cli.Program{Name: "shop", Commands: func(env *cli.Env) []*cobra.Command {
			serve := &cobra.Command{Use: "serve"}
			newLog := env.LogFlags(serve, "info")
			serve.RunE = func(*cobra.Command, []string) error {
				log, err := newLog()
				log.Debug().Msg("quiet")
				log.Info().Msg("loud")
				return err
			}
			return []*cobra.Command{serve}
		}}
		got := program.Main(context.Background(), strings.Fields("serve "+line), nil, nil, &stderr,
			func(string) string { return "" })
		if got != code || !strings.Contains(stderr.String(), want) || strings.Contains(stderr.String(), "quiet") ||
			want == "" && stderr.Len() > 0 {
			t.Errorf("serve %s: exit %d, %q; want exit %d, %q", line, got, stderr.String(), code, want)
		}
	}
	logs("", 0, `"message":"loud"`)
	logs("--log-format json", 0, `"level":"info"`)
	logs("--log-format text", 0, "INF")
	logs("--log-level warn", 0, "")
	logs("--log-level chatty", 2, "say debug, info, warn or error")
	logs("--log-format yaml", 2, "say text, json or auto")
}

func TestIsTerminal(t *testing.T) {
	if cli.IsTerminal(new(bytes.Buffer)) {
		t.Error("a buffer counts as a terminal")
	}
}
