package exchange

import (
	"slices"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

func (l *configLoader) campaigns(node yamlfile.Node) []Campaign {
	entries, _ := node.Entries("campaigns by name")
	if node.Exists() && len(entries) == 0 {
		node.Fault("there is no campaign: no lead could be sold", "at least one", "")
	}
	var campaigns []Campaign
	fallbacks := map[string]yamlfile.Node{}
	for _, entry := range entries {
		campaign, fallback := l.campaign(entry)
		campaigns = append(campaigns, campaign)
		fallbacks[campaign.Name] = fallback
	}
	for i := range campaigns {
		campaigns[i].Fallback = l.fallback(campaigns, campaigns[i].Name, fallbacks[campaigns[i].Name])
	}
	for _, campaign := range campaigns {
		refuseCircle(campaigns, campaign, fallbacks[campaign.Name])
	}
	return campaigns
}

// campaign reads all but the fallback, which needs the names of all campaigns.
func (l *configLoader) campaign(entry yamlfile.Node) (Campaign, yamlfile.Node) {
	campaign := Campaign{Name: name(entry.Key()), Window: DefaultWindow}
	settings, ok := entry.Map([]string{"services", "mode", "auction", "window", "preview", "fallback"},
		"live", "push", "fixed", "waterfall", "sell", "max_sold", "hours", "require", "duplicates")
	if !ok {
		return campaign, yamlfile.Node{}
	}
	campaign.Services = l.services(settings.Need("services", "the services that the campaign takes"))
	settings.Get("mode").Word([]string{"auction"}, "live", "push", "fixed", "waterfall")
	campaign.Auction = l.auction(settings.Get("auction"))
	if window, ok := settings.Get("window").Duration(time.Second, 30*24*time.Hour); ok {
		campaign.Window = window
		if least := campaign.Auction.Deadline + campaign.Auction.PostTimeout; window < least {
			settings.Get("window").Fault("the window closes before one auction and one post are over",
				"at least "+least.String(), "")
		}
	}
	campaign.Preview = l.preview(settings.Get("preview"))
	return campaign, settings.Get("fallback")
}

// preview reads what pings show; nil, for an absent list, means all fields of a ping.
func (l *configLoader) preview(node yamlfile.Node) []string {
	items, ok := node.List("fields of a ping, such as [service, job, zip, urgency]")
	if !ok {
		return nil
	}
	words := []string{}
	for _, item := range items {
		if word, ok := item.Word(PreviewWords()); ok && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

func (l *configLoader) auction(node yamlfile.Node) Auction {
	auction := Auction{
		Price: pingpost.AuctionFirst, Deadline: DefaultDeadline, PostTimeout: DefaultPostTimeout,
		PostDeadline: DefaultPostDeadline, Reroute: RerouteBreakEven, Hops: DefaultHops,
	}
	settings, ok := node.Map([]string{"price", "deadline", "reserve", "reroute", "hops", "post_timeout", "post_deadline"},
		"max_sold", "soft_floor", "tie")
	if !ok {
		return auction
	}
	if word, ok := settings.Get("price").Word([]string{"first", "second"}, "fixed"); ok {
		auction.Price, _ = pingpost.ParseAuction(word)
	}
	if deadline, ok := settings.Get("deadline").Duration(20*time.Millisecond, 10*time.Second); ok {
		auction.Deadline = deadline
	}
	auction.Reserve, _ = settings.Get("reserve").Dollars()
	if word, ok := settings.Get("reroute").Word(rerouteWords[:]); ok {
		auction.Reroute = Reroute(slices.Index(rerouteWords[:], word))
	}
	if hops, ok := settings.Get("hops").Int(0, 20); ok {
		auction.Hops = int(hops)
	}
	if timeout, ok := settings.Get("post_timeout").Duration(100*time.Millisecond, time.Minute); ok {
		auction.PostTimeout = timeout
	}
	if deadline, ok := settings.Get("post_deadline").Duration(100*time.Millisecond, 10*time.Minute); ok {
		auction.PostDeadline = deadline
	}
	if auction.PostDeadline < auction.PostTimeout {
		at := settings.Get("post_deadline")
		if !at.Exists() {
			at = settings.Get("post_timeout")
		}
		at.Fault("a post must have time for one attempt: post_deadline is "+auction.PostDeadline.String()+
			", post_timeout "+auction.PostTimeout.String(), "a post_deadline of at least the post_timeout", "")
	}
	return auction
}

func (l *configLoader) fallback(campaigns []Campaign, own string, node yamlfile.Node) []string {
	var names, known []string
	for _, campaign := range campaigns {
		known = append(known, campaign.Name)
	}
	for _, item := range node.OneOrList() {
		next, ok := item.Text("the name of another campaign")
		switch {
		case !ok:
		case next == own:
			item.Fault("a campaign cannot fall back to itself", "another campaign", "")
		case slices.Contains(names, next):
			item.Fault(yamlfile.Quote(next)+" stands here twice", "each campaign once", "")
		case !slices.Contains(known, next):
			nearest, _ := yamlfile.Nearest(next, known)
			item.Fault("no campaign is called "+yamlfile.Quote(next), "a campaign of this file", nearest)
		default:
			names = append(names, next)
		}
	}
	return names
}

// refuseCircle notes a chain of fallbacks that leads back to where it began: its leads would
// never come to an end.
func refuseCircle(campaigns []Campaign, start Campaign, node yamlfile.Node) {
	byName := map[string]Campaign{}
	for _, campaign := range campaigns {
		byName[campaign.Name] = campaign
	}
	var walk func(path []string) []string
	walk = func(path []string) []string {
		for _, next := range byName[path[len(path)-1]].Fallback {
			if next == start.Name {
				return append(path, next)
			}
			if slices.Contains(path, next) {
				continue
			}
			if circle := walk(append(slices.Clone(path), next)); circle != nil {
				return circle
			}
		}
		return nil
	}
	position := func(name string) int {
		return slices.IndexFunc(campaigns, func(campaign Campaign) bool { return campaign.Name == name })
	}
	circle := walk([]string{start.Name})
	// A circle is told once, at the first of its campaigns.
	if circle != nil && !slices.ContainsFunc(circle, func(name string) bool { return position(name) < position(start.Name) }) {
		node.Fault("the fallbacks run in a circle: "+strings.Join(circle, " → "), "a chain with an end", "")
	}
}
