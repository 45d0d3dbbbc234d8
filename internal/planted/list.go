// Package planted holds deliberate mistakes with money, so that the simulation and the suites can show
// that they would find them: a check that never failed proves nothing. Each is a name in this list and
// an `if` at its place of the product.
//
// Without the build tag "planted" Is is a constant false, and nothing of it is compiled: no released
// program holds a mistake. With it, the environment's LEADBID_PLANTED names the one that is made.
// `go run ./bench/planted` makes each in turn and tells what caught it.
package planted

// Bug is the name of a mistake.
type Bug string

// The mistakes. All says where each is made, and what it does.
const (
	FreeUnsettledHold Bug = "free_unsettled_hold"
	ReleaseHoldTwice  Bug = "release_hold_twice"
	HoldHalf          Bug = "hold_half"
	BidPastLease      Bug = "bid_past_lease"
	LossFreesBinding  Bug = "loss_frees_binding"
	ReturnHeld        Bug = "return_held"
	ResetAtUTC        Bug = "reset_at_utc"
	DayOf24Hours      Bug = "day_of_24_hours"
	AnySignature      Bug = "any_signature"
	TermsWithoutJob   Bug = "terms_without_job"
	SameRun           Bug = "same_run"
	ChargeBid         Bug = "charge_bid"
	AnyPrice          Bug = "any_price"
	AnyTerms          Bug = "any_terms"
	AnyTime           Bug = "any_time"
	NoticeFirst       Bug = "notice_first"
	AcceptRefused     Bug = "accept_refused"
	SkipPingUnique    Bug = "skip_ping_unique"
	KeepRefused       Bug = "keep_refused"
	ExtendPastEnd     Bug = "extend_past_end"
	CloseEarly        Bug = "close_early"
	ReturnMore        Bug = "return_more"
	ForgetUsed        Bug = "forget_used"
	CreditTwice       Bug = "credit_twice"
	SkipContact       Bug = "skip_contact"
	AnyBody           Bug = "any_body"
	AcceptVoided      Bug = "accept_voided"
	SkipLeadCap       Bug = "skip_lead_cap"
	ForgetAway        Bug = "forget_away"
	NewCapAlone       Bug = "new_cap_alone"
	CreditLease       Bug = "credit_lease"
	IgnoreLowered     Bug = "ignore_lowered"
	CutUnasked        Bug = "cut_unasked"
	WholeRest         Bug = "whole_rest"
	BidBeforeAnswer   Bug = "bid_before_answer"
	KeepIdle          Bug = "keep_idle"
	ResumeLeases      Bug = "resume_leases"
	ReplyBeforeSync   Bug = "reply_before_sync"
	RerouteUnknown    Bug = "reroute_unknown"
	FreeWithdrawn     Bug = "free_withdrawn"
	BidPastLowered    Bug = "bid_past_lowered"
	KeepRefusable     Bug = "keep_refusable"
	SettlersTTL       Bug = "settlers_ttl"
	ForgetLastMoment  Bug = "forget_last_moment"
)

// Mistake is a bug with the package that it is made in.
type Mistake struct {
	Bug   Bug
	Where string
	What  string
}

// All lists the mistakes.
func All() []Mistake {
	return []Mistake{
		{FreeUnsettledHold, "budget", "an ended hold is free before the lease's use was read"},
		{ReleaseHoldTwice, "budget", "a hold gives its money back twice"},
		{HoldHalf, "budget", "a bid holds half of its price"},
		{BidPastLease, "budget", "a lease backs bids after its end"},
		{LossFreesBinding, "budget", "a loss notice frees the hold of a binding bid"},
		{ReturnHeld, "budget", "the store is told that no bid needs the lease any more"},
		{ResetAtUTC, "budget", "windows are those of UTC"},
		{DayOf24Hours, "budget", "a day ends 24 hours after it began"},
		{AnySignature, "budget", "a bid id's signature is not looked at"},
		{TermsWithoutJob, "budget", "the bid is not bound to service and job"},
		{SameRun, "bidder", "a restarted process signs with the number of the first run"},
		{ChargeBid, "bidder", "the price of the bid is charged, not the posted one"},
		{AnyPrice, "bidder", "a post above the bid is taken"},
		{AnyTerms, "bidder", "a post of another lead than was bid for is taken"},
		{AnyTime, "bidder", "a post after the bid's expiry is taken"},
		{NoticeFirst, "bidder", "a voided notice frees the hold and withdraws nothing"},
		{AcceptRefused, "bidder", "what the store refused is answered accepted"},
		{SkipPingUnique, "budget/store", "a ping can be charged under two bid ids"},
		{KeepRefused, "budget/store", "what a refused post took is not given back"},
		{ExtendPastEnd, "budget/store", "a lease is extended past the window that it was carved from"},
		{CloseEarly, "budget/store", "a lease is closed when it backs no new bids"},
		{ReturnMore, "budget/store", "a lease gives back what open bids need"},
		{ForgetUsed, "budget/store", "a returned lead does not lower what its lease used"},
		{CreditTwice, "budget/store", "a lead that comes back twice is credited twice"},
		{SkipContact, "budget/store", "a homeowner is bought twice"},
		{AnyBody, "budget/store", "the same bid id with another body is answered as before"},
		{AcceptVoided, "budget/store", "a withdrawn post is accepted again"},
		{SkipLeadCap, "budget/store", "a direct charge does not ask for the cap's leads"},
		{ForgetAway, "budget/store", "what was bought without asking a cap does not count in it"},
		{NewCapAlone, "budget/store", "open leases that a cap knows nothing of leave it whole"},
		{CreditLease, "budget/store", "a lead that comes back gives its open lease more to buy than newer caps counted"},
		{IgnoreLowered, "budget/store", "a lowered limit does not cut leases"},
		{CutUnasked, "budget/store", "an extension takes back what bids are being made from"},
		{WholeRest, "budget/store", "one of several replicas is granted all that a cap has left"},
		{BidBeforeAnswer, "budget", "bids are made from what the store may be taking back"},
		{KeepIdle, "budget", "a replica that nobody asks for bids keeps as much as one that is asked"},
		{ResumeLeases, "budget/store", "a run is shown the leases of all runs as its own"},
		{ReplyBeforeSync, "internal/sqlstore", "the store answers before the disk has it"},
		{RerouteUnknown, "exchange", "an unanswered post is rerouted before its withdrawal is known"},
		{FreeWithdrawn, "budget", "a withdrawn bid's hold is free before the lease's use was read"},
		{BidPastLowered, "budget", "what a cap has promised beyond a lowered limit is bid again"},
		{KeepRefusable, "budget", "leases of refusable bids back binding ones after a reload"},
		{SettlersTTL, "bidder", "a bid was made as long before its end as the settler's rules have it"},
		{ForgetLastMoment, "bidder", "a hold ends before a post of the last moment is in the books"},
	}
}
