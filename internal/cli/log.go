package cli

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// IsTerminal reports whether a person is likely to be reading what is written to w.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// LogFlags gives a command that serves the flags --log-level and --log-format. The function that
// comes back makes the log that they ask for, on stderr; a wrong value is an error of usage.
func (e *Env) LogFlags(cmd *cobra.Command, level string) func() (zerolog.Logger, error) {
	var format string
	cmd.Flags().StringVar(&level, "log-level", level, "the least `level` that is logged: debug, info, warn or error")
	cmd.Flags().StringVar(&format, "log-format", "auto", "the `form` of the log: text, json, or auto: text on a terminal")
	return func() (zerolog.Logger, error) {
		parsed, err := zerolog.ParseLevel(level)
		if err != nil || parsed == zerolog.NoLevel {
			return zerolog.Nop(), Usage("--log-level %q: say debug, info, warn or error", level)
		}
		out := e.Stderr
		switch {
		case format == "text" || (format == "auto" && IsTerminal(e.Stderr)):
			out = zerolog.ConsoleWriter{Out: e.Stderr, TimeFormat: time.TimeOnly, NoColor: e.Getenv("NO_COLOR") != ""}
		case format != "json" && format != "auto":
			return zerolog.Nop(), Usage("--log-format %q: say text, json or auto", format)
		}
		return zerolog.New(out).Level(parsed).With().Timestamp().Logger(), nil
	}
}
