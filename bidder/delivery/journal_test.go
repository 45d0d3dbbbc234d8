package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leadbid/rules"
)

// ids reads the deliveries in a file, in order, and fails where a line is no JSON.
func ids(t *testing.T, path string) (list []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var entry payload
		if err := json.Unmarshal(line, &entry); err != nil || line[len(line)-1] != '\n' {
			t.Errorf("%s has the line %q: %v", path, line, err)
		}
		list = append(list, entry.DeliveryID)
	}
	return list
}

func fileTest(o *outbox, dir string) *Deliverer {
	return newTest(o, only(rules.Target{Name: "file", File: "out/leads.jsonl"}),
		func(options *Options) { options.BaseDir = dir })
}

func TestFileGetsEachLeadOnce(t *testing.T) {
	o, dir := newOutbox(), t.TempDir()
	path := filepath.Join(dir, "out", "leads.jsonl")
	for range 5 {
		o.add("hvac", "file")
	}
	drain(t, fileTest(o, dir))
	if got := strings.Join(ids(t, path), " "); got != "dlv_1 dlv_2 dlv_3 dlv_4 dlv_5" {
		t.Errorf("the file has %s", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; want it readable by its owner only", info.Mode(), err)
	}

	// A crash after the append and before the note: the rows are due again in a new process.
	for _, r := range o.rows {
		r.done = false
	}
	o.add("hvac", "file")
	drain(t, fileTest(o, dir))
	if got := strings.Join(ids(t, path), " "); got != "dlv_1 dlv_2 dlv_3 dlv_4 dlv_5 dlv_6" {
		t.Errorf("after a restart the file has %s", got)
	}
}

func TestFileThatACrashCutOffIsMended(t *testing.T) {
	f := func(what, before, want string) {
		t.Helper()
		o, dir := newOutbox(), t.TempDir()
		path := filepath.Join(dir, "out", "leads.jsonl")
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(before), 0o600)); err != nil {
			t.Fatal(err)
		}
		o.add("hvac", "file")
		drain(t, fileTest(o, dir))
		if got := strings.Join(ids(t, path), " "); got != want {
			t.Errorf("%s: the file has %q, want %q", what, got, want)
		}
	}
	f("an empty file", "", "dlv_1")
	f("half a line", `{"delivery_id":"dlv_0"}`+"\n"+`{"delivery_id":"dlv_1","lea`, "dlv_0 dlv_1")
	f("half of the only line", `{"deliv`, "dlv_1")
	f("a whole line without its newline", `{"delivery_id":"dlv_0"}`, "dlv_0 dlv_1")
	f("the very lead without its newline", `{"delivery_id":"dlv_1"}`, "dlv_1")
}

