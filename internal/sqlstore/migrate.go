package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pressly/goose/v3"
)

// migrate brings the schema up to date. Where there is a schema already, and so perhaps somebody's
// books, keep first makes a backup of it and says where.
func migrate(ctx context.Context, dialect goose.Dialect, pool *sql.DB, files fs.FS,
	keep func(version int64) (where string, err error), told func(words string)) error {
	provider, err := goose.NewProvider(dialect, pool, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("reading the schema's version: %w", err)
	case current > target:
		return fmt.Errorf("%w: it has version %d, the program knows %d", ErrNewer, current, target)
	case current == target:
		return nil
	case current > 0:
		where, err := keep(current)
		if err != nil {
			return fmt.Errorf("making a backup before the migration: %w", err)
		}
		told(fmt.Sprintf("the books are brought from version %d to %d; as they were they are kept in %s",
			current, target, where))
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	return nil
}

// newest is the version of the newest migration.
func newest(files fs.FS) (version int64, err error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("reading the migrations: %w", err)
	}
	for _, name := range names {
		number, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("reading the migrations: %w", err)
		}
		version = max(version, number)
	}
	return version, nil
}

// checkBegun tells of a file that no program has made its tables in yet, such as an empty one.
func (db *DB) checkBegun(ctx context.Context) error {
	var tables int
	const query = `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`
	if err := db.reading.QueryRowContext(ctx, query).Scan(&tables); err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if tables == 0 {
		return fmt.Errorf("%w: no tables of leadbid in it", fs.ErrNotExist)
	}
	return nil
}

// checkSchema compares the schema with the newest migration without changing anything: goose itself
// would first write its table of versions.
func (db *DB) checkSchema(ctx context.Context, files fs.FS) error {
	target, err := newest(files)
	if err != nil {
		return err
	}
	var current int64
	const query = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`
	if err := db.reading.QueryRowContext(ctx, query).Scan(&current); err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	switch {
	case current > target:
		return fmt.Errorf("%w: it has version %d, the program knows %d", ErrNewer, current, target)
	case current < target:
		return fmt.Errorf("%w: it has version %d, the program needs %d", ErrOlder, current, target)
	}
	return nil
}

// backupName is the same for no two backups.
func backupName(version int64) string {
	return fmt.Sprintf("backup_v%d_%s", version, time.Now().UTC().Format("20060102_150405"))
}

// copyFile copies a SQLite database beside itself, whole and synced, for the owner only.
func copyFile(ctx context.Context, pool *sql.DB, path string, version int64) (where string, err error) {
	where = path + "." + backupName(version)
	// SQLite would make a file that everybody may read.
	file, err := os.OpenFile(where, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	_, err = pool.ExecContext(ctx, `VACUUM INTO ?`, where)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(where))
	}
	return where, nil
}
