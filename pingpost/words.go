package pingpost

import "fmt"

// The closed vocabularies. A word outside its list is not an error on the wire (it becomes
// "other" or "unknown" there, as the profile says), but it is a fault in a contractor's rules.
// The zero value of each type means that the ping does not say.

// Service is the trade that the homeowner needs.
type Service uint8

// Job is the kind of work.
type Job uint8

// Urgency is how soon the homeowner wants it, from most to least urgent.
type Urgency uint8

// Property is the kind of building.
type Property uint8

// The services.
const (
	ServiceNone Service = iota
	Roofing
	HVAC
	Plumbing
	Electrical
	Windows
	Siding
	Gutters
	Solar
	Flooring
	Painting
	Bathroom
	Kitchen
	Landscaping
	Tree
	Pest
	Fencing
	Concrete
	GarageDoor
	Handyman
	Cleaning
	Appliance
	Insulation
	Locksmith
	Security
	Restoration
	Foundation
	WalkInTub
	Moving
	ServiceOther
	serviceEnd
)

var serviceWords = [...]string{
	"", "roofing", "hvac", "plumbing", "electrical", "windows", "siding", "gutters", "solar", "flooring",
	"painting", "bathroom", "kitchen", "landscaping", "tree", "pest", "fencing", "concrete", "garage_door",
	"handyman", "cleaning", "appliance", "insulation", "locksmith", "security", "restoration", "foundation",
	"walk_in_tub", "moving", "other",
}

// The jobs.
const (
	JobNone Job = iota
	Install
	Replace
	Repair
	Maintain
	Inspect
	JobEmergency
	JobUnknown
	jobEnd
)

var jobWords = [...]string{"", "install", "replace", "repair", "maintain", "inspect", "emergency", "unknown"}

// The urgencies.
const (
	UrgencyNone Urgency = iota
	UrgencyEmergency
	UrgencyASAP
	UrgencyWeek
	UrgencyTwoWeeks
	UrgencyMonth
	UrgencyThreeMonths
	UrgencySixMonths
	UrgencyYear
	UrgencyLater
	UrgencyFlexible
	UrgencyPlanning
	UrgencyUnknown
	urgencyEnd
)

var urgencyWords = [...]string{
	"", "emergency", "asap", "week", "two_weeks", "month", "three_months", "six_months", "year",
	"later", "flexible", "planning", "unknown",
}

var urgencyDays = [...]int{-1, 0, 1, 7, 14, 30, 90, 180, 365, -1, -1, -1, -1}

// The kinds of building.
const (
	PropertyNone Property = iota
	SingleFamily
	MultiFamily
	Condo
	Townhome
	Duplex
	Apartment
	MobileHome
	Commercial
	Residential
	PropertyUnknown
	propertyEnd
)

var propertyWords = [...]string{
	"", "single_family", "multi_family", "condo", "townhome", "duplex", "apartment", "mobile", "commercial",
	"residential", "unknown",
}

// Tri is a yes or no that may be missing: whether the person asking owns the home.
type Tri uint8

// The values of a Tri.
const (
	Unknown Tri = iota
	Yes
	No
)

// TriOf turns a known truth into a Tri.
func TriOf(truth bool) Tri {
	if truth {
		return Yes
	}
	return No
}

// Auction is how the exchange turns bids into a price; "unknown" is a contractor's honest answer
// and the safe one: nothing is shaded there.
type Auction uint8

// The kinds of auction.
const (
	AuctionNone Auction = iota
	AuctionFirst
	AuctionSecond
	AuctionFixed
	AuctionUnknown
	auctionEnd
)

var auctionWords = [...]string{"", "first", "second", "fixed", "unknown"}

// String gives the word on the wire and in rules; "" where the ping does not say.
func (s Service) String() string { return serviceWords[s] }

// String gives the word on the wire and in rules; "" where the ping does not say.
func (j Job) String() string { return jobWords[j] }

// MarshalText gives the word: numbers may change between versions, words do not.
func (s Service) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Service) UnmarshalText(text []byte) error {
	known, ok := ParseService(text)
	if !ok && len(text) > 0 {
		return fmt.Errorf("pingpost: %q is no service", text)
	}
	*s = known
	return nil
}

