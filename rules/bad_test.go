package rules

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadbid/internal/yamlfile"
)

var update = flag.Bool("update", false, "write the .want files of testdata/bad and testdata/warn")

// TestFaults holds the whole text of every message: file, line, column, caret, expectation, hint.
// Each file is named after its fault.
func TestFaults(t *testing.T) {
	goldenMessages(t, "testdata/bad", 50, func(t *testing.T, rs *Ruleset, faults *yamlfile.Faults) {
		if rs != nil {
			t.Fatal("it was accepted")
		}
		for _, fault := range faults.List() {
			if fault.Severity == yamlfile.Wrong && fault.Expected == "" && fault.Type == "" {
				t.Errorf("what should be typed instead?\n%s", fault)
			}
		}
	})
}

// TestWarningsInFull does the same for what can be used and is most likely not meant.
func TestWarningsInFull(t *testing.T) {
	goldenMessages(t, "testdata/warn", 8, func(t *testing.T, rs *Ruleset, _ *yamlfile.Faults) {
		if rs == nil {
			t.Fatal("it was refused")
		}
	})
}

func goldenMessages(t *testing.T, folder string, least int,
	check func(*testing.T, *Ruleset, *yamlfile.Faults)) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.yaml")
	if err != nil || len(files) < least {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			rs, faults := Load(os.DirFS(folder), filepath.Base(file), testenv)
			check(t, rs, faults)
			if faults.String() == "" {
				t.Fatal("nothing was said")
			}
			want := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(faults.String()), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			expected, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(expected), faults.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
