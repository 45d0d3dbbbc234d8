package rules

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// customers is a list of people that a reject rule keeps out, by the SHA-256 of their phone number
// (as +13125550123) or of their e-mail address (in small letters). It holds no contact.
type customers map[[32]byte]struct{}

// hold reports whether one of a lead's contacts is in the list.
func (c customers) hold(contact *pingpost.Contact) bool {
	for _, digest := range contact.Digests {
		if digest == [32]byte{} {
			continue
		}
		if _, listed := c[digest]; listed {
			return true
		}
	}
	return false
}

// maxCustomerFile is 64 characters and an end of line for each of 200,000 people.
const maxCustomerFile = 200_000 * 65

const customersExpected = "one hash a line: the SHA-256, in hex, of a phone number such as +13125550123 " +
	"or of an e-mail address in small letters"

// loadCustomers reads {file: customers.sha256}. A line that is no hash is most likely the contact
// itself, so that no fault shows it.
func (l *loader) loadCustomers(node yamlfile.Node) customers {
	m, ok := node.Map([]string{"file"})
	if !ok {
		return nil
	}
	at := m.Need("file", "the path of a file: "+customersExpected)
	name, ok := at.Text("a path")
	if !ok {
		return nil
	}
	full := path.Join(l.folder, name)
	if path.IsAbs(name) || !fs.ValidPath(full) {
		at.Fault("the list cannot be read: "+errOutside.Error(), "", "")
		return nil
	}
	source, err := yamlfile.ReadLargeSource(l.fsys, full, maxCustomerFile)
	if err != nil {
		at.Fault("the list cannot be read: "+err.Error(), customersExpected, "")
		return nil
	}
	l.hash(full, source.Text)
	made := customers{}
	for i, line := range source.Lines {
		text, _, _ := strings.Cut(line, "#")
		// The output of sha256sum ends in the name of a file.
		text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
		if text == "" {
			continue
		}
		digest, err := hex.DecodeString(text)
		if err != nil || len(digest) != 32 {
			l.faults.Add(yamlfile.Fault{File: full, Line: i + 1, Col: 1,
				Message:  fmt.Sprintf("line %d is no hash (it is not shown, in case it is a contact)", i+1),
				Expected: customersExpected})
			continue
		}
		made[[32]byte(digest)] = struct{}{}
	}
	return made
}
