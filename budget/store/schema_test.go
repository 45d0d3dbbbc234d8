package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSchemasAreTheSame holds PostgreSQL's tables against SQLite's, which are the ones to edit:
//
//	UPDATE_SCHEMA=1 go test ./budget/store -run TestSchemas
//
// writes the others.
func TestSchemasAreTheSame(t *testing.T) {
	names, err := fs.Glob(schema, "schema/sqlite/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		sqlite, err := fs.ReadFile(schema, name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("schema", "postgres", filepath.Base(name))
		want := inPostgres(string(sqlite))
		if os.Getenv("UPDATE_SCHEMA") != "" {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s is not %s in PostgreSQL's words (%v): UPDATE_SCHEMA=1 go test ./budget/store -run TestSchemas", path, name, err)
		}
	}
}

// inPostgres says a schema in PostgreSQL's words. Texts are compared byte by byte, whatever the
// database's language.
func inPostgres(sqlite string) string {
	for _, rule := range []struct{ from, to string }{
		{`INTEGER PRIMARY KEY AUTOINCREMENT`, `BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY`},
		{`INTEGER PRIMARY KEY,`, `BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,`},
		{`\bINTEGER\b`, `BIGINT`},
		{`\bBLOB\b`, `BYTEA`},
		{`\bTEXT\b`, `TEXT COLLATE "C"`},
		{`(BIGINT|BYTEA|COLLATE "C") +`, `$1 `},
		{`\) STRICT(, WITHOUT ROWID)?;`, `);`},
		{`(?s)CREATE TRIGGER (\w+) BEFORE (\w+) ON (\w+)\nBEGIN SELECT raise\(ABORT, ('[^']*')\); END;`,
			"CREATE FUNCTION $1() RETURNS trigger LANGUAGE plpgsql AS\n" +
				"$$$$ BEGIN RAISE EXCEPTION $4; END $$$$;\n" +
				"-- +goose StatementEnd\n\n" +
				"-- +goose StatementBegin\n" +
				"CREATE TRIGGER $1 BEFORE $2 ON $3 FOR EACH STATEMENT EXECUTE FUNCTION $1();"},
		{`BEFORE DELETE ON`, `BEFORE DELETE OR TRUNCATE ON`},
	} {
		sqlite = regexp.MustCompile(rule.from).ReplaceAllString(sqlite, rule.to)
	}
	return strings.Replace(sqlite, "-- +goose Up\n", "-- +goose Up\n\n-- Written by a test from SQLite's schema of the same name.\n", 1)
}
