// Package cmd_test holds the house to its plan: which packages may import which, what the core
// must not do, and which versions must agree.
package cmd_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestLibcIsTheOneOfSQLite guards the pair that must move together: SQLite is translated against
// one exact version of libc, and another one corrupts memory at worst.
func TestLibcIsTheOneOfSQLite(t *testing.T) {
	command := exec.Command("go", "list", "-m", "-json", "modernc.org/sqlite")
	command.Dir = ".."
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var sqlite struct{ GoMod string }
	if err := json.Unmarshal(output, &sqlite); err != nil {
		t.Fatal(err)
	}
	ours, theirs := libcVersion(t, filepath.Join("..", "go.mod")), libcVersion(t, sqlite.GoMod)
	if ours != theirs {
		t.Errorf("go.mod has modernc.org/libc %s, and SQLite was made for %s", ours, theirs)
	}
}

func libcVersion(t *testing.T, goMod string) string {
	t.Helper()
	text, err := os.ReadFile(goMod)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`modernc\.org/libc (v\S+)`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("%s does not name modernc.org/libc", goMod)
	}
	return string(match[1])
}
