package rules

import _ "embed" // for schema.json

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of a configuration, for editors: completion,
// descriptions, and the first mistakes while typing. Load remains the judge: a schema can neither
// compile an expression nor add up an area.
func Schema() []byte { return append([]byte(nil), schema...) }
