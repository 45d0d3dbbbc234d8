package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
	"leadbid/pingpost/zips"
	"leadbid/rules"
)

//go:embed init/*.tmpl
var initFiles embed.FS

// beginning is what the user of init says.
type beginning struct {
	trade, zip, name string
	miles            int
	budget           string
	exchanges        []string
}

func initCommand(env *cli.Env) *cobra.Command {
	var said beginning
	command := &cobra.Command{
		Use:   "init --trade TRADE --zip ZIP",
		Short: "Write a first configuration with its test cases",
		Long: "Writes a commented configuration for a trade, in observe mode and with prices to begin with,\n" +
			"its test cases, and the schema that editors complete it by. Existing files are never touched.\n\n" +
			"Trades: " + strings.Join(tradeWords(), ", ") + ".",
		Example: "  bidder init --trade hvac --zip 60614 --radius 25 --budget 400 --exchange north=native",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			start, err := said.understand(env.ConfigPath())
			if err != nil {
				return err
			}
			return start.write(env)
		},
	}
	flags := command.Flags()
	flags.StringVar(&said.trade, "trade", "", "your `trade`, such as hvac")
	flags.StringVar(&said.zip, "zip", "", "the `ZIP` code in the middle of your area")
	flags.IntVar(&said.miles, "radius", 25, "how far you drive, in `miles`")
	flags.StringVar(&said.budget, "budget", "400", "`dollars` a day at most")
	flags.StringVar(&said.name, "name", "", "the `name` of your business")
	flags.StringArrayVar(&said.exchanges, "exchange", []string{"north=native"},
		"an exchange as `NAME=PROFILE`; may be given several times")
	trades := cobra.FixedCompletions(tradeWords(), cobra.ShellCompDirectiveNoFileComp)
	if err := command.RegisterFlagCompletionFunc("trade", trades); err != nil {
		panic(err) // the flag is declared above
	}
	return command
}

func tradeWords() []string {
	var words []string
	for _, known := range trades {
		words = append(words, known.Service)
	}
	return words
}

// start is what the templates read.
type start struct {
	Trade                             trade
	ZIP, City, State, TimeZone, Reach string
	Miles                             int
	Name, Campaign                    string
	Month, Day, Max                   pingpost.Cents
	Exchanges                         []startExchange
	Cases                             []startCase
	Config, Tests, Schema             string // file names
	configPath, testsPath, schemaPath string
}

type startExchange struct{ Name, Profile, Variable string }

// startCase is one case, its maps as lines.
type startCase struct {
	Name, At, Used string
	Ping, Expect   []string
}

// understand checks what was said and works out what follows from it.
func (b beginning) understand(config string) (*start, error) {
	at := slices.IndexFunc(trades, func(known trade) bool { return known.Service == b.trade })
	if at < 0 {
		err := cli.Usage("--trade %q: say one of %s", b.trade, yamlfile.OneOf(tradeWords()))
		if nearest, ok := yamlfile.Nearest(b.trade, tradeWords()); ok {
			return nil, cli.Hint(err, "did you mean %q?", nearest)
		}
		return nil, err
	}
	zip, err := pingpost.ParseZIP(b.zip)
	place, known := zips.Lookup(zip)
	if err != nil || !known {
		return nil, cli.Usage("--zip %q: say the five digits of a ZIP code in use", b.zip)
	}
	if b.miles < 1 || b.miles > 500 {
		return nil, cli.Usage("--radius %d: say 1 to 500 miles", b.miles)
	}
	budget, err := pingpost.ParseDollars(strings.TrimPrefix(b.budget, "$"))
	if err != nil {
		return nil, cli.Usage("--budget %q: say dollars a day, such as 400", b.budget)
	}
	s := &start{Trade: trades[at], ZIP: zip.String(), City: place.City, State: string(place.State),
		TimeZone: place.TimeZone, Miles: b.miles, Name: b.name, Day: budget, Month: 20 * budget,
		Campaign: strings.ReplaceAll(b.trade, "_", "-")}
	if s.Name == "" {
		s.Name = "My " + strings.ToLower(s.Trade.Title) + " business"
	}
	s.Reach = reach(zip, place.State, b.miles)
	if s.Max = s.Trade.maxBid(); budget < s.Max {
		return nil, cli.Usage("--budget %s: a %s lead costs up to %s, and more than a day's budget is never bid",
			b.budget, b.trade, s.Max)
	}
	if s.Exchanges, err = startExchanges(b.exchanges); err != nil {
		return nil, err
	}
	s.configPath = config
	s.testsPath = filepath.Join(filepath.Dir(config), defaultTests(config))
	s.schemaPath = filepath.Join(filepath.Dir(config), "bidder.schema.json")
	s.Config, s.Tests, s.Schema = filepath.Base(config), filepath.Base(s.testsPath), filepath.Base(s.schemaPath)
	s.Cases = s.cases(zip)
	return s, nil
}

