package load

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"leadbid/exchange/simulate"
	"leadbid/internal/httpguard"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// Options say what is sent, where to, and how fast.
type Options struct {
	Target    string   // the full address of every send, such as http://127.0.0.1:8080/v1/ping/northside
	AllowHost string   // a host off the loopback, with its port where Target has one, that may be sent to
	Protocol  Protocol // how the target is spoken to: Pings(profile), or an intake's own
	Key       string   // bearer key; "" sends none

	Rates []int         // sends per second, one step after the other; each 1 to 200,000
	For   time.Duration // length of each step

	Connections int           // kept-alive connections; 0 means 64
	Backlog     int           // sends that may wait for a free connection; beyond it they are dropped; 0 means 4,096
	Timeout     time.Duration // after which an answer counts as an error; 0 means 5 s

	// Population is whom the sends are about, in turn. Each send has a ping id of its own, so that
	// a repeated homeowner is a new ping.
	Population []simulate.Homeowner

	// NoticeTarget gets a loss notice for every bid, so that what a bidder holds for it is free
	// again; without notices a bidder soon answers open_bids. "" sends none. NoticeProfile spells
	// them.
	NoticeTarget  string
	NoticeProfile *wire.Profile

	// Run is part of every ping id, 1 to 16 letters or digits; "" takes one from the clock, so
	// that no two runs meet.
	Run string

	// Progress, where it is not nil, hears some ten times a second how far the run is.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Step, Steps int // the current step, counted from 1
	Rate        int
	Elapsed     time.Duration // in this step
	Sent        int64         // in this step; answered or not
	Dropped     int64
}

// Protocol is how a target is spoken to. It is called from many goroutines at once.
type Protocol interface {
	// AppendRequest appends the body that sells the homeowner. The id of its ping must stand in it
	// as it is: every send puts its own in that place.
	AppendRequest(dst []byte, homeowner *simulate.Homeowner) []byte

	// ReadAnswer reads a reply. For an intake, a sold lead is AnswerBid and an unsold one
	// AnswerNoBid. Its strings may alias body. An error counts the reply as one.
	ReadAnswer(body []byte, status int) (pingpost.Answer, error)
}

// Pings speaks to a bidder's ping address in an exchange's profile.
func Pings(profile *wire.Profile) Protocol { return pings{profile} }

type pings struct{ profile *wire.Profile }

func (p pings) AppendRequest(dst []byte, homeowner *simulate.Homeowner) []byte {
	return p.profile.AppendPing(dst, &homeowner.Ping)
}

func (p pings) ReadAnswer(body []byte, status int) (pingpost.Answer, error) {
	return p.profile.DecodeAnswer(body, status)
}

const (
	defaultConnections = 64
	defaultBacklog     = 4096
	defaultTimeout     = 5 * time.Second
	maxRate            = 200_000
)

// check fills in the defaults and names everything that is wrong.
func (o *Options) check() error {
	if o.Connections == 0 {
		o.Connections = defaultConnections
	}
	if o.Backlog == 0 {
		o.Backlog = defaultBacklog
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Run == "" {
		o.Run = fmt.Sprintf("%x", time.Now().UnixNano()&0xffffffffff)
	}
	var faults []error
	fault := func(wrong bool, format string, values ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("load: "+format, values...))
		}
	}
	wrong := CheckTarget(o.Target, o.AllowHost)
	faults = append(faults, wrong)
	if o.NoticeTarget != "" {
		// Of the same host, notices are as wrong as the pings: once is enough.
		if err := CheckTarget(o.NoticeTarget, o.AllowHost); fmt.Sprint(err) != fmt.Sprint(wrong) {
			faults = append(faults, err)
		}
		fault(o.NoticeProfile == nil, "notices need a profile that spells them")
	}
	fault(o.Protocol == nil, "no protocol is given: use Pings for a bidder")
	fault(len(o.Rates) == 0, "no rate is given")
	for _, rate := range o.Rates {
		fault(rate < 1 || rate > maxRate, "the rate %d is not 1 to %d sends per second", rate, maxRate)
	}
	fault(o.For <= 0, "a step lasts %v, and must last longer than nothing", o.For)
	fault(o.Connections < 1 || o.Connections > 10_000,
		"%d connections are asked for, and 1 to 10,000 are possible", o.Connections)
	fault(o.Backlog < 1 || o.Backlog > 1_000_000, "the backlog is %d, and must be 1 to 1,000,000", o.Backlog)
	fault(o.Timeout < 0, "the timeout is %v, and must be above 0", o.Timeout)
	fault(len(o.Population) == 0, "the population is empty: nobody to send")
	fault(!isLabel(o.Run), "the run's label %q is not 1 to 16 letters or digits", o.Run)
	return errors.Join(faults...)
}

func isLabel(text string) bool {
	for _, c := range text {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return len(text) >= 1 && len(text) <= 16
}

// CheckTarget tells whether an address may be sent to. One on the loopback always may; any other
// host must be named by allowHost, letter by letter with its port where the address has one, so
// that nobody floods a stranger by a slip of the pen.
func CheckTarget(target, allowHost string) error {
	const example = "http://127.0.0.1:8080/v1/ping/northside"
	address, err := url.Parse(target)
	switch {
	case err != nil:
		return fmt.Errorf("load: the target %q is not an address such as %s", target, example)
	case (address.Scheme != "http" && address.Scheme != "https") || address.Host == "":
		return fmt.Errorf("load: the target %q is not a full http or https address such as %s", target, example)
	case httpguard.IsLoopback(address.Hostname()), address.Host == allowHost:
		return nil
	}
	return fmt.Errorf("load: %s is not on this machine: to send load there, name it with --allow-host %s",
		address.Host, address.Host)
}
