package exchange

import "leadbid/pingpost"

// previewFields copy one field of a ping each. Service, ZIP and the test mark are always shown:
// nobody can price a lead without the first two.
var previewFields = []struct {
	word string
	show func(to, from *pingpost.Ping)
}{
	{"job", func(to, from *pingpost.Ping) { to.Job = from.Job }},
	{"task", func(to, from *pingpost.Ping) { to.Task = from.Task }},
	{"state", func(to, from *pingpost.Ping) { to.State = from.State }},
	{"city", func(to, from *pingpost.Ping) { to.City = from.City }},
	{"urgency", func(to, from *pingpost.Ping) { to.Urgency = from.Urgency }},
	{"property_type", func(to, from *pingpost.Ping) { to.Property = from.Property }},
	{"homeowner", func(to, from *pingpost.Ping) { to.Homeowner = from.Homeowner }},
	{"lead_score", func(to, from *pingpost.Ping) { to.LeadScore = from.LeadScore }},
	{"source", func(to, from *pingpost.Ping) { to.Source = from.Source }},
	{"sub_ids", func(to, from *pingpost.Ping) { to.SubIDs = from.SubIDs }},
	{"consent", func(to, from *pingpost.Ping) { to.Consent = from.Consent }},
	{"attrs", func(to, from *pingpost.Ping) { to.Attrs = from.Attrs }},
}

// PreviewWords lists what Campaign.Preview may name.
func PreviewWords() []string {
	words := []string{"service", "zip"}
	for _, field := range previewFields {
		words = append(words, field.word)
	}
	return words
}

// preview keeps of a ping what the words name: an allow list, so that a field added to Ping later
// stays hidden until somebody names it.
func preview(full pingpost.Ping, words []string) pingpost.Ping {
	shown := pingpost.Ping{Service: full.Service, ZIP: full.ZIP, Test: full.Test}
	for _, word := range words {
		for _, field := range previewFields {
			if field.word == word {
				field.show(&shown, &full)
			}
		}
	}
	return shown
}
