package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leadbid/bidder/cases"
	"leadbid/bidder/reconcile"
	"leadbid/bidder/server"
	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// surroundings holds what a configuration names against the machine it is to run on. Faults stand
// at the key that names the thing, and at the file where a default does.
type surroundings struct {
	dir  string
	file *yamlfile.File
	root yamlfile.Node
	all  *yamlfile.Faults
}

// lookAround is the third stage of a check. It changes nothing: folders that `serve` would make
// only have to be makeable.
func lookAround(ctx context.Context, env *cli.Env, rs *rules.Ruleset, dir string, faults *yamlfile.Faults) {
	s := newSurroundings(env, dir, faults)
	if s == nil {
		return
	}
	s.checkTLS(rs.Settings())
	if rs.Settings().Store != "" { // "" where it takes a variable that is not set
		s.checkStore(ctx, rs)
	}
	if folder := rs.Settings().Record.Dir; folder != "" {
		s.checkFolder(folder, "recordings", "record", "dir")
	}
	s.checkFolder(filepath.Dir(rs.Settings().PauseFile), "the pause file", "pause_file")
	for _, campaign := range rs.Campaigns() {
		for i, target := range campaign.Delivery {
			if target.File != "" {
				s.checkDelivery(target.File, campaign.Name, i)
			}
		}
	}
	s.checkOutcomes(rs.Settings())
	s.checkTests(env, rs)
}

// newSurroundings is nil where the configuration cannot be read as YAML, which is a fault.
func newSurroundings(env *cli.Env, dir string, faults *yamlfile.Faults) *surroundings {
	file := yamlfile.Read(os.DirFS(dir), filepath.Base(env.ConfigPath()), lookup(env), faults)
	if file == nil {
		return nil
	}
	return &surroundings{dir: dir, file: file, root: file.Root(), all: faults}
}

// checkCertificate is the one thing of a check without which a bidder would listen and answer nobody.
func checkCertificate(env *cli.Env, rs *rules.Ruleset, dir string) error {
	faults := &yamlfile.Faults{}
	if s := newSurroundings(env, dir, faults); s != nil {
		s.readCertificate(rs.Settings())
	}
	faults.Under(dir)
	return cli.Faults(faults.Err())
}

// checkOutcomes warns of lines that say nothing. None of them keeps the bidder from serving.
func (s *surroundings) checkOutcomes(settings *rules.Settings) {
	name := settings.Outcomes.File
	if name == "" {
		return
	}
	node := s.root.At("outcomes", "file")
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		node.Warn(plain(err), "a CSV file such as lead_id,outcome,amount,at,known_at; it may come later", "")
		return
	}
	read, err := reconcile.ReadOutcomes(bytes.NewReader(text), settings.Business.Location)
	if err != nil {
		node.Warn(err.Error(), "", "")
		return
	}
	s.warnUnread(name, read.Unread)
}

// maxUnread is how many lines of a file are told one by one: they mostly have the same cause.
const maxUnread = 5

// warnUnread tells of lines at their place in the file.
func (s *surroundings) warnUnread(name string, unread []reconcile.Fault) {
	for i, line := range unread {
		place := yamlfile.Fault{File: name, Line: line.Line, Col: max(line.Column, 1), Severity: yamlfile.Warning}
		if i == maxUnread {
			place.Message = fmt.Sprintf("and %d more lines from here on that cannot be read", len(unread)-maxUnread)
			s.all.Add(place)
			return
		}
		place.Message = line.Why
		if line.Lead != "" {
			place.Message = line.Lead + ": " + line.Why
		}
		s.all.Add(place)
	}
}

func (s *surroundings) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// fault notes a fault at the deepest key of the path that is written.
func (s *surroundings) fault(message, expected string, path ...string) {
	for n := len(path); n > 0; n-- {
		if node := s.root.At(path[:n]...); node.Exists() {
			node.Fault(message, expected, "")
			return
		}
	}
	s.all.Add(yamlfile.Fault{File: s.file.Name, Message: message, Expected: expected})
}

