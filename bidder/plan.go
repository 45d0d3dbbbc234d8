package bidder

import (
	"slices"

	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/pingpost"
	"leadbid/rules"
)

// PlanOf joins rules and budget: every pair of a campaign and an exchange that it buys on, with
// every cap above it in the fixed order of scopes and periods.
func PlanOf(rs *rules.Ruleset) *budget.Plan {
	settings := rs.Settings()
	plan := &budget.Plan{Location: settings.Business.Location}
	business := capsOfBusiness(settings)
	for _, campaign := range rs.Campaigns() {
		own := capsOfCampaign(campaign)
		for _, exchange := range rs.Exchanges() {
			if !campaign.BuysOn(exchange.Name) {
				continue
			}
			caps := slices.Concat(business, capsOfExchange(exchange), own)
			plan.Lines = append(plan.Lines, budget.LinePlan{
				Line:       budget.Line{Campaign: campaign.Name, Exchange: exchange.Name},
				Terms:      termsOf(exchange),
				Caps:       caps,
				LargestBid: campaign.MaxBid,
			})
		}
	}
	return plan
}

func termsOf(exchange *rules.Exchange) budget.Terms {
	terms := budget.Terms{
		Refusable: exchange.Commitment == rules.Refusable,
		BidTTL:    exchange.BidTTL,
		HoldFor:   exchange.HoldFor,
		Grace:     exchange.Grace + rules.PostTakes,
	}
	if planted.Is(planted.ForgetLastMoment) {
		terms.Grace = exchange.Grace
	}
	return terms
}

func capsOfBusiness(settings *rules.Settings) []budget.Cap {
	return capsOf(budget.Scope{Kind: budget.ScopeBusiness}, settings.Business.Budget, settings.Business.Capacity)
}

func capsOfExchange(exchange *rules.Exchange) []budget.Cap {
	return capsOf(budget.Scope{Kind: budget.ScopeExchange, Name: exchange.Name}, exchange.Budget, exchange.Capacity)
}

func capsOfCampaign(campaign *rules.Campaign) []budget.Cap {
	scope := budget.Scope{Kind: budget.ScopeCampaign, Name: campaign.Name}
	return capsOf(scope, campaign.Budget, campaign.Capacity)
}

// capsOf makes one cap for each period that has a limit in dollars or in leads.
func capsOf(scope budget.Scope, cents, leads rules.Limits) []budget.Cap {
	var caps []budget.Cap
	for _, period := range pingpost.Periods() {
		if cents[period].Set || leads[period].Set {
			caps = append(caps, budget.Cap{
				Scope: scope, Period: period,
				Cents: budget.Limit(cents[period]),
				Leads: budget.Limit(leads[period]),
			})
		}
	}
	return caps
}
