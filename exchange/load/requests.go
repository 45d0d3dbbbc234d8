package load

import (
	"bytes"
	"fmt"

	"leadbid/exchange/simulate"
)

// idDigits is the room for a send's number in its ping id.
const idDigits = 10

// request is one prepared body, with the places where a send writes its number.
type request struct {
	body   []byte
	places []int // offsets of the idDigits digits
}

// prepare spells the whole population before the clock starts, so that a send costs a copy and
// ten digits.
func prepare(population []simulate.Homeowner, protocol Protocol, run string) ([]request, error) {
	id := pingID(run, 0)
	requests := make([]request, len(population))
	for i := range population {
		homeowner := population[i]
		homeowner.Ping.ID = id
		body := protocol.AppendRequest(nil, &homeowner)
		r := request{body: body}
		for at := 0; ; {
			found := bytes.Index(body[at:], []byte(id))
			if found < 0 {
				break
			}
			at += found + len(id)
			r.places = append(r.places, at-idDigits)
		}
		if len(r.places) == 0 {
			return nil, fmt.Errorf("load: the protocol does not put the ping id as it is into the body: two sends would be one")
		}
		requests[i] = r
	}
	return requests, nil
}

// appendTo appends the body of the send with this number.
func (r *request) appendTo(dst []byte, number int64) []byte {
	start := len(dst)
	dst = append(dst, r.body...)
	for _, place := range r.places {
		writeDigits(dst[start+place:start+place+idDigits], number)
	}
	return dst
}

// pingID is the ping id of a send.
func pingID(run string, number int64) string {
	digits := make([]byte, idDigits)
	writeDigits(digits, number)
	return "load-" + run + "-" + string(digits)
}

func writeDigits(dst []byte, number int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + number%10)
		number /= 10
	}
}
