package bidder

import (
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
)

// CapStatus is one cap in its present window, as people read it. Its names in JSON are stable.
type CapStatus struct {
	Scope      string          `json:"scope"`          // business, exchange or campaign
	Name       string          `json:"name,omitempty"` // of the exchange or campaign
	Period     string          `json:"period"`
	Ends       time.Time       `json:"ends,omitzero"`   // zero: never
	Limit      *pingpost.Cents `json:"limit,omitempty"` // nil: dollars are not bounded
	Used       pingpost.Cents  `json:"used"`
	LimitLeads *int64          `json:"limit_leads,omitempty"` // nil: leads are not bounded
	UsedLeads  int64           `json:"used_leads"`
}

// CapStatusOf gives the form that people read of a cap's use.
func CapStatusOf(use budget.CapUse) CapStatus {
	status := CapStatus{
		Scope: use.Cap.Scope.Kind.String(), Name: use.Cap.Scope.Name, Period: use.Cap.Period.String(),
		Ends: use.End, Used: use.UsedCents, UsedLeads: use.UsedLeads,
	}
	if limit := pingpost.Cents(use.Cap.Cents.N); use.Cap.Cents.Set {
		status.Limit = &limit
	}
	if limit := use.Cap.Leads.N; use.Cap.Leads.Set {
		status.LimitLeads = &limit
	}
	return status
}
