// Package pgtest gives tests a PostgreSQL of their own: one private server for each test binary,
// made from the installed programs in a temporary folder, and a new schema in it for each test. It
// works for root too, and the server ends with the test binary, however that ends.
//
// LEADBID_POSTGRES decides: a postgres:// address names a server to use instead (with the right to
// make schemas), "require" makes it a failure where there is none, and without it the tests that
// need one are skipped there. Only tests and measurements import it.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"leadbid/internal/faultproxy"
)

// Variable names the environment's word on PostgreSQL in tests.
const Variable = "LEADBID_POSTGRES"

// require is the value that makes a missing server a failure.
const require = "require"

// Address makes an empty schema for the test and gives the address of a database that works in it.
// Where there is no PostgreSQL the test is skipped, or fails where the environment requires one.
func Address(t testing.TB) string {
	t.Helper()
	server, err := started()
	if err != nil {
		if os.Getenv(Variable) == "" {
			t.Skipf("NOT TESTED ON POSTGRESQL: %v. Install postgresql, or name a server with %s=postgres://...", err, Variable)
		}
		t.Fatalf("%s=%s: %v", Variable, os.Getenv(Variable), err)
	}
	address, err := server.NewSchema(t.Context())
	if err != nil {
		t.Fatalf("making a schema: %v", err)
	}
	return address
}

// Through gives an address of the same database that leads through a proxy, which ends with the test.
func Through(t testing.TB, address string) (string, *faultproxy.Proxy) {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query, target := parsed.Query(), parsed.Host
	if socket := socketOf(parsed); socket != "" {
		target = socket
		query.Del("host")
	}
	proxy, err := faultproxy.Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	query.Set("sslmode", "disable")
	parsed.Host, parsed.RawQuery = proxy.Addr(), query.Encode()
	return parsed.String(), proxy
}

// Server is a running PostgreSQL.
type Server struct {
	address *url.URL
	stop    func()
}

// Running gives the server that LEADBID_POSTGRES names, or starts one on the disk. It is for measurements;
// tests take an Address.
func Running() (*Server, error) { return running("") }

// started is the server of the tests of this process. What its disk would take is no matter of theirs, and
// most of their time: it lives in memory where that has room, with every sync that a server makes.
var started = sync.OnceValues(func() (*Server, error) { return running(memory()) })

func running(parent string) (*Server, error) {
	if given := os.Getenv(Variable); given != "" && given != require {
		address, err := url.Parse(given)
		if err != nil {
			return nil, errors.New("this is no address of PostgreSQL")
		}
		return &Server{address: address, stop: func() {}}, nil
	}
	return start(parent)
}

// start starts a server of the caller's own, which Stop ends, or the end of this process.
func start(parent string) (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(parent, "leadbid-postgres-")
	if err != nil {
		return nil, err
	}
	server, err := startIn(folder, programs)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return server, nil
}

// findPrograms gives the folder of initdb and postgres: the one in PATH, else the newest of Debian's.
func findPrograms() (folder string, err error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && runnable(filepath.Join(filepath.Dir(path), "postgres")) {
			return filepath.Dir(path), nil
		}
	}
	newest := 0
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for _, path := range found {
		version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if version > newest && runnable(filepath.Join(filepath.Dir(path), "initdb")) {
			newest, folder = version, filepath.Dir(path)
		}
	}
	if folder == "" {
		return "", errors.New("initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin")
	}
	return folder, nil
}

func runnable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

// user owns the server. Nobody else gets into its folder, so it needs no password; others do.
const user = "leadbid"

const access = "local all " + user + " trust\nlocal all all scram-sha-256\n"

// guardian runs a server until its own input ends, which happens when this process does, then
// removes what is left of it.
const guardian = `"$1/postgres" -D "$2/data" >"$2/log" 2>&1 & server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$2/data" "$2/log" "$2"/.s.* ; rmdir "$2"`

func startIn(folder, programs string) (*Server, error) {
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if err := as.own(folder); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(programs, "initdb"), "-D", filepath.Join(folder, "data"), "-U", user,
		"-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	initdb.SysProcAttr, initdb.Dir = as.attributes(), folder
	if said, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(said))
	}
	settings := fmt.Sprintf("listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = on\nshared_buffers = 32MB\n"+
		"max_connections = 200\nmax_wal_size = 128MB\n", folder)
	if err := appendTo(filepath.Join(folder, "data", "postgresql.conf"), settings); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "data", "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return nil, err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	guard := exec.Command("/bin/sh", "-c", guardian, "sh", programs, folder)
	guard.Stdin, guard.SysProcAttr, guard.Dir = in, as.attributes(), folder
	if err := guard.Start(); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	server := &Server{
		address: &url.URL{
			Scheme: "postgres", User: url.UserPassword(user, "unused-secret"), Path: "/postgres",
			RawQuery: url.Values{"host": {folder}}.Encode(),
		},
		stop: sync.OnceFunc(func() { out.Close(); _ = guard.Wait() }),
	}
	if err := server.await(folder); err != nil {
		server.stop()
		return nil, err
	}
	return server, nil
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// await waits until the server answers.
func (s *Server) await(folder string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.Address())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(folder, "log"))
			return fmt.Errorf("postgres did not start: %w: %s", err, bytes.TrimSpace(log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Address is that of the database that every server has.
func (s *Server) Address() string { return s.address.String() }

// Socket is the file that the server listens on, "" where it is not one of ours.
func (s *Server) Socket() string { return socketOf(s.address) }

func socketOf(address *url.URL) string {
	if folder := address.Query().Get("host"); filepath.IsAbs(folder) {
		return filepath.Join(folder, ".s.PGSQL.5432")
	}
	return ""
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() { s.stop() }

// NewSchema makes an empty schema in the database and gives the address whose tables are there.
func (s *Server) NewSchema(ctx context.Context) (address string, err error) {
	conn, err := pgx.Connect(ctx, s.Address())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	of, query := *s.address, s.address.Query()
	query.Set("search_path", name)
	of.RawQuery = query.Encode()
	return of.String(), nil
}
