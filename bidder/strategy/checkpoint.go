package strategy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// checkpointVersion is the form of a State. It counts up with every change of what a State means.
const checkpointVersion = 2

// checkpoint is a State as it is kept.
type checkpoint struct {
	Version int             `json:"version"`
	Sum     string          `json:"sum"` // SHA-256 of the state's text
	State   json.RawMessage `json:"state"`
}

// ErrCheckpoint means that what was kept is nothing to go on from.
var ErrCheckpoint = errors.New("strategy: no checkpoint to go on from")

// WriteCheckpoint gives a State from Checkpoint in the form that is kept.
func WriteCheckpoint(s State) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("strategy: a state does not marshal: %w", err)
	}
	return json.Marshal(checkpoint{checkpointVersion, sumOf(text), text})
}

// ReadCheckpoint reads it back. What is damaged, or of another version of the program, is
// ErrCheckpoint: it is learned anew then, which takes days and costs no money.
func ReadCheckpoint(body []byte) (s State, err error) {
	var c checkpoint
	if err := json.Unmarshal(body, &c); err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	switch {
	case c.Version != checkpointVersion:
		return State{}, fmt.Errorf("%w: it is of version %d, not %d", ErrCheckpoint, c.Version, checkpointVersion)
	case c.Sum != sumOf(c.State):
		return State{}, fmt.Errorf("%w: it is damaged", ErrCheckpoint)
	}
	decoder := json.NewDecoder(bytes.NewReader(c.State))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return s, nil
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
