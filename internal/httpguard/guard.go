package httpguard

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// maxHeaderFields is how many header lines a request may have. Our clients send about ten.
const maxHeaderFields = 64

// Guard stands before a handler and refuses, with 400 and a closed connection, what a proxy in
// front of us may have read in another way than fasthttp did: a Transfer-Encoding field (with a
// Content-Length beside it fasthttp would serve a second, smuggled request; no client of ours
// needs chunked bodies), folded header lines, lines that end without a carriage return, and more
// than 64 header fields. It looks at the raw lines, because the parsed header no longer shows the
// difference.
func Guard(handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if wrong := ambiguity(ctx.Request.Header.RawHeaders()); wrong != "" {
			WriteError(ctx, fasthttp.StatusBadRequest, "malformed", wrong, "")
			ctx.SetConnectionClose()
			return
		}
		handler(ctx)
	}
}

// ambiguity names what is wrong with the raw header lines, "" where nothing is.
func ambiguity(lines []byte) string {
	for fields := 0; len(lines) > 0; {
		end := bytes.IndexByte(lines, '\n')
		if end < 0 {
			end = len(lines) - 1
		}
		line := lines[:end+1]
		lines = lines[end+1:]
		switch first := line[0]; {
		case !bytes.HasSuffix(line, []byte("\r\n")):
			return "header lines must end with CR LF"
		case first == '\r':
			continue
		case first == ' ' || first == '\t':
			return "header lines must not be folded"
		case first|0x20 == 't' && isTransferEncoding(line):
			return "Transfer-Encoding is not supported: send a Content-Length"
		}
		if fields++; fields > maxHeaderFields {
			return "more than 64 header fields"
		}
	}
	return ""
}

func isTransferEncoding(line []byte) bool {
	const name = "transfer-encoding"
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return false
	}
	rest := bytes.TrimLeft(line[len(name):], " \t")
	return len(rest) > 0 && rest[0] == ':'
}
