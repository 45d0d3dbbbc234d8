// Package cli is what the commands bidder, exchange and demo share at the edge to their user:
// exit codes as typed errors, --output, tables, progress, flags from the environment.
//
// It owns how a command line is read and how answers look; commands own what is said. It is
// called by cmd/* only, never by a package that could serve without a terminal. Data goes to
// stdout, words for people go to stderr. Only Program.Exit ends the process, and no state is kept
// between two calls of Main, so that tests run whole programs in one process. An Env is used by
// the goroutine that runs the command; only Progress is safe for several.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"leadbid/internal/yamlfile"
)

// Program is one executable: its name and words, and how its commands are made.
type Program struct {
	Name    string // "bidder"; its capitals begin the names of its environment variables
	Short   string // one line
	Example string // a few lines as typed, each indented by two spaces

	// ConfigFile is the default of --config; "" where the program reads no configuration.
	ConfigFile string

	// Commands makes the commands, fresh for each run. They read the flags shared by all through
	// env, and return errors of this package (or others, which exit 1) from RunE.
	Commands func(env *Env) []*cobra.Command

	// Root, where set, is what the program does when it is called without a command.
	Root func(env *Env, root *cobra.Command)
}

// Signals returns a context that ends at the first interrupt or request to terminate. A second
// one ends the process at once, as a user who presses the keys twice expects; only the folders of
// Temporary are removed before.
func Signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-arrived
		cancel()
		<-arrived
		removeTemporary()
		os.Exit(int(CodeFailure))
	}()
	return ctx, cancel
}

// temporary holds the folders that must not outlive the process.
var temporary struct {
	mu      sync.Mutex
	folders []string
}

// Temporary makes a folder for as long as the caller needs it, and at most as long as the process
// lives, unless that is killed. remove may be called more than once.
func Temporary(pattern string) (folder string, remove func(), err error) {
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	if folder, err = os.MkdirTemp("", pattern); err != nil {
		return "", nil, err
	}
	temporary.folders = append(temporary.folders, folder)
	return folder, func() { _ = os.RemoveAll(folder) }, nil
}

// removeTemporary tries more than once: the parts that are still running may be making a file.
func removeTemporary() {
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	for range 5 {
		for _, folder := range temporary.folders {
			_ = os.RemoveAll(folder)
		}
	}
}

// Exit is the whole of a main function: it runs the program with what the process was started
// with, until it ends or a signal ends it, and ends the process with the exit code.
func (p Program) Exit() {
	ctx, stop := Signals()
	code := p.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

// Main runs the program with the arguments (without its name) and returns its exit code. An error
// is printed to stderr, followed by a line that says what to do about it, where the error has one.
func (p Program) Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer,
	getenv func(string) string) int {
	env := &Env{Stdin: stdin, Stdout: stdout, Stderr: stderr, Getenv: getenv, output: Text}
	root := p.root(env)
	if args == nil {
		args = []string{} // cobra reads os.Args where it is given nil.
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var typed *Error
	switch {
	case err == nil:
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = &Error{Code: CodeFailure, Err: errors.New("interrupted")} // The user knows where.
	case !errors.As(err, &typed): // From cobra: commands' own errors are typed.
		err = Hint(&Error{Code: CodeUsage, Err: err}, "usage: %s", cmd.UseLine())
	}
	return p.report(stderr, err)
}

// root builds the tree of commands with the conventions of the house.
func (p Program) root(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:           p.Name,
		Short:         p.Short,
		Example:       p.Example,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          unknownCommand,

		SuggestionsMinimumDistance: 2,

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return p.flagsFromEnvironment(cmd, env) },
	}
	flags := root.PersistentFlags()
	flags.VarP(&env.output, "output", "o", "how data is written: text, json or csv")
	if p.ConfigFile != "" {
		flags.StringVarP(&env.config, "config", "c", p.ConfigFile, "the configuration `file`")
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return Hint(Usage("%w", inPlainWords(err)), "%s", likelyFlag(cmd, err))
	})
	if p.Root != nil {
		p.Root(env, root)
	}
	if p.Commands != nil {
		root.AddCommand(p.Commands(env)...)
	}
	sortUsage(root)
	return root
}

