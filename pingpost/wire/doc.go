// Package wire turns the messages of one exchange into the values of pingpost and back: ping,
// answer, post, verdict, notice and its acknowledgement. How an exchange spells them is a Profile:
// data in YAML, which shows each message's body as it looks on the wire with a $field where a value
// stands. Both directions are read from that one text, so that what one side writes the other reads.
//
// It owns the profiles, the JSON scanner under them and the wording of faults in a message. The
// shells of bidder and exchange call it for every request; the recording spells its pings with
// the native profile. It never does HTTP, never decides, and never shows the content of a field
// in a fault: a message may hold personal data, and faults are answered and logged.
//
// A Profile is immutable and safe for concurrent use. What a decoder fills in may alias the body:
// the body must stay as it is for as long as the value is used, or the value be cloned.
//
// # What the scanner accepts
//
// Exactly the JSON that encoding/json accepts, with these differences:
//   - invalid UTF-8 is malformed (encoding/json replaces it), because a repaired text is not what
//     was signed or agreed;
//   - names are compared exactly (encoding/json folds their case);
//   - a field whose value is nested more than 32 deep is malformed (encoding/json allows 10,000).
//
// Of a repeated name the last value counts; a repeated object adds its members to the first; null
// and "" say nothing. Fields that a profile does not map become attributes under their own name,
// those inside a mapped object under their path ("consent.ip"), at most 64 of them.
package wire
