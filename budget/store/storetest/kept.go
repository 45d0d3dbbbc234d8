package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// testKept has two replicas keep something under one name: the newer one stays, whoever comes last.
func testKept(t *testing.T, b *bench) {
	ctx := context.Background()
	is := func(name, body string, at time.Time) {
		t.Helper()
		got, since, err := b.s.Kept(ctx, name)
		b.must(err)
		if !bytes.Equal(got, []byte(body)) || !since.Equal(at) {
			t.Errorf("%s is %q of %v, want %q of %v", name, got, since, body, at)
		}
	}
	is("strategy", "", time.Time{})
	b.must(b.s.Keep(ctx, "strategy", b.now, []byte("first")))
	b.must(b.s.Keep(ctx, "other", b.now, []byte{0, 255}))
	is("strategy", "first", b.now)
	b.must(b.s.Keep(ctx, "strategy", b.now.Add(time.Minute), []byte("second")))
	b.must(b.s.Keep(ctx, "strategy", b.now.Add(time.Second), []byte("late")))
	is("strategy", "second", b.now.Add(time.Minute))
	is("other", "\x00\xff", b.now)
}
