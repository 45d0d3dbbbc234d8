package cases

import (
	"strconv"
	"time"

	"leadbid/internal/contact"
	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// pingKeys are the native protocol's words for a ping, whatever the exchange's own profile is: a
// case is about the rules, not about how a message is spelt.
var pingKeys = []string{"ping_id", "auction", "service", "task", "job", "zip", "state", "city", "urgency",
	"property_type", "homeowner", "lead_score", "source", "sub_ids", "exclusive", "max_sold", "sold_so_far",
	"floor", "consent", "test", "attrs"}

func (l *loader) ping(node yamlfile.Node) (ping pingpost.Ping) {
	ping = pingpost.Ping{ID: "case", TmaxMS: int(time.Second / time.Millisecond)}
	m, ok := node.Map(pingKeys)
	if !ok {
		return ping
	}
	for key, into := range map[string]*string{"ping_id": &ping.ID, "task": &ping.Task, "city": &ping.City,
		"source": &ping.Source} {
		if text, ok := m.Get(key).Text("a text"); ok {
			*into = text
		}
	}
	readTerms(m, &ping.Service, &ping.Job, &ping.Exclusive)
	if word, ok := m.Get("urgency").Word(pingpost.UrgencyWords()); ok {
		ping.Urgency, _ = pingpost.ParseUrgency(word)
	}
	if word, ok := m.Get("property_type").Word(pingpost.PropertyWords()); ok {
		ping.Property, _ = pingpost.ParseProperty(word)
	}
	if word, ok := m.Get("auction").Word(pingpost.AuctionWords()); ok {
		ping.Auction, _ = pingpost.ParseAuction(word)
	}
	ping.ZIP, _ = m.Get("zip").ZIP()
	ping.State = state(m.Get("state"))
	if truth, ok := m.Get("homeowner").Bool(); ok {
		ping.Homeowner = pingpost.TriOf(truth)
	}
	ping.LeadScore.Value, ping.LeadScore.Known = m.Get("lead_score").Number(0, 100)
	for _, item := range m.Get("sub_ids").OneOrList() {
		if text, ok := item.Text("a text"); ok {
			ping.SubIDs = append(ping.SubIDs, text)
		}
	}
	for key, into := range map[string]*int{"max_sold": &ping.MaxSold, "sold_so_far": &ping.SoldSoFar} {
		if n, ok := m.Get(key).Int(0, 1000); ok {
			*into = int(n)
		}
	}
	ping.Floor, _ = m.Get("floor").Dollars()
	ping.Consent = l.consent(m.Get("consent"))
	ping.Test, _ = m.Get("test").Bool()
	ping.Attrs = attributes(m.Get("attrs"))
	return ping
}

// readTerms reads what a ping and its post must agree on, the ZIP apart.
func readTerms(m yamlfile.Map, service *pingpost.Service, job *pingpost.Job, exclusive *bool) {
	if word, ok := m.Get("service").Word(pingpost.ServiceWords()); ok {
		*service, _ = pingpost.ParseService(word)
	}
	if word, ok := m.Get("job").Word(pingpost.JobWords()); ok {
		*job, _ = pingpost.ParseJob(word)
	}
	if truth, ok := m.Get("exclusive").Bool(); ok {
		*exclusive = truth
	}
}

func state(node yamlfile.Node) pingpost.State {
	text, ok := node.Text("a two-letter state code")
	if !ok {
		return ""
	}
	state, err := pingpost.ParseState(text)
	if err != nil {
		node.Fault(yamlfile.Quote(text)+" is no state", "a two-letter state code, such as IL", "")
	}
	return state
}

func (l *loader) consent(node yamlfile.Node) (c pingpost.Consent) {
	m, ok := node.Map([]string{"agreed", "trustedform_url", "trustedform_promised", "leadid", "leadid_promised",
		"given_at"})
	if !ok {
		return c
	}
	if truth, ok := m.Get("agreed").Bool(); ok {
		c.Agreed = pingpost.TriOf(truth)
	}
	c.TrustedFormURL, _ = m.Get("trustedform_url").Text("the address of a certificate")
	c.TrustedFormPromised, _ = m.Get("trustedform_promised").Bool()
	c.LeadID, _ = m.Get("leadid").Text("a LeadiD token")
	c.LeadIDPromised, _ = m.Get("leadid_promised").Bool()
	if at, ok := l.instant(m.Get("given_at")); ok {
		c.GivenAt = at.UnixMilli()
	}
	return c
}

// attributes reads free fields as a JSON body would carry them: what stands in quotes is a text.
func attributes(node yamlfile.Node) (attrs []pingpost.Attr) {
	entries, _ := node.Entries("names with values")
	for _, entry := range entries {
		value, ok := entry.Literal("a text, a number, true or false")
		if !ok {
			continue
		}
		attr := pingpost.Attr{Name: entry.Key().Raw(), Value: value}
		_, err := strconv.ParseFloat(value, 64)
		switch {
		case entry.IsQuoted():
		case value == "true" || value == "false":
			attr.Kind = pingpost.AttrBool
		case err == nil:
			attr.Kind = pingpost.AttrNumber
		}
		attrs = append(attrs, attr)
	}
	return attrs
}

// anyPhone makes a lead one that can be reached, where the case is about something else. Numbers
// with 555-01 are nobody's.
const anyPhone = "312-555-0100"

// post reads the full lead. What the case does not say is as in the ping.
func (l *loader) post(node yamlfile.Node, ping *pingpost.Ping) *pingpost.Post {
	post := &pingpost.Post{
		Exchange: ping.Exchange, PingID: ping.ID, BidID: "case", Service: ping.Service, Job: ping.Job,
		ZIP: ping.ZIP, Exclusive: ping.Exclusive, Consent: ping.Consent, Attrs: ping.Attrs,
		Lead: pingpost.Lead{ZIP: ping.ZIP, State: ping.State, City: ping.City},
	}
	m, ok := node.Map([]string{"price", "service", "job", "exclusive", "lead", "consent", "attrs"})
	if !ok {
		return post
	}
	post.Price, _ = m.Get("price").Dollars()
	readTerms(m, &post.Service, &post.Job, &post.Exclusive)
	if m.Get("consent").Exists() {
		post.Consent = l.consent(m.Get("consent"))
	}
	if m.Get("attrs").Exists() {
		post.Attrs = attributes(m.Get("attrs"))
	}
	readLead(m.Get("lead"), post)
	if !post.Lead.Phone.Known() && !post.Lead.Email.Known() {
		post.Lead.Phone = pingpost.NewPrivate(anyPhone)
	}
	post.Contact = contact.Of(&post.Lead)
	return post
}

func readLead(node yamlfile.Node, post *pingpost.Post) {
	lead := &post.Lead
	m, ok := node.Map([]string{"first_name", "last_name", "phone", "email", "address", "city", "state", "zip", "notes"})
	if !ok {
		return
	}
	for key, into := range map[string]*pingpost.Private{"first_name": &lead.FirstName, "last_name": &lead.LastName,
		"phone": &lead.Phone, "email": &lead.Email, "address": &lead.Address, "notes": &lead.Notes} {
		if text, ok := m.Get(key).Text("a text"); ok {
			*into = pingpost.NewPrivate(text)
		}
	}
	if text, ok := m.Get("city").Text("a town"); ok {
		lead.City = text
	}
	if m.Get("state").Exists() {
		lead.State = state(m.Get("state"))
	}
	if zip, ok := m.Get("zip").ZIP(); ok {
		lead.ZIP, post.ZIP = zip, zip
	}
}
