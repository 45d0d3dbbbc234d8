package bidder

import (
	"fmt"

	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/rules"
)

// Snapshot is everything that an Agent's decisions depend on, as it was after input Seq. It is
// plain data: the caller may marshal it at leisure. What it lacks are the rules of former
// generations: how they settle a post is part of the post's record.
type Snapshot struct {
	Stamp
	Run        uint32       `json:"run"`
	Generation uint32       `json:"generation"`
	Rules      string       `json:"rules"` // Ruleset.Hash of the rules in force
	Book       budget.State `json:"book"`
	Repeats    []answered   `json:"repeats,omitempty"`
	Pauses     Pauses       `json:"pauses"`
	Outcomes   outcomes     `json:"outcomes,omitempty"`
	Hearings   hearings     `json:"hearings,omitempty"`

	Strategy strategy.State `json:"strategy,omitzero"`
}

// Snapshot copies the Agent's state. It is not an input: it takes no sequence number.
func (a *Agent) Snapshot() Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshotLocked()
}

func (a *Agent) snapshotLocked() Snapshot {
	return Snapshot{
		Stamp: Stamp{Seq: a.seq, At: a.last},
		Run:   a.run, Generation: a.inForce.number, Rules: a.inForce.rules.Hash(),
		Book: a.book.Snapshot(), Pauses: a.pauses, Repeats: a.repeats.all(a.run),
		Outcomes: a.outcomes.clone(), Hearings: a.hearings.clone(),
		Strategy: a.desk.State(),
	}
}

// Restore makes an Agent that goes on deciding where the snapshot was taken. It serves replays
// only: a restarted process takes nothing over from its former run. It is an error where the
// rules are not those of the snapshot.
func Restore(snapshot Snapshot, rs *rules.Ruleset) (*Agent, error) {
	if rs.Hash() != snapshot.Rules {
		return nil, fmt.Errorf("bidder: the recording was made with rules %.12s, these are %.12s",
			snapshot.Rules, rs.Hash())
	}
	agent := New(snapshot.Run, rs, budget.Restore(PlanOf(rs), snapshot.Book))
	agent.seq, agent.last, agent.pauses = snapshot.Seq, snapshot.At, snapshot.Pauses
	agent.inForce.number = snapshot.Generation
	agent.outcomes = snapshot.Outcomes.clone()
	if heard := snapshot.Hearings.clone(); heard != nil {
		agent.hearings = heard
	}
	agent.desk = strategy.Restore(agent.inForce.plans.setup, snapshot.Strategy)
	agent.repeats.restore(snapshot.Repeats)
	return agent, nil
}
