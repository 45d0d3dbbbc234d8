package exchange

import "time"

// Market is the whole exchange in memory.
type Market struct{}

// New makes an empty market. Start is its first command.
func New(config *Config) *Market { panic("not yet") }

// Apply takes one command at an instant.
func (m *Market) Apply(now time.Time, command Command) Applied { panic("not yet") }

// Due is the instant of the next Tick that would do something; ok is false where there is none.
func (m *Market) Due() (due time.Time, ok bool) { panic("not yet") }

// Actions lists what the shell must send because of stored events, in order.
func (m *Market) Actions(events []Event) []Action { panic("not yet") }

// Knows reports whether the offer is in memory.
func (m *Market) Knows(id OfferID) bool { panic("not yet") }

// Recall brings a finished offer back to memory, from its stored timeline.
func (m *Market) Recall(history History) error { panic("not yet") }

// History is one offer as the store has it.
type History struct {
	Events []Event // its whole timeline, in order
	Lead   Lead
}
