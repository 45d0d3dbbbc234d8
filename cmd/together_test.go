package cmd_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"leadbid/internal/scripttest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is where the programs are, once a test asked for them.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// programs builds the commands, once for all tests, and gives their folder.
func programs(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "leadbid-programs-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.dir, "leadbid/cmd/bidder", "leadbid/cmd/demo", "leadbid/cmd/exchange")
		if output, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("building the commands: %w\n%s", err, output)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// TestTogether runs scripts in which the programs meet, as real processes.
func TestTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short, as they run for some seconds: bidder and exchange together")
	}
	bin := programs(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("SECRETS", "NORTH_KEY WEBFORM_KEY")
			env.Setenv("NORTH_KEY", "north-0123456789abcdef0123456789")
			env.Setenv("WEBFORM_KEY", "webform-0123456789abcdef0123456789")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     scripttest.Exits,
			"falsified": falsify,
			"interrupt": scripttest.Interrupt,
			"serving":   scripttest.ServingIn(bin, regexp.MustCompile(`answering pings at (http://\S+),`), "BIDDER"),
		},
	})
}

// falsify is "falsified STATEMENT INTO": a statement with a lead that is missing, one that is charged
// twice, one whose price is changed, one that is in another currency, and one of nobody. It sets the
// variables MISSING, TWICE, DEAR and FOREIGN to the leads' ping ids.
func falsify(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: falsified STATEMENT INTO")
	}
	rows, err := csv.NewReader(bytes.NewReader([]byte(ts.ReadFile(args[0])))).ReadAll()
	ts.Check(err)
	if len(rows) < 7 {
		ts.Fatalf("the statement has %d lines: the market sold too little to try every mistake on", len(rows)-1)
	}
	const ping, price = 0, 2
	set := func(name string, row []string) []string {
		ts.Setenv(name, row[ping])
		return append([]string{}, row...)
	}
	dear, foreign := set("DEAR", rows[1]), set("FOREIGN", rows[2])
	dear[price], foreign[price] = "9"+dear[price], "EUR "+foreign[price]
	twice, stranger := set("TWICE", rows[3]), append([]string{}, rows[3]...)
	stranger[ping] = "o-stranger"
	set("MISSING", rows[4]) // its day is that of its neighbours
	wrong := append([][]string{rows[0], dear, foreign, twice, twice, stranger}, rows[5:]...)
	var text bytes.Buffer
	ts.Check(csv.NewWriter(&text).WriteAll(wrong))
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), args[1]), text.Bytes(), 0o600))
}
