package recording_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"leadbid/pingpost/recording"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// segment is a recording of n records that was flushed after every third, and where it stood then.
func segment(t testing.TB, n int) (content []byte, flushed []int) {
	t.Helper()
	var out bytes.Buffer
	w, err := recording.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		line := recording.AppendPing(nil, uint64(i), noon.Add(time.Duration(i)*time.Second), usual(), keepAll,
			fmt.Appendf(nil, `{"bid":%d.00}`, i))
		if err := w.Write(line); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			flushed = append(flushed, out.Len())
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), flushed
}

func same(a, b []*recording.Record) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

// Wherever a crash cuts a recording off, what was flushed before is there, whole and in order.
func TestTornTail(t *testing.T) {
	content, flushed := segment(t, 12)
	all, err := read(t, content)
	if err != nil || len(all) != 12 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	for cut := 0; cut < len(content); cut += stride {
		records, err := read(t, content[:cut])
		if cut > 0 && !errors.Is(err, recording.ErrTruncated) {
			t.Fatalf("cut at %d of %d: %v, want ErrTruncated", cut, len(content), err)
		}
		safe := 0
		for i, at := range flushed {
			if at <= cut {
				safe = 3 * (i + 1)
			}
		}
		if len(records) < safe {
			t.Fatalf("cut at %d: %d records, %d were flushed", cut, len(records), safe)
		}
		if diff := same(all[:len(records)], records); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
	}
}

// A changed byte is noticed by the end of the recording at the latest, or changes nothing.
func TestFlippedByte(t *testing.T) {
	content, _ := segment(t, 6)
	all, err := read(t, content)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(content); i += stride {
		flipped := bytes.Clone(content)
		flipped[i] ^= 0x20
		r, err := recording.NewReader(bytes.NewReader(flipped))
		if err != nil {
			continue
		}
		var records []*recording.Record
		for err == nil {
			var record *recording.Record
			if record, err = r.Next(); err == nil {
				records = append(records, record)
			}
		}
		if err.Error() == "EOF" && same(all, records) != "" {
			t.Fatalf("byte %d changed, and nobody noticed", i)
		}
	}
}

func TestEmptyRecordings(t *testing.T) {
	for what, content := range map[string][]byte{"no bytes": nil, "no records": write(t)} {
		if records, err := read(t, content); len(records) != 0 || err != nil {
			t.Errorf("%s: %d records, %v", what, len(records), err)
		}
	}
}

func TestLineWithoutEnd(t *testing.T) {
	whole := recording.Append(nil, 1, noon, recording.KindAway, []byte(`{}`))
	records, err := read(t, write(t, whole, whole[:len(whole)-1]))
	if len(records) != 1 || !errors.Is(err, recording.ErrTruncated) {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestRecordsOwnTheirMemory(t *testing.T) {
	content, _ := segment(t, 200)
	first, err := read(t, content)
	if err != nil {
		t.Fatal(err)
	}
	for i, record := range first {
		if string(record.Decision) != fmt.Sprintf(`{"bid":%d.00}`, i) || record.Ping.Source != "google-12" {
			t.Fatalf("record %d was overwritten: %+v", i, record)
		}
	}
}

// failing is a disk that is full.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterTellsOfAFullDisk(t *testing.T) {
	w, err := recording.NewWriter(failing{})
	if err != nil {
		t.Fatal(err)
	}
	line := recording.Append(nil, 1, noon, recording.KindAway, []byte(`{}`))
	if err = w.Write(line); err == nil {
		err = w.Flush()
	}
	if err == nil || w.Close() == nil {
		t.Errorf("got %v", err)
	}
}

// FuzzReader reads anything as a file, and anything as the lines of a well-formed one.
func FuzzReader(f *testing.F) {
	content, _ := segment(f, 3)
	f.Add(content)
	f.Add(content[:len(content)/2])
	f.Add(recording.AppendPing(nil, 1, noon, usual(), keepAll, []byte(`{}`)))
	f.Add(recording.Append(nil, 1, noon, recording.KindGap, []byte(`{}`)))
	f.Add([]byte("{}\n\n"))
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, file := range [][]byte{content, encoder.EncodeAll(content, nil)} {
			r, err := recording.NewReader(bytes.NewReader(file))
			if err != nil {
				continue
			}
			for err == nil {
				var record *recording.Record
				if record, err = r.Next(); err == nil && (record.Kind == "" || (record.Ping != nil) != (record.Kind == recording.KindPing)) {
					t.Fatalf("%q gave %+v", content, record)
				}
			}
		}
	})
}
