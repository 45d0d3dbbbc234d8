package sqlstore

import (
	"database/sql/driver"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Statements are written once, in the SQL that both databases read, with three things of SQLite that
// are brought into PostgreSQL's form here: placeholders (? and ?1), the index that a table is to be
// read by, and OR FAIL, with which SQLite keeps no journal for a statement whose failure undoes more than it. Everything else that differs is said in a form that both take: CAST(? AS BIGINT) for
// an argument that may be NULL, RETURNING id for the number of a new row, format with %s,
// IS DISTINCT FROM, integers for yes and no.

var sqliteOnly = regexp.MustCompile(`\s+INDEXED BY \w+|\bOR FAIL `)

// postgresForm is a statement as PostgreSQL reads it. No statement has a question mark in a text.
func postgresForm(query string) string {
	query = sqliteOnly.ReplaceAllString(query, "")
	var b strings.Builder
	for n := 0; ; {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		if after == "" || after[0] < '0' || after[0] > '9' {
			n++
			b.WriteString(strconv.Itoa(n))
		}
		query = after
	}
}

// forms remembers the forms of a database's statements, which are few.
type forms struct{ known sync.Map }

func (f *forms) of(query string) string {
	if form, ok := f.known.Load(query); ok {
		return form.(string)
	}
	form := postgresForm(query)
	f.known.Store(query, form)
	return form
}

// plainValue brings an argument to int64, string, []byte, bool or nil, as database/sql does for a file.
func plainValue(arg any) any {
	value, err := driver.DefaultParameterConverter.ConvertValue(arg)
	if err != nil {
		return arg // the statement will say what is wrong with it
	}
	return value
}
