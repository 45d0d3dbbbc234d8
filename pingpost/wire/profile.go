package wire

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// Profile is how one exchange spells its messages. It is immutable and safe for concurrent use.
type Profile struct {
	defaults     Defaults
	pricesAsText bool
	words        [numFields]vocabulary
	spelled      [numFields]bool // the exchange has words of its own for this list

	ping, post, notice message
	answer, verdict    replyMessage
	acknowledgement    replyMessage // of a notice
	unknownBid         int          // the HTTP status by which a buyer says of a notice that it knows no such bid; 0: it cannot
}

// message is a request: one body, and what must be in it.
type message struct {
	write, read *body
	need        [][]field // one of each group must be there
	paths       [numFields]string
}

// replyMessage is the answer to a request.
type replyMessage struct {
	reply
	paths [numFields]string
}

// Defaults is what holds on an exchange where the user's configuration says nothing else.
type Defaults struct {
	Commitment string           // "binding" or "refusable"
	BidTTL     time.Duration    // how long a bid stands
	Grace      time.Duration    // how much later a post may still come in
	Auction    pingpost.Auction // how bids become a price, where the ping does not tell
	Tells      string           // what notices disclose: "none", "result" or "price"
	Deadline   time.Duration    // how long an answer may take, where the ping has no tmax_ms
}

//go:embed profiles/*.yaml
var embedded embed.FS

// Load reads an embedded profile. The error of an unknown name lists the known ones.
func Load(name string) (*Profile, error) {
	content, err := embedded.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		known := Names()
		hint := "known: " + strings.Join(known, ", ")
		if nearest, ok := yamlfile.Nearest(name, known); ok {
			hint = fmt.Sprintf("did you mean %q?", nearest) + " " + hint
		}
		return nil, fmt.Errorf("wire: there is no profile %s; %s", yamlfile.Quote(name), hint)
	}
	var faults yamlfile.Faults
	profile := parse("profiles/"+name+".yaml", content, &faults)
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("wire: reading profile %s: %w", name, err)
	}
	return profile, nil
}

// Names lists the embedded profiles.
func Names() []string {
	entries, _ := embedded.ReadDir("profiles") // it is compiled in: it is there
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".yaml"))
	}
	return names
}

// Defaults gives the exchange's defaults.
func (p *Profile) Defaults() Defaults { return p.defaults }
