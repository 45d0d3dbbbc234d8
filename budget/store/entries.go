package store

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"leadbid/internal/sqlstore"
)

// entry is one event of the audit trail. lease and lead are 0 and "" where it has none.
type entry struct {
	run   int64
	at    time.Time
	kind  string
	lease int64
	lead  string
	cents int64
	leads int64
	of    facts // of the rows that it tells of
}

// digest chains an entry, and what it tells of, to the hash of the one before it in the same run.
func (e *entry) digest(former []byte) []byte {
	b := append(make([]byte, 0, 640), former...)
	for _, n := range [...]int64{e.run, e.at.UnixMilli(), e.lease, e.cents, e.leads} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(append(b, e.kind...), 0)
	b = append(append(b, e.lead...), 0)
	b = e.of.appendTo(b)
	sum := sha256.Sum256(b)
	return sum[:]
}

// chainOf names the end of a run's chain among what a transaction remembers. Nobody but the run
// itself adds to its chain.
type chainOf int64

// end is the last entry of a chain. Of a chain without entries n is 0, and the hash zeros.
type end struct {
	n    int64
	hash []byte
}

const lastEntry = `SELECT n, hash FROM entry WHERE run = ? ORDER BY n DESC LIMIT 1`

// endOf is what the next entry of a run builds on.
func endOf(tx *sqlstore.Tx, run int64) (end, error) {
	if last, known := tx.Recall(chainOf(run)).(end); known {
		return last, nil
	}
	last := end{hash: make([]byte, sha256.Size)}
	_, err := tx.Row(lastEntry, []any{run}, &last.n, &last.hash)
	return last, err
}

// note writes an entry at the end of its run's chain.
func note(tx *sqlstore.Tx, e entry) error {
	former, err := endOf(tx, e.run)
	if err != nil {
		return err
	}
	var lease any
	if e.lease != 0 {
		lease = e.lease
	}
	last := end{former.n + 1, e.digest(former.hash)}
	tx.Remember(chainOf(e.run), last)
	newEntries.add(tx, e.run, last.n, e.at.UnixMilli(), e.kind, lease, orNull(e.lead), e.cents, e.leads, last.hash)
	return nil
}

var newEntries = newBulk(`INSERT OR FAIL INTO entry (run, n, at_ms, kind, lease, lead, cents, leads, hash)`, "")

// markHead keeps how far the run's chain goes. Without it a chain could be cut short unseen, together
// with the rows that it tells of.
func markHead(tx *sqlstore.Tx, run int64) error {
	last, err := endOf(tx, run)
	if err != nil || last.n == 0 {
		return err
	}
	return tx.Later(`UPDATE run SET head = ?1, head_n = ?2 WHERE id = ?3 AND head_n <> ?2`,
		[]any{last.hash, last.n, run}, nil)
}
