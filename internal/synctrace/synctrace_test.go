package synctrace

import (
	"slices"
	"strings"
	"testing"
)

// The lines of a trace of `bidder serve`, its addresses and pages shortened.
const (
	arrives = `4034  read(19<TCP:[127.0.0.1:23456->127.0.0.1:48308]>, "POST /v1/post/northside HTTP/1.1\r\nHost: x\r\n\r\n", 8192) = 266`
	logs    = `4034  pwrite64(13</w/data/bidder.db-wal>, "\r\0\0\0\1\17\301\37701a20475-ab20-725e-800a-98ed02d26cf4q0) = \"", 4096, 515056) = 4096`
	syncs   = `4034  fsync(13</w/data/bidder.db-wal>)     = 0`
	accepts = `4034  write(19<TCP:[127.0.0.1:23456->127.0.0.1:48308]>, "HTTP/1.1 200 OK\r\n\r\n{\"ping_id\":\"q0\",\"status\":\"accepted\",\"lead_id\":\"01a20475-ab20-725e-800a-98ed02d26cf4\"}", 212) = 212`

	begins    = `4034  fsync(13</w/data/bidder.db-wal> <unfinished ...>`
	resumes   = `4034  <... fsync resumed>)              = 0`
	fails     = `4034  fsync(13</w/data/bidder.db-wal>)     = -1 EIO (Input/output error) (INJECTED)`
	pretends  = `4034  fsync(13</w/data/bidder.db-wal>)     = 0 (INJECTED)`
	other     = `4036  write(21<TCP:[127.0.0.1:23456->127.0.0.1:48310]>, "HTTP/1.1 200 OK\r\n\r\n{\"ping_id\":\"q0\",\"status\":\"no_bid\"}", 100) = 100`
	elsewhere = `4036  fsync(20</w/leads.jsonl>)            = 0`
)

func TestCheck(t *testing.T) {
	// In another thread, so that its calls may be under way at once.
	thread := func(line string) string { return strings.Replace(line, "4034", "4040", 1) }
	for name, test := range map[string]struct {
		trace []string
		fault string // "" where there is none
	}{
		"in order":           {[]string{arrives, logs, syncs, accepts}, ""},
		"beside other calls": {[]string{arrives, other, logs, begins, elsewhere, resumes, other, accepts}, ""},
		"a read that waits": {[]string{`4034  read(19<TCP:[127.0.0.1:23456->127.0.0.1:48308]>,  <unfinished ...>`, other,
			`4034  <... read resumed>"POST /v1/post/northside HTTP/1.1\r\n\r\n", 8192) = 266`, logs, syncs, accepts}, ""},
		"a ping since":         {[]string{arrives, strings.Replace(arrives, "/post/", "/ping/", 1), logs, syncs, accepts}, "without a post"},
		"repeated":             {[]string{arrives, logs, syncs, accepts, arrives, accepts}, ""},
		"no sync":              {[]string{arrives, logs, accepts}, "line 3: lead 01a20475-ab20-725e-800a-98ed02d26cf4 was accepted without a sync of the log after line 2"},
		"sync of another file": {[]string{arrives, logs, elsewhere, accepts}, "without a sync"},
		"sync before":          {[]string{arrives, syncs, logs, accepts}, "without a sync"},
		"sync begun before":    {[]string{arrives, thread(begins), logs, thread(resumes), accepts}, "without a sync"},
		"sync not ended":       {[]string{arrives, logs, thread(begins), accepts, thread(resumes)}, "without a sync"},
		"sync pretended":       {[]string{arrives, logs, pretends, accepts}, "without a sync"},
		"sync failed":          {[]string{arrives, logs, fails, accepts}, "without a sync"},
		"failed, then synced":  {[]string{arrives, fails, logs, syncs, accepts}, "after the sync of line 2 had failed"},
		"synced, then failed":  {[]string{arrives, logs, syncs, fails, accepts}, ""},
		"failed before":        {[]string{fails, arrives, logs, syncs, accepts}, ""},
		"never written":        {[]string{arrives, syncs, accepts}, "the log did not have it"},
		"no post":              {[]string{logs, syncs, accepts}, "without a post"},
		"signals and ends":     {[]string{arrives, logs, `4036  --- SIGURG {si_signo=SIGURG} ---`, syncs, accepts, `4036  +++ exited with 0 +++`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Check(strings.NewReader(strings.Join(test.trace, "\n")))
			if err != nil {
				t.Fatal(err)
			}
			faults := strings.Join(report.Faults, "\n")
			if (faults == "") != (test.fault == "") || !strings.Contains(faults, test.fault) {
				t.Errorf("faults %q, want %q", faults, test.fault)
			}
			if report.Accepted == 0 {
				t.Error("the answer was not seen")
			}
		})
	}
}

func TestCounts(t *testing.T) {
	trace := []string{arrives, other, logs, syncs, accepts, arrives, fails, other}
	report, err := Check(strings.NewReader(strings.Join(trace, "\n")))
	if err != nil || report.Posts != 2 || report.Accepted != 1 || report.Syncs != 1 || report.Failed != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := Check(strings.NewReader(resumes)); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a trace that begins in the middle: %v", err)
	}
}

func TestLeadIDs(t *testing.T) {
	const id = "01a20475-ab20-725e-800a-98ed02d26cf4"
	for text, want := range map[string][]string{
		"":                             nil,
		id:                             {id},
		`\37` + id + `q0` + id + "-7":  {id, id},
		strings.ToUpper(id):            nil,
		id[:30]:                        nil,
		"x-7" + id[3:]:                 nil,
		"01a20475-ab20-425e-800a-98ed": nil,
	} {
		if got := leadIDs(text); !slices.Equal(got, want) {
			t.Errorf("%q has %q", text, got)
		}
	}
}
