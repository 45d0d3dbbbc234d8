package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// Homeowner is one request: when it comes, what is told of it before the sale, who it is, and
// what the simulation alone knows of it.
type Homeowner struct {
	At      time.Time
	Ping    pingpost.Ping // Exchange is empty, Digest is 0: whoever sends it fills them
	Lead    pingpost.Lead
	Consent pingpost.Consent // what comes with the post: what the ping promised is there
	Facts   Facts
}

// Facts are what no buyer is told.
type Facts struct {
	Trade       string  // the Trade's name
	DuplicateOf string  // the ping id of this person's first request; "" for a first one
	Invalid     bool    // a wrong number or a fraud: it never becomes a job
	Storm       float64 // by how much storms multiply requests here and now; 1 on a plain day
	Contact     float64 // chance that a quick call reaches the person
	Close       float64 // chance that an exclusive lead becomes a job

	// Worth is what the job leaves the contractor, before the lead's price, if it is sold.
	Worth pingpost.Cents
}

// source is where a seller found the homeowner. Quality moves the lead score and the close rate,
// in standard deviations; both columns are assumed.
type source struct {
	name    string
	quality float64
	invalid float64 // share of wrong numbers and frauds
}

var sources = []Weighted[source]{
	{source{"google-12", .5, .05}, .3},
	{source{"localservices-2", .9, .05}, .15},
	{source{"seo-homefix", .3, .06}, .2},
	{source{"facebook-3", -.5, .12}, .2},
	{source{"affiliate-77", -.9, .15}, .15},
}

func sourceOtherThan(random *rand.Rand, name string) source {
	for {
		if other := draw(random, sources); other.name != name {
			return other
		}
	}
}

// homeowner makes one request, its contact apart. All its chances come from its id.
func (g *Generator) homeowner(
	id string, at time.Time, r *region, trade *season, place zips.Place, storms float64,
) Homeowner {
	random := chanceFor(g.settings.Seed, "person", id)
	h := Homeowner{At: at, Ping: pingpost.Ping{
		ID: id, TmaxMS: g.settings.TmaxMS, Auction: g.settings.Auction, Floor: g.settings.Floor,
		Service: pick(random, trade.Services), Job: draw(random, trade.Jobs),
		ZIP: place.ZIP, State: place.State, City: place.City,
	}}
	if len(trade.Tasks) > 0 {
		h.Ping.Task = pick(random, trade.Tasks)
	}
	h.Ping.Urgency = urgency(random, at.In(r.zone), trade.Trade, h.Ping.Job, storms)
	h.Ping.Homeowner, h.Ping.Property = home(random, trade.Owners)
	if h.Ping.Exclusive = random.Float64() < g.settings.Exclusive; h.Ping.Exclusive {
		h.Ping.MaxSold = 1
	} else {
		h.Ping.MaxSold = g.settings.MaxSold
	}
	h.Ping.Consent, h.Consent = consent(random)
	h.Facts = Facts{
		Trade: trade.Name, Storm: storms, Contact: .75, Close: trade.Close,
		Worth: pingpost.Cents(float64(trade.Ticket) * trade.Margin * incomeFactor(place) * logNormal(random, .4)),
	}
	g.sellThrough(random, &h, draw(random, sources))
	return h
}

// urgency draws how soon the work is wanted: 34 % urgent in office hours and 68 % outside them;
// roofing and remodelling 20 points less, unless a storm has been there. Routine visits are
// never emergencies.
func urgency(random *rand.Rand, local time.Time, trade *Trade, job pingpost.Job, storms float64) pingpost.Urgency {
	urgent := .68
	if officeHours(local) {
		urgent = .34
	}
	if trade.Calm && storms < 1.5 {
		urgent -= .2
	}
	if random.Float64() >= urgent {
		return draw(random, []Weighted[pingpost.Urgency]{
			{pingpost.UrgencyWeek, .32}, {pingpost.UrgencyTwoWeeks, .2}, {pingpost.UrgencyMonth, .18},
			{pingpost.UrgencyThreeMonths, .1}, {pingpost.UrgencyFlexible, .1}, {pingpost.UrgencyPlanning, .05},
			{pingpost.UrgencyUnknown, .05},
		})
	}
	if job == pingpost.Repair && random.Float64() < .5 {
		return pingpost.UrgencyEmergency
	}
	return pingpost.UrgencyASAP
}

// officeHours is Monday to Friday from 9 to 17 on the local clock.
func officeHours(local time.Time) bool {
	weekday := local.Weekday()
	return weekday != time.Saturday && weekday != time.Sunday && local.Hour() >= 9 && local.Hour() < 17
}

// home draws whether the person owns the home, which one ping in ten does not tell, and what
// kind of building it is.
func home(random *rand.Rand, owners float64) (pingpost.Tri, pingpost.Property) {
	owner := pingpost.TriOf(random.Float64() < owners)
	kinds := []Weighted[pingpost.Property]{
		{pingpost.SingleFamily, .74}, {pingpost.Townhome, .09}, {pingpost.Condo, .08}, {pingpost.Duplex, .03},
		{pingpost.MobileHome, .03}, {pingpost.PropertyUnknown, .03},
	}
	if owner == pingpost.No {
		kinds = []Weighted[pingpost.Property]{
			{pingpost.Apartment, .45}, {pingpost.SingleFamily, .25}, {pingpost.MultiFamily, .2}, {pingpost.Duplex, .1},
		}
	}
	property := draw(random, kinds)
	if random.Float64() < .1 {
		owner = pingpost.Unknown
	}
	return owner, property
}

// consent makes the consent of the ping and of the post. Seven pings in ten carry a certificate
// and two promise one; half carry a token. The formats are right; no issuer knows any of them.
func consent(random *rand.Rand) (atPing, atPost pingpost.Consent) {
	atPost = pingpost.Consent{
		Agreed: pingpost.Yes,
		TrustedFormURL: fmt.Sprintf("https://cert.trustedform.com/%016x%016x%08x",
			random.Uint64(), random.Uint64(), random.Uint32()),
	}
	if random.Float64() < .5 {
		high, low := random.Uint64(), random.Uint64()
		// The digits 4 and 8 mark a random identifier (RFC 9562, version 4).
		atPost.LeadID = strings.ToUpper(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
			high>>32, high>>16&0xffff, high&0xfff, low>>48&0xfff, low&0xffffffffffff))
	}
	atPing = atPost
	switch at := random.Float64(); {
	case at < .2:
		atPing.TrustedFormURL, atPing.TrustedFormPromised = "", true
		atPing.LeadIDPromised, atPing.LeadID = atPing.LeadID != "", ""
	case at < .3:
		atPing.TrustedFormURL, atPost.TrustedFormURL = "", ""
	}
	return atPing, atPost
}

// sellThrough puts a source's stamp on a request: its name, its finer sources, a lead score that
// six pings in seven carry, and how good the lead is.
func (g *Generator) sellThrough(random *rand.Rand, h *Homeowner, from source) {
	h.Ping.Source = from.name
	h.Ping.SubIDs = []string{fmt.Sprintf("c%d", 1+random.IntN(12)), fmt.Sprintf("kw%d", 1+random.IntN(40))}
	h.Facts.Invalid = random.Float64() < from.invalid
	quality := from.quality + random.NormFloat64()
	if h.Facts.Invalid {
		quality -= 1.2
	}
	score := math.Round(math.Min(99, math.Max(1, 55+16*quality)))
	h.Ping.LeadScore = pingpost.Score{Value: score, Known: true}
	if random.Float64() < 1.0/7 {
		h.Ping.LeadScore = pingpost.Score{}
	}
}
