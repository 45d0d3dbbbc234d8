package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// MostFaults bounds what CheckFile tells of a damaged file.
const MostFaults = 10

// CheckFile has SQLite look at every page of its file, and tells how many there are and what is wrong with
// them. Where whole is set, each index is held against its table and each row against its constraints too,
// which takes two to three times as long. On PostgreSQL there is no such check, and pages is 0.
func (db *DB) CheckFile(ctx context.Context, whole bool) (pages int64, faults []string, err error) {
	if db.shared {
		return 0, nil, nil
	}
	check := "quick_check"
	if whole {
		check = "integrity_check"
	}
	r := db.Reader(ctx)
	if _, err = r.Row("PRAGMA page_count", nil, &pages); err == nil {
		err = r.Each(fmt.Sprintf("PRAGMA %s(%d)", check, MostFaults), nil, func(rows Rows) error {
			var said string
			if err := rows.Scan(&said); err != nil {
				return err
			}
			if said != "ok" {
				faults = append(faults, said)
			}
			return nil
		})
	}
	if err != nil && Damaged(err) {
		return pages, append(faults, err.Error()), nil
	}
	return pages, faults, err
}

// Damaged tells whether an error says that a SQLite file is not what SQLite wrote.
func Damaged(err error) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	code := failure.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}
