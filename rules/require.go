package rules

import (
	"slices"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// requirements are what a ping must say before any price is worked out. Where it does not say,
// the requirement is not met.
type requirements struct {
	consent    consentLevel
	consentAge time.Duration // the most that the consent may be old; 0: not asked
	homeowner  pingpost.Tri  // Unknown: not asked
	exclusive  pingpost.Tri  // Unknown: not asked
	properties uint64        // bit set over pingpost.Property; 0 not asked
	jobs       uint64        // bit set over pingpost.Job; 0 not asked
	urgencies  uint64        // bit set over pingpost.Urgency; 0 not asked
	minScore   float64
	scored     bool
}

// consentLevel is how much consent must be shown.
type consentLevel uint8

const (
	noConsent          consentLevel = iota // not asked
	consentAgreed                          // the flag
	consentPromised                        // a certificate or token is there or will come with the post
	consentCertificate                     // it is there and its format is right
)

var consentWords = []string{"agreed", "promised", "certificate"}

func (r *requirements) load(node yamlfile.Node) {
	m, ok := node.Map([]string{"consent", "consent_age", "homeowner", "exclusive", "property_type", "job", "urgency",
		"min_lead_score"},
		"source", "max_sold", "page_host", "verified")
	if !ok {
		return
	}
	if word, ok := m.Get("consent").Word(consentWords, "verified"); ok {
		r.consent = consentLevel(slices.Index(consentWords, word) + 1)
	}
	r.consentAge, _ = m.Get("consent_age").Duration(time.Second, maxWindow)
	if truth, ok := m.Get("homeowner").Bool(); ok {
		r.homeowner = pingpost.TriOf(truth)
	}
	if truth, ok := m.Get("exclusive").Bool(); ok {
		r.exclusive = pingpost.TriOf(truth)
	}
	r.properties = loadWords(m.Get("property_type"), pingpost.PropertyWords())
	r.jobs = loadWords(m.Get("job"), pingpost.JobWords())
	r.urgencies = loadWords(m.Get("urgency"), pingpost.UrgencyWords())
	r.minScore, r.scored = m.Get("min_lead_score").Number(0, 100)
}

// loadWords reads words of a vocabulary into a bit set. Bit i+1 is the word at i: the zero value
// of a vocabulary is "not said", which is in no set.
func loadWords(node yamlfile.Node, words []string) (set uint64) {
	for _, item := range node.OneOrList() {
		if word, ok := item.Word(words); ok {
			set |= 1 << (slices.Index(words, word) + 1)
		}
	}
	return set
}

// requirement names for messages, in check order.
const (
	requireConsent   = "require consent"
	requireAge       = "require consent_age"
	requireHomeowner = "require homeowner"
	requireExclusive = "require exclusive"
	requireProperty  = "require property_type"
	requireJob       = "require job"
	requireUrgency   = "require urgency"
	requireScore     = "require min_lead_score"
)

// check gives the first requirement that the ping does not meet.
func (r *requirements) check(now time.Time, p *pingpost.Ping, tr *Trace) pingpost.Reason {
	if r.consent != noConsent && !note(tr, requireConsent, meetsConsent(&p.Consent, r.consent),
		pingpost.ConsentMissing) {
		return pingpost.ConsentMissing
	}
	if r.consentAge > 0 {
		age, known := consentAge(now, &p.Consent)
		if !note(tr, requireAge, known && age <= r.consentAge, pingpost.ConsentStale) {
			return pingpost.ConsentStale
		}
	}
	const unmet = pingpost.RequirementUnmet
	switch {
	case r.homeowner != pingpost.Unknown && !note(tr, requireHomeowner, p.Homeowner == r.homeowner, unmet),
		r.exclusive != pingpost.Unknown && !note(tr, requireExclusive,
			pingpost.TriOf(p.Exclusive) == r.exclusive, unmet),
		r.properties != 0 && !note(tr, requireProperty, r.properties&(1<<p.Property) != 0, unmet),
		r.jobs != 0 && !note(tr, requireJob, r.jobs&(1<<p.Job) != 0, unmet),
		r.urgencies != 0 && !note(tr, requireUrgency, r.urgencies&(1<<p.Urgency) != 0, unmet),
		r.scored && !note(tr, requireScore, p.LeadScore.Known && p.LeadScore.Value >= r.minScore, unmet):
		return unmet
	}
	return pingpost.ReasonNone
}

// note traces a check and passes its result on.
func note(tr *Trace, name string, held bool, reason pingpost.Reason) bool {
	if tr != nil {
		step := Step{Kind: StepCheck, Name: name, Held: held}
		if !held {
			step.Reason = reason
		}
		tr.add(step)
	}
	return held
}

func meetsConsent(c *pingpost.Consent, level consentLevel) bool {
	switch level {
	case consentAgreed:
		return c.Agreed == pingpost.Yes
	case consentPromised:
		return consentIsPromised(c)
	}
	return consentIsCertified(c)
}

// aheadAtMost is how far the clock of whoever took a consent may be ahead of ours.
const aheadAtMost = 5 * time.Minute

// consentAge is how long ago the consent was given. known is false where that is not said, and where
// it would be yet to come.
func consentAge(now time.Time, c *pingpost.Consent) (age time.Duration, known bool) {
	if c.GivenAt == 0 {
		return 0, false
	}
	age = now.Sub(time.UnixMilli(c.GivenAt))
	return max(age, 0), age >= -aheadAtMost
}

func consentIsPromised(c *pingpost.Consent) bool {
	return c.TrustedFormURL != "" || c.LeadID != "" || c.TrustedFormPromised || c.LeadIDPromised
}

func consentIsCertified(c *pingpost.Consent) bool {
	return isTrustedForm(c.TrustedFormURL) || isLeadID(c.LeadID)
}

// ConsentPosted reports whether a post carries the consent that the campaign requires: what was
// promised at the ping has to be there by now.
func (c *Campaign) ConsentPosted(consent pingpost.Consent) bool {
	switch c.require.consent {
	case noConsent:
		return true
	case consentPromised:
		return consent.TrustedFormURL != "" || consent.LeadID != ""
	}
	return meetsConsent(&consent, c.require.consent)
}

// isTrustedForm checks the format of a certificate's address: https, exactly this host, one path
// segment of 1 to 255 letters, digits, - and _, and nothing else. A right format is not a
// genuine certificate.
func isTrustedForm(address string) bool {
	id, ok := strings.CutPrefix(address, "https://cert.trustedform.com/")
	if !ok || len(id) < 1 || len(id) > 255 {
		return false
	}
	for i := 0; i < len(id); i++ {
		b := id[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

// isLeadID checks the format of a token: 8-4-4-4-12 hexadecimal digits, not all of them zero.
func isLeadID(token string) bool {
	if len(token) != 36 {
		return false
	}
	zero := true
	for i := 0; i < len(token); i++ {
		b := token[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if b != '-' {
				return false
			}
			continue
		}
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') && (b < 'A' || b > 'F') {
			return false
		}
		zero = zero && b == '0'
	}
	return !zero
}

// certificateHost gives the host of an address, "" where it has none.
func certificateHost(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}