// fileOfTwo gives a file that two processes append to, each of which has read it.
func fileOfTwo(t *testing.T) (o *outbox, first, second *Deliverer, path string) {
	o, dir := newOutbox(), t.TempDir()
	path = filepath.Join(dir, "out", "leads.jsonl")
	first, second = fileTest(o, dir), fileTest(o, dir)
	for _, d := range []*Deliverer{first, second} {
		o.add("hvac", "file")
		drain(t, d)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	switch alone, err := own(file); {
	case err != nil:
		t.Fatal("nobody is writing, and it is locked: ", err)
	case !alone:
		t.Skip("NOT TESTED WITH TWO PROCESSES: there are no locks on open files here")
	}
	return o, first, second, path
}

// What one process appended, and died before it noted it, the other one finds there.
func TestProcessesThatShareAFileAppendEachLeadOnce(t *testing.T) {
	o, first, second, path := fileOfTwo(t)
	id := o.add("hvac", "file")
	drain(t, first)
	for _, r := range o.rows {
		r.done = r.ID != id
	}
	o.add("hvac", "file")
	drain(t, second)
	o.add("hvac", "file")
	drain(t, first)
	if got := strings.Join(ids(t, path), " "); got != "dlv_1 dlv_2 dlv_3 dlv_4 dlv_5" {
		t.Errorf("the file has %s", got)
	}
}

// Half a line of a process that died in its append is none of the other's lead.
func TestAProcessMendsWhatAnotherLeft(t *testing.T) {
	o, first, _, path := fileOfTwo(t)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"delivery_id":"dlv_3","le`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	o.add("hvac", "file")
	drain(t, first)
	if got := strings.Join(ids(t, path), " "); got != "dlv_1 dlv_2 dlv_3" {
		t.Errorf("the file has %s", got)
	}
}

// A process that stands still in its append holds nobody up for longer than an attempt.
func TestAFileThatStaysLockedIsTriedAgain(t *testing.T) {
	o, _, _, path := fileOfTwo(t)
	synctest.Test(t, func(t *testing.T) {
		third := fileTest(o, filepath.Dir(filepath.Dir(path)))
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own(file); err != nil {
			t.Fatal(err)
		}
		id := o.add("hvac", "file")
		drain(t, third)
		if got := o.row(id); len(got.ended) != 1 || !strings.Contains(got.ended[0].Error, "another process keeps it locked") {
			t.Errorf("while it is locked: %+v", got.ended)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		o.nextDue()
		drain(t, third)
		if !o.row(id).done {
			t.Errorf("once it is free: %+v", o.row(id).ended)
		}
	})
}

func TestFileThatWasMovedAwayIsBegunAnew(t *testing.T) {
	o, dir := newOutbox(), t.TempDir()
	path := filepath.Join(dir, "out", "leads.jsonl")
	d := fileTest(o, dir)
	o.add("hvac", "file")
	drain(t, d)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	o.add("hvac", "file")
	drain(t, d)
	if got := strings.Join(ids(t, path), " "); got != "dlv_2" {
		t.Errorf("the new file has %s, want dlv_2", got)
	}
}

func TestOldestFirst(t *testing.T) {
	o, dir := newOutbox(), t.TempDir()
	var want []string
	for range 600 {
		want = append(want, o.add("hvac", "file"))
		o.advance(time.Second)
	}
	drain(t, fileTest(o, dir))
	if got := ids(t, filepath.Join(dir, "out", "leads.jsonl")); !slices.Equal(got, want) {
		t.Errorf("the file has %v", got)
	}
}

func TestCampaignsMayShareAFile(t *testing.T) {
	o, dir := newOutbox(), t.TempDir()
	for range 200 {
		o.add("hvac", "file")
		o.add("plumbing", "file")
	}
	drain(t, fileTest(o, dir))
	list := ids(t, filepath.Join(dir, "out", "leads.jsonl"))
	once := map[string]bool{}
	for _, id := range list {
		once[id] = true
	}
	if len(list) != 400 || len(once) != 400 {
		t.Errorf("400 leads are %d lines with %d ids", len(list), len(once))
	}
}

func TestFileThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	o, dir := newOutbox(), t.TempDir()
	inTheWay := filepath.Join(dir, "out")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	id := o.add("hvac", "file")
	d := fileTest(o, dir)
	drain(t, d)
	if got := o.row(id); got.done || len(got.ended) != 1 || got.ended[0].Error == "" {
		t.Errorf("an impossible file: %+v", got.ended)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	o.nextDue()
	drain(t, d)
	if !o.row(id).done {
		t.Error("the file can be written now, and was not")
	}
}

// A connection to the store that says nothing any more holds deliveries up for seconds, not for ever.
func TestASilentOutboxIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, dir := newOutbox(), t.TempDir()
		o.deaf = 3
		id := o.add("hvac", "file")
		stop := running(t, fileTest(o, dir))
		defer stop()
		time.Sleep(3*outboxTimeout + 4*pollEvery)
		synctest.Wait()
		if !o.row(id).done {
			t.Error("after three questions without an answer nothing more was delivered")
		}
	})
}

func TestMemoryOfAJournalIsBounded(t *testing.T) {
	j := &journal{seen: map[string]bool{}}
	for i := range 3 * maxSeen {
		j.remember(string(rune(i)) + "x")
	}
	if len(j.seen) > maxSeen || len(j.order) > maxSeen {
		t.Errorf("it remembers %d ids", len(j.seen))
	}
}
