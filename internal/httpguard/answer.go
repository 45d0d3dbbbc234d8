package httpguard

import (
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// failure is the form of every error that our APIs answer.
type failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Field   string `json:"field,omitempty"`
	} `json:"error"`
}

// ErrorBody gives the JSON of an error: a code for programs, a message for people, and the field
// that is at fault where there is one. None of them may hold personal data.
func ErrorBody(code, message, field string) []byte {
	var body failure
	body.Error.Code, body.Error.Message, body.Error.Field = code, message, field
	text, _ := json.Marshal(body) // strings always marshal
	return text
}

// WriteError answers with ErrorBody under a status. The connection stays open.
func WriteError(ctx *fasthttp.RequestCtx, status int, code, message, field string) {
	WriteJSON(ctx, status, ErrorBody(code, message, field))
}

// WriteJSON answers with a finished JSON body under a status.
func WriteJSON(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}
