package rules

import (
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// environment is what a rule sees of a ping or post. It is handed to the expr machine as a value,
// boxed once per decision: read through a pointer, every text would be copied on every read.
// Names that begin with ? cannot be typed in a rule; they tell whether the field is there.
type environment struct {
	Exchange     string    `expr:"exchange"`
	Auction      string    `expr:"auction"`
	Service      string    `expr:"service"`
	Task         string    `expr:"task"`
	Job          string    `expr:"job"`
	ZIP          string    `expr:"zip"`
	ZIP3         string    `expr:"zip3"`
	State        string    `expr:"state"`
	City         string    `expr:"city"`
	Urgency      string    `expr:"urgency"`
	Property     string    `expr:"property_type"`
	Source       string    `expr:"source"`
	CertURL      string    `expr:"consent.trustedform_url"`
	LeadID       string    `expr:"consent.leadid"`
	CertHost     string    `expr:"consent.host"`
	Weekday      string    `expr:"local.weekday"`
	Date         string    `expr:"local.date"`
	LeadWeekday  string    `expr:"lead_local.weekday"`
	LeadDate     string    `expr:"lead_local.date"`
	UrgencyDays  float64   `expr:"urgency_days"`
	LeadScore    float64   `expr:"lead_score"`
	MaxSold      float64   `expr:"max_sold"`
	SoldSoFar    float64   `expr:"sold_so_far"`
	Floor        float64   `expr:"floor"`
	ConsentAge   float64   `expr:"consent.age_minutes"`
	Day          float64   `expr:"local.day"`
	Hour         float64   `expr:"local.hour"`
	Minute       float64   `expr:"local.minute"`
	Month        float64   `expr:"local.month"`
	LeadDay      float64   `expr:"lead_local.day"`
	LeadHour     float64   `expr:"lead_local.hour"`
	LeadMinute   float64   `expr:"lead_local.minute"`
	LeadMonth    float64   `expr:"lead_local.month"`
	SubIDs       []string  `expr:"sub_ids"`
	Facts        []float64 `expr:"?facts"`
	FactsKnown   []bool    `expr:"?facts_known"`
	AttrTexts    []string  `expr:"?attr_texts"`
	AttrNumbers  []float64 `expr:"?attr_numbers"`
	AttrTruths   []bool    `expr:"?attr_truths"`
	AttrsKnown   []bool    `expr:"?attrs_known"`
	Lead         []string  `expr:"?lead"`
	Holiday      bool      `expr:"local.holiday"`
	LeadHoliday  bool      `expr:"lead_local.holiday"`
	Homeowner    bool      `expr:"homeowner"`
	Exclusive    bool      `expr:"exclusive"`
	Test         bool      `expr:"test"`
	Agreed       bool      `expr:"consent.agreed"`
	Promised     bool      `expr:"consent.promised"`
	Certificate  bool      `expr:"consent.certificate"`
	HasDays      bool      `expr:"?urgency_days"`
	HasScore     bool      `expr:"?lead_score"`
	HasMaxSold   bool      `expr:"?max_sold"`
	HasHomeowner bool      `expr:"?homeowner"`
	HasAgreed    bool      `expr:"?consent.agreed"`
	HasAge       bool      `expr:"?consent.age_minutes"`
	HasLeadLocal bool      `expr:"?lead_local"`
}

// kind is the kind of a value in a rule.
type kind uint8

const (
	aNumber kind = iota + 1
	aText
	aTruth
	someTexts   // a list of texts
	anAttribute // a field whose kind the other side of a comparison tells
)

func (k kind) String() string {
	return [...]string{"nothing", "a number", "a text", "true or false", "a list of texts",
		"an attribute"}[k]
}

// field is one variable of the rules.
type field struct {
	name  string
	kind  kind
	known string // the name that tells whether it is there; "" for always; "=" for a text that is not ""
	// isKnown tells the same to Go; nil for always.
	isKnown func(*environment) bool
	onPost  bool // a post carries it too
	words   func() []string
	check   func(word string) (message, typed string) // what a text compared with it must look like
}

// isZIP reports whether the field holds a whole ZIP code, so that a list beside it may hold ranges
// and prefixes.
func (f *field) isZIP() bool { return f != nil && (f.name == "zip" || f.name == "lead.zip") }

// looksLike says what a text compared with a field that has a check must look like.
func (f *field) looksLike() string {
	switch {
	case f.isZIP():
		return "a ZIP code of five digits"
	case f.name == "zip3":
		return "the first three digits of a ZIP code"
	}
	return "a two-letter state code in capitals"
}

// fields are the variables by name, apart from attrs.*, lead.*, budget.* and capacity.*. The
// table is read-only.
var fields = fieldTable()

func fieldTable() map[string]*field {
	always := func(name string, kind kind, onPost bool) *field {
		return &field{name: name, kind: kind, onPost: onPost}
	}
	text := func(name string, onPost bool, value func(*environment) string) *field {
		return &field{name: name, kind: aText, known: "=", onPost: onPost,
			isKnown: func(env *environment) bool { return value(env) != "" }}
	}
	flagged := func(name string, kind kind, onPost bool, known string, is func(*environment) bool) *field {
		return &field{name: name, kind: kind, known: known, onPost: onPost, isKnown: is}
	}
	hasLeadLocal := func(env *environment) bool { return env.HasLeadLocal }
	list := []*field{
		always("exchange", aText, true),
		text("auction", false, func(env *environment) string { return env.Auction }),
		text("service", true, func(env *environment) string { return env.Service }),
		text("task", false, func(env *environment) string { return env.Task }),
		text("job", true, func(env *environment) string { return env.Job }),
		text("zip", true, func(env *environment) string { return env.ZIP }),
		text("zip3", true, func(env *environment) string { return env.ZIP3 }),
		text("state", true, func(env *environment) string { return env.State }),
		text("city", true, func(env *environment) string { return env.City }),
		text("urgency", false, func(env *environment) string { return env.Urgency }),
		text("property_type", false, func(env *environment) string { return env.Property }),
		text("source", false, func(env *environment) string { return env.Source }),
		text("consent.trustedform_url", true, func(env *environment) string { return env.CertURL }),
		text("consent.leadid", true, func(env *environment) string { return env.LeadID }),
		text("consent.host", true, func(env *environment) string { return env.CertHost }),
		flagged("urgency_days", aNumber, false, "?urgency_days", func(env *environment) bool { return env.HasDays }),
		flagged("lead_score", aNumber, false, "?lead_score", func(env *environment) bool { return env.HasScore }),
		flagged("max_sold", aNumber, false, "?max_sold", func(env *environment) bool { return env.HasMaxSold }),
		flagged("homeowner", aTruth, false, "?homeowner", func(env *environment) bool { return env.HasHomeowner }),
		flagged("consent.agreed", aTruth, true, "?consent.agreed", func(env *environment) bool { return env.HasAgreed }),
		flagged("consent.age_minutes", aNumber, true, "?consent.age_minutes", func(env *environment) bool { return env.HasAge }),
		always("consent.promised", aTruth, true), always("consent.certificate", aTruth, true),
		always("sold_so_far", aNumber, false), always("floor", aNumber, false),
		always("exclusive", aTruth, true), always("test", aTruth, true),
		always("sub_ids", someTexts, false),
		always("local.hour", aNumber, true), always("local.minute", aNumber, true),
		always("local.weekday", aText, true), always("local.date", aText, true),
		always("local.month", aNumber, true), always("local.day", aNumber, true),
		always("local.holiday", aTruth, true),
		flagged("lead_local.hour", aNumber, true, "?lead_local", hasLeadLocal),
		flagged("lead_local.minute", aNumber, true, "?lead_local", hasLeadLocal),
		flagged("lead_local.weekday", aText, true, "?lead_local", hasLeadLocal),
		flagged("lead_local.date", aText, true, "?lead_local", hasLeadLocal),
		flagged("lead_local.month", aNumber, true, "?lead_local", hasLeadLocal),
		flagged("lead_local.day", aNumber, true, "?lead_local", hasLeadLocal),
		flagged("lead_local.holiday", aTruth, true, "?lead_local", hasLeadLocal),
	}
	table := map[string]*field{}
	for _, f := range list {
		table[f.name] = f
	}
	table["service"].words = pingpost.ServiceWords
	table["job"].words = pingpost.JobWords
	table["urgency"].words = pingpost.UrgencyWords
	table["property_type"].words = pingpost.PropertyWords
	table["auction"].words = pingpost.AuctionWords
	table["local.weekday"].words, table["lead_local.weekday"].words = weekdayNames, weekdayNames
	table["zip"].check, table["zip3"].check, table["state"].check = checkZIP, checkZIP3, checkState
	return table
}

func checkZIP(word string) (message, typed string) {
	if zip, err := pingpost.ParseZIP(word); err == nil && zip.String() == word {
		return "", ""
	}
	if isZIPPattern(word) {
		return yamlfile.Quote(word) + " stands for several ZIP codes", `zip in ["` + word + `"]`
	}
	message, typed = yamlfile.ZIPHint(word)
	if typed != "" {
		typed = `"` + typed + `"`
	}
	return message, typed
}

func checkZIP3(word string) (message, typed string) {
	if len(word) == 3 && strings.Trim(word, "0123456789") == "" {
		return "", ""
	}
	return yamlfile.Quote(word) + " is not the first three digits of a ZIP code", ""
}

func checkState(word string) (message, typed string) {
	state, err := pingpost.ParseState(word)
	if err != nil {
		return yamlfile.Quote(word) + " is not a two-letter state code", ""
	}
	if string(state) != word {
		return yamlfile.Quote(word) + " is not in capitals", `"` + string(state) + `"`
	}
	return "", ""
}

// leadFields are what reject rules may read of a lead, in the order of environment.Lead.
var leadFields = [...]string{"first_name", "last_name", "phone", "email", "address", "city", "state",
	"zip", "notes", "phone_type"}

// factNames are the live facts that rules may read, in the order of environment.Facts: these three
// by period, for budget and then for capacity.
var factNames = []string{"spent_share", "pace", "left"}

const factsPerPeriod = 3

// numFacts is the length of environment.Facts.
const numFacts = winRate + 1

const (
	numScopes = 2*int(pingpost.NumPeriods) + 1 // of environment.FactsKnown: each period of each, and win_rate
	winRate   = 2 * int(pingpost.NumPeriods) * factsPerPeriod
)

// attributes are the attributes that rules read, each under the kind that they compare it with.
type attributes []attribute

type attribute struct {
	name string
	kind kind
}

// slot gives the position of an attribute in the environment's lists, adding it where it is new.
func (a *attributes) slot(name string, kind kind) int {
	for i, known := range *a {
		if known.name == name && known.kind == kind {
			return i
		}
	}
	*a = append(*a, attribute{name, kind})
	return len(*a) - 1
}

// usage tells which costly fields rules read at all, so that no decision works them out in vain.
type usage struct {
	zip, host, date, leadLocal bool
	lead                       [len(leadFields)]bool
}

func (u *usage) add(other *usage) {
	u.zip, u.host = u.zip || other.zip, u.host || other.host
	u.date, u.leadLocal = u.date || other.date, u.leadLocal || other.leadLocal
	for i, used := range other.lead {
		u.lead[i] = u.lead[i] || used
	}
}

func (u *usage) note(name string) {
	switch {
	case name == "zip" || name == "zip3":
		u.zip = true
	case name == "consent.host":
		u.host = true
	case name == "local.date":
		u.date = true
	case strings.HasPrefix(name, "lead_local."):
		u.leadLocal = true
		u.date = u.date || name == "lead_local.date"
	}
}