// maxBid leaves room for a good lead of the dearest kind, in steps of five dollars.
func (t trade) maxBid() pingpost.Cents {
	dearest := 0
	for _, rule := range t.Rules {
		dearest = max(dearest, rule.Bid)
	}
	const step = 500
	return (pingpost.Cents(dearest*115) + step - 1) / step * step
}

// reach tells what only_states leaves out of the circle.
func reach(zip pingpost.ZIP, home pingpost.State, miles int) string {
	counts := map[pingpost.State]int{}
	within, _ := zips.Within(zip, float64(miles))
	for _, other := range within {
		if place, ok := zips.Lookup(other); ok && place.State != home {
			counts[place.State]++
		}
	}
	var beyond []string
	for state, count := range counts {
		beyond = append(beyond, fmt.Sprintf("%s (%d ZIPs)", state, count))
	}
	if len(beyond) == 0 {
		return "the circle lies in one state"
	}
	slices.Sort(beyond)
	return "the circle also reaches " + strings.Join(beyond, ", ") + ": add where you are licensed"
}

var exchangeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func startExchanges(said []string) ([]startExchange, error) {
	var exchanges []startExchange
	for _, pair := range said {
		name, profile, ok := strings.Cut(pair, "=")
		if !ok {
			profile = "native"
		}
		if !exchangeName.MatchString(name) || !slices.Contains(wire.Names(), profile) {
			return nil, cli.Usage("--exchange %q: say NAME=PROFILE, the profile one of %s", pair, yamlfile.OneOf(wire.Names()))
		}
		variable := keyVariable(name)
		for _, other := range exchanges {
			switch {
			case other.Name == name:
				return nil, cli.Usage("--exchange %q: %s is named twice", pair, name)
			case other.Variable == variable:
				return nil, cli.Usage("--exchange %q: its key would stand in %s, as that of %s: name one of them otherwise",
					pair, variable, other.Name)
			}
		}
		exchanges = append(exchanges, startExchange{name, profile, variable})
	}
	return exchanges, nil
}

// keyVariable is the variable that holds an exchange's key. None begins with a digit.
func keyVariable(exchange string) string {
	if exchange[0] >= '0' && exchange[0] <= '9' {
		exchange = "exchange_" + exchange
	}
	return strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(exchange)) + "_KEY"
}