func (s *surroundings) checkTLS(settings *rules.Settings) {
	pair := s.readCertificate(settings)
	if pair == nil {
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err == nil && time.Now().After(leaf.NotAfter) {
		s.fault("the certificate ended on "+leaf.NotAfter.Format(time.DateOnly), "a certificate that is valid",
			"server", "tls", "cert")
	}
}

// readCertificate is nil where none is named, and where the one that is named cannot be used.
func (s *surroundings) readCertificate(settings *rules.Settings) *tls.Certificate {
	if settings.Server.TLSCert == "" {
		return nil
	}
	missing := false
	for key, name := range map[string]string{"cert": settings.Server.TLSCert, "key": settings.Server.TLSKey} {
		if _, err := os.Stat(s.path(name)); err != nil {
			s.fault(plain(err), "the path of a PEM file", "server", "tls", key)
			missing = true
		}
	}
	if missing {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(s.path(settings.Server.TLSCert), s.path(settings.Server.TLSKey))
	if err != nil {
		s.fault("the certificate and its key cannot be used: "+plain(err), "the paths of a PEM certificate and its key",
			"server", "tls")
		return nil
	}
	return &pair
}

func (s *surroundings) checkStore(ctx context.Context, rs *rules.Ruleset) {
	store := rs.Settings().Store
	path, isSQLite := strings.CutPrefix(store, "sqlite:")
	if !isSQLite {
		s.checkPostgres(ctx, rs)
		return
	}
	if _, err := os.Stat(s.path(path)); errors.Is(err, fs.ErrNotExist) {
		s.checkFolder(filepath.Dir(path), "the books", "store")
		return
	}
	if err := s.checkBooks(ctx, rs); err != nil {
		s.fault("the books cannot be opened: "+plain(err), "a file that `bidder serve` made, or a path where it can make one", "store")
	}
}

// checkPostgres holds a database without tables for a new one: `serve` makes them.
func (s *surroundings) checkPostgres(ctx context.Context, rs *rules.Ruleset) {
	if err := s.checkBooks(ctx, rs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.fault("the books cannot be opened: "+err.Error(), "a database that answers, and lets this user in", "store")
	}
}

// checkBooks opens the books and holds the exchanges against them.
func (s *surroundings) checkBooks(ctx context.Context, rs *rules.Ruleset) error {
	opened, err := server.ReadStore(ctx, rs.Settings().Store, s.dir)
	if err != nil {
		return err
	}
	warnings, err := server.Unnamed(ctx, opened, rs, time.Now())
	for _, warning := range warnings {
		s.all.Add(warning)
	}
	return errors.Join(err, opened.Close())
}

// checkDelivery points at the delivery among several.
func (s *surroundings) checkDelivery(file, campaign string, i int) {
	if message := unwritableFile(s.path(file)); message != "" {
		items := s.root.At("campaigns", campaign, "delivery").OneOrList()
		items[i].At("file").Fault("leads cannot be written: "+message, "a file in a folder that can be written", "")
	}
}

func (s *surroundings) checkFolder(folder, what string, path ...string) {
	if message := unwritable(s.path(folder)); message != "" {
		s.fault(what+" cannot be written: "+message, "a path in a folder that can be written", path...)
	}
}

// unwritableFile says why a file can neither be made nor added to; "" where it can.
func unwritableFile(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return unwritable(filepath.Dir(path))
	case info.IsDir():
		return path + " is a folder"
	case !info.Mode().IsRegular():
		return path + " is a pipe or a device, and after a crash the bidder reads back what it wrote"
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return path + ": " + plain(err)
	}
	return ""
}

// unwritable says why no file can be made in a folder, or the folder itself not; "" where it can.
func unwritable(folder string) string {
	for {
		info, err := os.Stat(folder)
		switch {
		case err == nil && !info.IsDir():
			return folder + " is a file"
		case err == nil:
			probe, err := os.CreateTemp(folder, ".bidder-check-*")
			if err != nil {
				return folder + ": " + plain(err)
			}
			return removeProbe(probe)
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(folder) == folder:
			return folder + ": " + plain(err)
		}
		folder = filepath.Dir(folder)
	}
}

func removeProbe(probe *os.File) string {
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return plain(err)
	}
	return ""
}

// checkTests reads the cases that the configuration names, or that lie beside it.
func (s *surroundings) checkTests(env *cli.Env, rs *rules.Ruleset) {
	files := rs.Settings().Tests
	if len(files) == 0 {
		beside := defaultTests(env.ConfigPath())
		if _, err := os.Stat(s.path(beside)); err != nil {
			return
		}
		files = []string{beside}
	}
	for _, name := range files {
		cases.Load(os.DirFS(s.dir), filepath.ToSlash(name), rs, s.all)
	}
}

// plain drops the operation and path that the system adds.
func plain(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Sprint(err)
}

// syntaxResult tells whether the file can be read as YAML at all.
func syntaxResult(env *cli.Env, dir string) string {
	var faults yamlfile.Faults
	if yamlfile.Read(os.DirFS(dir), filepath.Base(env.ConfigPath()), nil, &faults); faults.Any() {
		return "faulty"
	}
	return "right"
}
