package server

import (
	"time"

	"leadbid/bidder"
)

// ExchangeStatus is what was heard of an exchange in this run.
type ExchangeStatus struct {
	Exchange   string    `json:"exchange"`
	Heard      time.Time `json:"heard,omitzero"` // its last post or notice; absent where there was none
	Unanswered int64     `json:"unanswered"`     // bids sent since then
	Silent     time.Time `json:"silent_since,omitzero"`
	Withheld   int64     `json:"withheld,omitempty"` // bids not sent since it is silent
}

// hearings reads what the Agent heard of each exchange.
func (s *Server) hearings(zone *time.Location) []ExchangeStatus {
	list := []ExchangeStatus{}
	for _, h := range s.agent.Hearings() {
		told := ExchangeStatus{Exchange: h.Exchange, Unanswered: h.Unanswered, Withheld: h.Withheld}
		if !h.Heard.IsZero() {
			told.Heard = h.Heard.In(zone)
		}
		if !h.Silent.IsZero() {
			told.Silent = h.Silent.In(zone)
		}
		list = append(list, told)
	}
	return list
}

// tellSilence logs and meters which exchanges fell silent or are heard again since it looked last. It
// is for one goroutine at a time.
func (s *Server) tellSilence() {
	for _, h := range s.agent.Hearings() {
		silent := !h.Silent.IsZero()
		s.meters.hears(h, silent)
		if silent == s.silent[h.Exchange] {
			continue
		}
		s.silent[h.Exchange] = silent
		if silent {
			s.log.Error().Str("exchange", h.Exchange).Time("last_heard", h.Heard).Int64("unanswered_bids", h.Unanswered).
				Msg("no post and no notice comes while bids go out: bids are withheld, but for a few probes")
			continue
		}
		s.log.Info().Str("exchange", h.Exchange).Msg("the exchange is heard again: bids go out")
	}
}

func (m *meters) hears(h bidder.Hearing, silent bool) {
	m.silent.WithLabelValues(h.Exchange).Set(oneIf(silent))
	if !h.Heard.IsZero() {
		m.heard.WithLabelValues(h.Exchange).Set(float64(h.Heard.UnixMilli()) / 1000)
	}
}