// MarshalText gives the word.
func (j Job) MarshalText() ([]byte, error) { return []byte(j.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (j *Job) UnmarshalText(text []byte) error {
	known, ok := ParseJob(text)
	if !ok && len(text) > 0 {
		return fmt.Errorf("pingpost: %q is no job", text)
	}
	*j = known
	return nil
}

// String gives the word on the wire and in rules; "" where the ping does not say.
func (u Urgency) String() string { return urgencyWords[u] }

// String gives the word on the wire and in rules; "" where the ping does not say.
func (p Property) String() string { return propertyWords[p] }

// String gives the word on the wire and in configurations; "" where nothing is said.
func (a Auction) String() string { return auctionWords[a] }

// Days is the number of days that the urgency stands for. ok is false for words that name no
// number (later, flexible, planning, unknown) and where the ping does not say.
func (u Urgency) Days() (days int, ok bool) {
	days = urgencyDays[u]
	return max(days, 0), days >= 0
}

// ServiceWords lists the vocabulary in its order, for messages and schemas.
func ServiceWords() []string { return append([]string(nil), serviceWords[1:]...) }

// JobWords lists the vocabulary in its order, for messages and schemas.
func JobWords() []string { return append([]string(nil), jobWords[1:]...) }

// UrgencyWords lists the vocabulary from most to least urgent, for messages and schemas.
func UrgencyWords() []string { return append([]string(nil), urgencyWords[1:]...) }

// PropertyWords lists the vocabulary in its order, for messages and schemas.
func PropertyWords() []string { return append([]string(nil), propertyWords[1:]...) }

// AuctionWords lists the vocabulary in its order, for messages and schemas.
func AuctionWords() []string { return append([]string(nil), auctionWords[1:]...) }

// ParseService reads a word of the vocabulary exactly; ok is false for any other, "" included.
func ParseService[T string | []byte](word T) (Service, bool) {
	return find[Service](serviceWords[:], word)
}

// ParseJob reads a word of the vocabulary exactly; ok is false for any other, "" included.
func ParseJob[T string | []byte](word T) (Job, bool) { return find[Job](jobWords[:], word) }

// ParseUrgency reads a word of the vocabulary exactly; ok is false for any other, "" included.
func ParseUrgency[T string | []byte](word T) (Urgency, bool) {
	return find[Urgency](urgencyWords[:], word)
}

// ParseProperty reads a word of the vocabulary exactly; ok is false for any other, "" included.
func ParseProperty[T string | []byte](word T) (Property, bool) {
	return find[Property](propertyWords[:], word)
}

// ParseAuction reads a word of the vocabulary exactly; ok is false for any other, "" included.
func ParseAuction[T string | []byte](word T) (Auction, bool) {
	return find[Auction](auctionWords[:], word)
}

// find looks a word up without allocating. The lists are short and their words differ in length
// or in the first letters, so a scan beats a map at this size.
func find[W ~uint8, T string | []byte](words []string, word T) (W, bool) {
	for i := 1; i < len(words); i++ {
		if words[i] == string(word) {
			return W(i), true
		}
	}
	return 0, false
}

// Period is the length of a civil-time window that a cap counts in. Weeks begin on Monday; Total
// never ends.
type Period uint8

// The periods, shortest first. NumPeriods is their count, for arrays indexed by Period.
const (
	Hour Period = iota
	Day
	Week
	Month
	Total
	NumPeriods
)

var periodWords = [NumPeriods]string{"hour", "day", "week", "month", "total"}

// String gives the word in configurations.
func (p Period) String() string { return periodWords[p] }

// Periods lists all periods, shortest first.
func Periods() []Period { return []Period{Hour, Day, Week, Month, Total} }

// ParsePeriod reads a word of the vocabulary exactly; ok is false for any other.
func ParsePeriod[T string | []byte](word T) (Period, bool) {
	for i, known := range periodWords {
		if known == string(word) {
			return Period(i), true
		}
	}
	return 0, false
}
