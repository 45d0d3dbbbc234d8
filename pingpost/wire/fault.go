package wire

import "leadbid/pingpost"

// Fault is what is wrong with a message that came in. Its texts never hold anything of the
// message's content, so that they may be answered, logged and counted.
type Fault struct {
	Reason  pingpost.Reason // Malformed where the body cannot be read at all, else InvalidField
	Field   string          // where, in the exchange's own spelling: "lead.zip"; "" for the body
	Message string          // what is wrong where, and what to send instead
}

// Error gives the message.
func (f *Fault) Error() string { return "wire: " + f.Message }

// AppendError appends the body of an answer that refuses a request: a code for programs, a
// message for people, and the field where there is one.
func AppendError(dst []byte, code, message, field string) []byte {
	dst = appendText(append(dst, `{"error":{"code":`...), code)
	dst = appendText(append(dst, `,"message":`...), message)
	if field != "" {
		dst = appendText(append(dst, `,"field":`...), field)
	}
	return append(dst, "}}"...)
}
