package books

import (
	"context"
	"slices"
	"time"
)

// kept is what somebody had kept under a name.
type kept struct {
	at   int64
	body []byte
}

// Keep implements store.Store.
func (b *Books) Keep(_ context.Context, name string, at time.Time, body []byte) error {
	return b.write("keeping "+name, func() error {
		if before, was := b.kept[name]; !was || before.at <= at.UnixMilli() {
			put(b, b.kept, name, kept{at.UnixMilli(), slices.Clone(body)})
		}
		return nil
	})
}

// Kept implements store.Store.
func (b *Books) Kept(_ context.Context, name string) (body []byte, at time.Time, err error) {
	err = b.read("reading "+name, func() {
		if one, was := b.kept[name]; was {
			body, at = slices.Clone(one.body), instant(one.at)
		}
	})
	return body, at, err
}