// sortUsage marks what a command's own code returns, so that every other error (an unknown flag) is
// known to be one of usage; and it has wrong arguments told in the words of the command. A command
// that only has others below it says which there are.
func sortUsage(cmd *cobra.Command) {
	if cmd.RunE == nil && cmd.HasSubCommands() {
		cmd.Args, cmd.RunE, cmd.SuggestionsMinimumDistance = cobra.ArbitraryArgs, unknownCommand, 2
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) == nil {
				return nil
			}
			return wrongArguments(cmd, args)
		}
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var typed *Error
			if err == nil || errors.As(err, &typed) {
				return err
			}
			return &Error{Code: CodeFailure, Err: err}
		}
	}
	for _, child := range cmd.Commands() {
		sortUsage(child)
	}
}

// wrongArguments says what is missing or too much, by the name that the usage line gives it.
func wrongArguments(cmd *cobra.Command, args []string) error {
	_, operand, _ := strings.Cut(cmd.Use, " ")
	var err error
	switch {
	case operand == "" || strings.HasPrefix(operand, "-"):
		err = Usage("%q takes flags only, not %q", cmd.CommandPath(), args[0])
	case len(args) == 0:
		err = Usage("%q needs %s", cmd.CommandPath(), operand)
	default:
		err = Usage("%q takes one %s, not %d", cmd.CommandPath(), operand, len(args))
	}
	return Hint(err, "usage: %s", cmd.UseLine())
}

// likelyFlag says which flag was probably meant, or where they are listed.
func likelyFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
		if nearest, ok := yamlfile.Nearest(unknown.GetSpecifiedName(), names); ok {
			return fmt.Sprintf("did you mean --%s?", nearest)
		}
	}
	return fmt.Sprintf("%q lists the flags", cmd.CommandPath()+" --help")
}

// inPlainWords says of a flag's value what belongs there, and not which function could not read it.
func inPlainWords(err error) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return err
	}
	flag := wrong.GetFlag()
	placeholder, _ := pflag.UnquoteUsage(flag)
	expected := map[string]string{
		"duration": "a length of time with its unit, such as 30s or 5m",
		"float64":  "a number, such as 2.5",
		"int":      "a whole number",
		"uint64":   "a whole number that is not negative",
		"intSlice": "whole numbers, such as 100 or 100,500",
		"bool":     "true or false",

		"stringToString": placeholder,
	}[flag.Value.Type()]
	if expected == "" { // Flags of the house say themselves what they take.
		return fmt.Errorf("--%s %q: %w", flag.Name, wrong.GetValue(), wrong.Unwrap())
	}
	return fmt.Errorf("--%s %q: say %s", flag.Name, wrong.GetValue(), expected)
}

// unknownCommand is a program, or a command with others below it, that does nothing without one.
func unknownCommand(parent *cobra.Command, args []string) error {
	if len(args) == 0 {
		parent.SetOut(parent.ErrOrStderr())
		_ = parent.Help() // It only fails where nothing can be written, and then neither can this.
		return &Error{Code: CodeUsage}
	}
	err := Usage("unknown command %q", args[0])
	if likely := parent.SuggestionsFor(args[0]); len(likely) > 0 {
		return Hint(err, "did you mean %q?", likely[0])
	}
	return Hint(err, "%q lists the commands", parent.CommandPath()+" --help")
}

// flagsFromEnvironment sets every flag that was not given from NAME_FLAG, if that is there: a
// flag beats the environment, which beats the default.
func (p Program) flagsFromEnvironment(cmd *cobra.Command, env *Env) error {
	var first error
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		name := strings.ToUpper(p.Name + "_" + strings.ReplaceAll(flag.Name, "-", "_"))
		value := env.Getenv(name)
		if first != nil || flag.Changed || value == "" || flag.Name == "help" || flag.Name == "version" {
			return
		}
		if err := cmd.Flags().Set(flag.Name, value); err != nil {
			first = Usage("the environment's %s: %w", name, inPlainWords(err))
		}
	})
	return first
}

// report prints an *Error in the user's terms and gives its exit code.
func (p Program) report(stderr io.Writer, err error) int {
	if err == nil {
		return int(CodeOK)
	}
	var typed *Error
	errors.As(err, &typed)
	if typed.Err != nil {
		text := strings.TrimRight(err.Error(), "\n")
		if typed.Code != CodeConfig { // Faults name their file and line, which is where to look.
			text = p.Name + ": " + text
		}
		fmt.Fprintln(stderr, text)
	}
	if typed.Hint != "" {
		fmt.Fprintln(stderr, "hint: "+typed.Hint)
	}
	return int(typed.Code)
}

// version tells what was built, from what the toolchain put into the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && !strings.Contains(text, setting.Value[:min(12, len(setting.Value))]) {
			text += " " + setting.Value
		}
	}
	return fmt.Sprintf("%s (%s, %s/%s)", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
