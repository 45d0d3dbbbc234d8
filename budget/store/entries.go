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

const lastHash = `SELECT hash FROM entry WHERE run = ? ORDER BY id DESC LIMIT 1`

// headOf is the hash that the next entry of a run builds on; zeros for the first.
func headOf(tx *sqlstore.Tx, run int64) ([]byte, error) {
	if head, known := tx.Recall(chainOf(run)).([]byte); known {
		return head, nil
	}
	head := make([]byte, sha256.Size)
	_, err := tx.Row(lastHash, []any{run}, &head)
	return head, err
}

// note writes an entry at the end of its run's chain.
func note(tx *sqlstore.Tx, e entry) error {
	former, err := headOf(tx, e.run)
	if err != nil {
		return err
	}
	var lease, lead any
	if e.lease != 0 {
		lease = e.lease
	}
	if e.lead != "" {
		lead = e.lead
	}
	hash := e.digest(former)
	tx.Remember(chainOf(e.run), hash)
	return tx.Later(`INSERT INTO entry (run, at_ms, kind, lease, lead, cents, leads, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		[]any{e.run, e.at.UnixMilli(), e.kind, lease, lead, e.cents, e.leads, hash}, nil)
}

// markHead keeps how far the run's chain goes. Without it a chain could be cut short unseen, together
// with the rows that it tells of.
func markHead(tx *sqlstore.Tx, run int64) error {
	head, err := headOf(tx, run)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE run SET head = ? WHERE id = ? AND (head IS NULL OR head <> ?)`, head, run, head)
	return err
}