// cases tries every rule, both adjustments, and the three ways to get no bid that matter most.
func (s *start) cases(zip pingpost.ZIP) []startCase {
	last := s.Trade.Rules[len(s.Trade.Rules)-1]
	ping := func(rule startingRule, zip string, changed ...string) []string {
		return append([]string{"service: " + s.Trade.Service, "job: " + rule.Job, "urgency: " + rule.Urgency,
			"zip: " + zip, "homeowner: true", "exclusive: true", "lead_score: 60"}, changed...)
	}
	bid := func(cents pingpost.Cents, rule string) []string {
		return []string{"bid: " + dollars(cents), "rule: " + rule}
	}
	var cases []startCase
	for _, rule := range s.Trade.Rules {
		one := startCase{Name: rule.Name, Ping: ping(rule, s.ZIP), Expect: bid(pingpost.Cents(rule.Bid*100), rule.Name)}
		if rule.When != "" && strings.Contains(rule.When, "property_type") {
			one.Ping = append(one.Ping, "property_type: single_family")
		}
		cases = append(cases, one)
	}
	good, shared := ping(last, s.ZIP), ping(last, s.ZIP)
	good[len(good)-1] = "lead_score: 90"
	shared[len(shared)-2] = "exclusive: false"
	return append(cases,
		startCase{Name: "a good lead is worth more", Ping: good, Expect: bid(pingpost.Cents(last.Bid*115), last.Name)},
		startCase{Name: "a shared lead is worth less", Ping: shared, Expect: bid(pingpost.Cents(last.Bid*40), last.Name)},
		startCase{Name: "far away", Ping: ping(last, farFrom(zip)), Expect: []string{"no_bid: outside_area"}},
		startCase{Name: "in the middle of the night", At: "2026-03-03 02:30", Ping: ping(last, s.ZIP),
			Expect: []string{"no_bid: outside_hours"}},
		startCase{Name: "the day's budget is spent", Ping: ping(last, s.ZIP), Used: dollars(s.Day),
			Expect: []string{"no_bid: budget_exhausted"}})
}

// farFrom is a ZIP of a coast that the circle cannot reach.
func farFrom(zip pingpost.ZIP) string {
	const newYork, beverlyHills = pingpost.ZIP(10001), pingpost.ZIP(90210)
	here, _ := zips.Lookup(zip)
	east, _ := zips.Lookup(newYork)
	if zips.Miles(here, east) > 1000 {
		return newYork.String()
	}
	return beverlyHills.String()
}

// write makes the three files, none of which may exist.
func (s *start) write(env *cli.Env) error {
	made := []struct {
		path, template string
	}{{s.configPath, "init/bidder.yaml.tmpl"}, {s.testsPath, "init/cases.yaml.tmpl"}, {s.schemaPath, ""}}
	for _, file := range made[:2] {
		if _, err := os.Stat(file.path); !errors.Is(err, fs.ErrNotExist) {
			return cli.Hint(cli.Usage("%s exists already, and is not touched", file.path),
				"name another file with --config FILE")
		}
	}
	templates, err := template.New("").Funcs(template.FuncMap{"dollars": dollars}).ParseFS(initFiles, "init/*.tmpl")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.configPath), 0o755); err != nil {
		return err
	}
	for _, file := range made {
		content := bytes.NewBuffer(rules.Schema())
		if file.template != "" {
			content = new(bytes.Buffer)
			if err := templates.ExecuteTemplate(content, filepath.Base(file.template), s); err != nil {
				return err
			}
		}
		if err := writeNew(file.path, content.Bytes()); err != nil {
			return err
		}
		env.Sayf("wrote %s", file.path)
	}
	s.sayNext(env)
	return nil
}

// dollars writes an amount as a person would: $400, or $34.50.
func dollars(amount pingpost.Cents) string {
	return "$" + strings.TrimSuffix(string(amount.AppendDollars(nil)), ".00")
}

// writeNew makes a file that does not exist. A schema that is there already stays.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) && strings.HasSuffix(path, ".schema.json") {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

func (s *start) sayNext(env *cli.Env) {
	flag := ""
	if s.configPath != configFile {
		flag = " --config " + s.configPath
	}
	env.Sayf("\nnext:")
	for _, exchange := range s.Exchanges {
		env.Sayf("  export %s=...    the key that you agree on with %s: at least 16 characters, best random", exchange.Variable, exchange.Name)
	}
	env.Sayf("  bidder check%s\n  bidder test%s\n  bidder serve%s", flag, flag, flag)
}
