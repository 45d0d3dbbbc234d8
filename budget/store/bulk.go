package store

import (
	"math"
	"slices"
	"strings"

	"leadbid/internal/sqlstore"
)

// bulk is an INSERT of rows that the charges of a transaction have put off to its end: a statement for many
// rows costs much less than one for each. Nothing is read of them in between but after tx.Settle.
type bulk struct {
	columns int
	texts   [len(bulkSizes)]string
}

// bulkSizes are how many rows a statement takes: few texts, so that each stays prepared.
var bulkSizes = [...]int{64, 8, 1}

// newBulk takes the statement's beginning, as in "INSERT OR FAIL INTO post (bid_id, at_ms)", and its end. A bulk
// that fails is undone with the job or the transaction that it belongs to, so that it needs no journal of its own.
func newBulk(insert, tail string) *bulk {
	b := &bulk{columns: strings.Count(insert, ",") + 1}
	row := ", (?" + strings.Repeat(", ?", b.columns-1) + ")"
	for i, rows := range bulkSizes {
		b.texts[i] = insert + " VALUES " + strings.Repeat(row, rows)[len(", "):] + tail
	}
	return b
}

// single is the statement for one row.
func (b *bulk) single() string { return b.texts[len(bulkSizes)-1] }

// waiting are rows of a bulk, with what its tail is given.
type waiting struct {
	values []any
	free   int64
}

// add puts rows off to the transaction's end. Each must be inserted then, or all charges of the transaction
// are undone and made anew, each for itself.
func (b *bulk) add(tx *sqlstore.Tx, values ...any) *waiting {
	w, known := tx.Recall(b).(*waiting)
	if !known || w == nil {
		w = &waiting{free: math.MaxInt64}
		tx.Remember(b, w)
		tx.AtEnd(func() error {
			tx.Remember(b, nil)
			return b.insert(tx, w)
		})
	}
	w.values = append(w.values, values...)
	return w
}

func (b *bulk) insert(tx *sqlstore.Tx, w *waiting) error {
	tail := strings.Count(b.single(), "?") > b.columns
	for i, rows := range bulkSizes {
		for n := rows * b.columns; len(w.values) >= n; w.values = w.values[n:] {
			values := w.values[:n:n]
			if tail {
				values = append(slices.Clip(values), w.free)
			}
			err := tx.Later(b.texts[i], values, func(hit int64) error {
				if hit != int64(rows) {
					return errGuard
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
