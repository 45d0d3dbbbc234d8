package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	refuses := func(line, why string) {
		t.Helper()
		if _, err := parseFlags(strings.Fields(line), io.Discard); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", line, err)
		}
	}
	refuses("nosuch", `"nosuch" is not understood: after the flags there is nothing, shading or crew`)
	refuses("crew more", `"more" is not understood`)
	refuses("--periods 1", "--periods 1: say 2 to 100000")
	refuses("--only nosuch", "--only nosuch: the markets are even, peaked, storm, dry, thin, recorded")
	refuses("--only even crew", "--only even: the markets are slack, busy, crowded")
	refuses("--only recorded shading", "--only recorded: the markets are log-normal, narrow, wide")
	refuses("--first 5 crew", "--first 5: crew always draws the same")
	refuses("--first 5 shading", "--first 5: shading always draws the same")

	s, err := parseFlags(strings.Fields("--only busy --periods 3 crew"), io.Discard)
	if err != nil || s != (settings{part: crewPart, folder: "bench/results/strategy", periods: 3, only: "busy"}) {
		t.Errorf("read %+v, %v", s, err)
	}
}

// TestKeptResultsSayTheirDraws: figures of other draws must not be taken for those that are always drawn.
func TestKeptResultsSayTheirDraws(t *testing.T) {
	kept := func(first int) (text []byte) {
		t.Helper()
		folder := t.TempDir()
		if err := run(io.Discard, folder, 2, "", "thin", first); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(folder, today()+".json"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if text := kept(7); !bytes.Contains(text, []byte(`"first": 7`)) {
		t.Errorf("its draws are not named:\n%s", text)
	}
	if text := kept(0); bytes.Contains(text, []byte(`"first"`)) {
		t.Errorf("the usual draws are named:\n%s", text)
	}
	folder := t.TempDir()
	if err := run(io.Discard, folder, 2, "", recordedMarket, 0); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadDir(folder); err != nil || len(kept) > 0 {
		t.Errorf("nothing was played, and kept were %v, %v", kept, err)
	}
}
