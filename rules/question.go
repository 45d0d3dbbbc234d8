package rules

import "fmt"

// Question is something about an exchange that decides what a bid costs, that the configuration
// leaves open, and that only the exchange's account manager can answer.
type Question struct {
	Exchange string `json:"exchange"`
	Key      string `json:"key"`     // the key that holds the answer
	Assumed  string `json:"assumed"` // what holds until it is answered
	Ask      string `json:"ask"`     // the question, as one would write it
	Answer   string `json:"answer"`  // what to type for which answer
}

// String is the question with what to do with its answer.
func (q Question) String() string {
	return fmt.Sprintf("exchange %s does not say its %s. Ask your account manager:\n  %q\n  Then write %s (until then: %s).",
		q.Exchange, q.Key, q.Ask, q.Answer, q.Assumed)
}

// Questions lists what to ask about each exchange, in file order.
func (rs *Ruleset) Questions() []Question {
	var questions []Question
	for _, exchange := range rs.exchanges {
		if !exchange.saysCommitment {
			questions = append(questions, Question{
				Exchange: exchange.Name, Key: "commitment", Assumed: commitmentWord(exchange.Commitment),
				Ask:    "If our system rejects the full lead after we won it, are we charged for it?",
				Answer: "commitment: binding if so, commitment: refusable if not",
			})
		}
		if !exchange.saysAuction {
			questions = append(questions, Question{
				Exchange: exchange.Name, Key: "auction", Assumed: exchange.Auction.String(),
				Ask:    "When our bid wins, do we pay what we bid, what the second bid was, or a fixed price?",
				Answer: "auction: first, auction: second or auction: fixed",
			})
		}
	}
	return questions
}

func commitmentWord(commitment Commitment) string {
	if commitment == Refusable {
		return "refusable"
	}
	return "binding"
}
