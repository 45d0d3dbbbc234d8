package store

import (
	"context"
	"errors"
	"time"

	"leadbid/budget"
	"leadbid/internal/sqlstore"
)

// signsAfter is how long a new signing key waits before it signs: every replica has read it by then.
// One that could not meets an id that it cannot read, and asks the store again before it says so.
const signsAfter = time.Minute

const signingKeys = `SELECT id, secret, made_ms, signs_ms, revoked = 1 FROM signing_key ORDER BY id`

func (s *books) Keys(ctx context.Context) (*budget.Keyring, error) {
	var keys []budget.SigningKey
	err := s.each(ctx, signingKeys, nil, func(rows sqlstore.Rows) error {
		key, err := scanKey(rows)
		keys = append(keys, key)
		return err
	})
	if err == nil && len(keys) == 0 {
		err = errNoKey
	}
	if err != nil {
		return nil, unread("reading the signing keys", err)
	}
	clock := s.clock
	if clock == nil {
		clock = time.Now // which of them signs is no matter of seconds
	}
	return budget.NewKeyring(keys, clock()), nil
}

var errNoKey = errors.New("no run has begun on the books, so that there is none")

func scanKey(rows sqlstore.Rows) (key budget.SigningKey, err error) {
	var secret []byte
	var made, signs int64
	if err = rows.Scan(&key.ID, &secret, &made, &signs, &key.Revoked); err != nil {
		return key, err
	}
	key.Secret, key.MadeAt, key.SignsFrom = [32]byte(secret), instant(made), instant(signs)
	return key, nil
}

// firstKey makes the first signing key where there is none, and reads them all.
func firstKey(tx *sqlstore.Tx, now time.Time) (*budget.Keyring, error) {
	_, err := tx.Exec(`INSERT INTO signing_key (id, secret, made_ms, signs_ms) VALUES (1, ?, ?, ?) ON CONFLICT DO NOTHING`,
		secret(), now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(signingKeys)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []budget.SigningKey
	for rows.Next() {
		key, err := scanKey(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return budget.NewKeyring(keys, now), nil
}

func (s *books) Rotate(ctx context.Context, how Rotation) (made bool, err error) {
	err = s.write(ctx, "making a signing key", func(tx *sqlstore.Tx) error {
		made, err = rotate(tx, how, s.now(tx))
		return err
	})
	return made && err == nil, err
}

// rotate asks the newest key for its age in the transaction that makes the next: of several that
// rotate at a time only the first finds it old enough.
func rotate(tx *sqlstore.Tx, how Rotation, now time.Time) (made bool, err error) {
	var newest, madeAt int64
	found, err := tx.Row(`SELECT id, made_ms FROM signing_key ORDER BY id DESC LIMIT 1`, nil, &newest, &madeAt)
	switch {
	case err != nil:
		return false, err
	case !found:
		return false, errNoKey
	case now.Sub(instant(madeAt)) < how.OlderThan:
		return false, nil
	}
	signs := now.Add(signsAfter)
	if how.Revoke {
		signs = now
		if _, err := tx.Exec(`UPDATE signing_key SET revoked = 1`); err != nil {
			return false, err
		}
	}
	return true, mustHit(tx.Exec(`INSERT INTO signing_key (id, secret, made_ms, signs_ms) VALUES (?, ?, ?, ?)`,
		newest+1, secret(), now.UnixMilli(), signs.UnixMilli()))
}
