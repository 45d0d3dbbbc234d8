package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// Kind is what a record is about.
type Kind string

// The kinds. All but KindSnapshot and KindGap are inputs of the Agent.
const (
	KindPing     Kind = "ping"     // a ping and its decision
	KindCancel   Kind = "cancel"   // a bid that was not sent
	KindPost     Kind = "post"     // a post and what was decided about it, without the lead
	KindCharged  Kind = "charged"  // the store's answer to a charge
	KindNotice   Kind = "notice"   // what became of a bid
	KindUpkeep   Kind = "upkeep"   // a question to the store about leases
	KindGranted  Kind = "granted"  // its answer
	KindAway     Kind = "away"     // there was none
	KindPause    Kind = "pause"    // what is switched off from here on
	KindOutcome  Kind = "outcome"  // what became of leads bought
	KindReset    Kind = "reset"    // what was learned of weeks and prices is forgotten
	KindSwap     Kind = "swap"     // the rules from here on; the next snapshot is of the state after it
	KindSnapshot Kind = "snapshot" // the Agent's whole state: replays begin here
	KindGap      Kind = "gap"      // records were dropped: replays end here, until the next snapshot
)

// Record is one line of a recording. It owns its memory.
type Record struct {
	Seq      uint64
	At       time.Time // in UTC
	Kind     Kind
	Ping     *pingpost.Ping // KindPing, with Exchange and Digest set
	Withheld bool           // KindPing: the decision saw personal data that is not in Ping
	Decision []byte         // KindPing: JSON
	Data     []byte         // all other kinds: JSON
}

// Profile is the name of the one that spells the pings of recordings.
const Profile = "native"

// native is that profile. It is read from the embedded one once.
var native = sync.OnceValue(func() *wire.Profile {
	profile, err := wire.Load(Profile)
	if err != nil {
		panic(err) // the profile is compiled in and tested
	}
	return profile
})

// AppendPing appends the line of a ping. Of its attributes those are kept that keep says yes to
// by name, and of them and of its free texts nothing that looks like personal data (see Personal):
// where that took something out which a rule may have read, the line says so. decision is JSON.
// Nothing is allocated beyond dst where there is nothing personal to take out.
func AppendPing(dst []byte, seq uint64, at time.Time, p *pingpost.Ping, keep func(attr string) bool,
	decision []byte) []byte {
	return AppendWrittenPing(dst, seq, at, p, nil, keep, decision)
}

// AppendWrittenPing is AppendPing where the caller has the ping as the profile of recordings writes it,
// as wire.Profile.DecodePingAsWritten tells: to copy that takes a tenth of writing it again. A nil
// written is none. The line is the same.
func AppendWrittenPing(dst []byte, seq uint64, at time.Time, p *pingpost.Ping, written []byte,
	keep func(attr string) bool, decision []byte) []byte {
	dst = appendHead(dst, seq, at, KindPing)
	dst = appendName(append(dst, `,"exchange":`...), p.Exchange)
	dst = appendDigest(append(dst, `,"digest":"`...), p.Digest)
	dst = append(dst, `","ping":`...)
	if written != nil && len(p.Attrs) == 0 && !personalTexts(p) {
		dst = append(dst, written...)
	} else {
		dst = appendCleaned(dst, p, keep)
	}
	dst = appendOneLine(append(dst, `,"decision":`...), decision)
	return append(dst, "}\n"...)
}

// appendCleaned appends the ping without what is not kept of it, and says so where that is personal.
func appendCleaned(dst []byte, p *pingpost.Ping, keep func(attr string) bool) []byte {
	kept := *p
	withheld := cleanTexts(&kept)
	dst = native().AppendPingKeeping(dst, &kept, func(attr pingpost.Attr) bool {
		if !keep(attr.Name) {
			return false
		}
		personal := personalAttr(attr)
		withheld = withheld || personal
		return !personal
	})
	if withheld {
		dst = append(dst, `,"withheld":true`...)
	}
	return dst
}

// Append appends the line of any other record. data is JSON.
func Append(dst []byte, seq uint64, at time.Time, kind Kind, data []byte) []byte {
	dst = appendHead(dst, seq, at, kind)
	dst = appendOneLine(append(dst, `,"data":`...), data)
	return append(dst, "}\n"...)
}

func appendHead(dst []byte, seq uint64, at time.Time, kind Kind) []byte {
	dst = strconv.AppendUint(append(dst, `{"seq":`...), seq, 10)
	dst = at.UTC().AppendFormat(append(dst, `,"at":"`...), time.RFC3339Nano)
	dst = append(append(dst, `","kind":"`...), kind...)
	return append(dst, '"')
}

// appendName appends a JSON string. Names of exchanges need no escapes, unless somebody insists.
func appendName(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(name) // a string always marshals
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), name...), '"')
}

func appendDigest(dst []byte, digest uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[digest>>shift&15])
	}
	return dst
}

// appendOneLine appends JSON without its line ends, which can only stand between tokens.
func appendOneLine(dst, text []byte) []byte {
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return append(dst, text...)
	}
	for _, c := range text {
		if c != '\n' && c != '\r' {
			dst = append(dst, c)
		}
	}
	return dst
}

// line is the JSON of a record.
type line struct {
	Seq      *uint64         `json:"seq"`
	At       *time.Time      `json:"at"`
	Kind     Kind            `json:"kind"`
	Exchange string          `json:"exchange"`
	Digest   string          `json:"digest"`
	Ping     json.RawMessage `json:"ping"`
	Withheld bool            `json:"withheld"`
	Decision json.RawMessage `json:"decision"`
	Data     json.RawMessage `json:"data"`
}

// parse reads a line. Errors show nothing of its content.
func parse(text []byte) (*Record, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, errors.New("it is not JSON of a record")
	}
	if l.Seq == nil || l.At == nil || l.Kind == "" {
		return nil, errors.New("seq, at or kind is missing")
	}
	record := &Record{Seq: *l.Seq, At: l.At.UTC(), Kind: l.Kind}
	if l.Kind != KindPing {
		if l.Data == nil {
			return nil, errors.New("data is missing")
		}
		record.Data = l.Data
		return record, nil
	}
	if l.Ping == nil || l.Decision == nil {
		return nil, errors.New("ping or decision is missing")
	}
	digest, err := strconv.ParseUint(l.Digest, 16, 64)
	if err != nil || len(l.Digest) != 16 {
		return nil, errors.New("digest must be 16 hexadecimal digits")
	}
	record.Ping, record.Withheld, record.Decision = new(pingpost.Ping), l.Withheld, l.Decision
	if err := native().DecodePing(record.Ping, l.Ping); err != nil {
		return nil, fmt.Errorf("its ping: %w", err)
	}
	record.Ping.Exchange, record.Ping.Digest = l.Exchange, digest
	return record, nil
}
