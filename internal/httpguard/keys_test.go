package httpguard_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"pgregory.net/rapid"

	"leadbid/internal/httpguard"
)

func TestKeys(t *testing.T) {
	keys, err := httpguard.NewKeys(map[string]string{"north": "key-of-north", "south": "key-of-south"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header, name string
	}{
		{"Bearer key-of-north", "north"},
		{"bearer key-of-south", "south"},
		{"BEARER  key-of-south ", "south"},
		{"Bearer key-of-nort", ""},
		{"Bearer key-of-northx", ""},
		{"Bearer ", ""},
		{"Bearer    ", ""},
		{"Bearer", ""},
		{"", ""},
		{"Basic key-of-north", ""},
		{"key-of-north", ""},
		{"Bearer key-of-north, Bearer key-of-south", ""},
	} {
		name, ok := keys.Find([]byte(c.header))
		if name != c.name || ok != (c.name != "") {
			t.Errorf("Find(%q) = %q, %v", c.header, name, ok)
		}
		for _, holder := range []string{"north", "south", "west", ""} {
			if got := keys.Check([]byte(holder), []byte(c.header)); got != (holder == c.name && holder != "") {
				t.Errorf("Check(%q, %q) = %v", holder, c.header, got)
			}
		}
	}
}

func TestKeysRefusesWithoutShowing(t *testing.T) {
	if _, err := httpguard.NewKeys(map[string]string{"a": "", "b": "x"}); !errors.Is(err, httpguard.ErrEmptyKey) {
		t.Error(err)
	}
	_, err := httpguard.NewKeys(map[string]string{"b": "same-secret", "a": "same-secret"})
	if !errors.Is(err, httpguard.ErrSharedKey) || strings.Contains(err.Error(), "same-secret") {
		t.Error(err)
	}
}

// No key's client is let in by anything but the key itself.
func TestOnlyTheKeyOpens(t *testing.T) {
	keys, err := httpguard.NewKeys(map[string]string{"n": "0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	part := func(texts ...string) *rapid.Generator[string] { return rapid.SampledFrom(texts) }
	opened, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		header := rapid.SliceOfN(rapid.SampledFrom([]byte("Bearer 0123456789abcdef\t:")), 0, 30).Draw(t, "header")
		if rapid.Bool().Draw(t, "nearly right") {
			header = []byte(part("Bearer ", "bearer ", "BEARER  ", "Bearer", "Basic ").Draw(t, "scheme") +
				part("0123456789abcdef", "0123456789abcdef", "0123456789abcde", "0123456789abcdef0").Draw(t, "key") + part("", " ", ":").Draw(t, "end"))
		}
		isKey := strings.EqualFold(string(header[:min(7, len(header))]), "bearer ") &&
			strings.TrimSpace(string(header[min(7, len(header)):])) == "0123456789abcdef"
		if keys.Check([]byte("n"), header) != isKey {
			t.Fatalf("%q", header)
		}
		if isKey {
			opened++
		} else {
			refused++
		}
	})
	if opened == 0 || refused == 0 {
		t.Errorf("of the headers drawn %d open and %d do not", opened, refused)
	}
}

func TestWeakKey(t *testing.T) {
	for key, weak := range map[string]bool{
		"": true, "secret": true, "northside-key": true,
		strings.Repeat("a", 64):                true,
		"0123456789abcdef0123456789abcdef":     false, // 32 hexadecimal digits
		"0123456789abcdef0123456789abcde":      true,
		"c2VjcmV0LXNlY3JldC1z":                 true,
		"c2VjcmV0LXNlY3JldC1zZWM":              false, // 23 characters of base64
		"550e8400-e29b-41d4-a716-446655440000": false,
	} {
		if httpguard.WeakKey(key) != weak {
			t.Errorf("WeakKey(%q) = %v", key, !weak)
		}
	}
}

func TestLimiter(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	limiter := httpguard.NewLimiter(10, 3, 2)
	take := func(after time.Duration, client string) int {
		taken := 0
		for limiter.Allow(start.Add(after), client) {
			taken++
		}
		return taken
	}
	for _, c := range []struct {
		after  time.Duration
		client string
		want   int
	}{
		{0, "a", 3}, {0, "b", 3}, {50 * time.Millisecond, "a", 0}, {100 * time.Millisecond, "a", 1},
		{10 * time.Second, "b", 3},
		{10 * time.Second, "c", 3}, // a is forgotten
		{10 * time.Second, "b", 0},
	} {
		if got := take(c.after, c.client); got != c.want {
			t.Errorf("after %v %s took %d, want %d", c.after, c.client, got, c.want)
		}
	}
}

// The cache of verified keys that Keys does without, beside it, to see what it would save.
func BenchmarkKeys(b *testing.B) {
	const header = "Bearer 0123456789abcdef0123456789abcdef"
	b.Run("digest", func(b *testing.B) {
		keys, err := httpguard.NewKeys(map[string]string{"north": header[7:]})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if !keys.Check([]byte("north"), []byte(header)) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("cache", func(b *testing.B) {
		cache, err := lru.New[string, [sha256.Size]byte](64)
		if err != nil {
			b.Fatal(err)
		}
		cache.Add(header[7:], sha256.Sum256([]byte(header[7:])))
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := cache.Get(header[7:]); !ok {
				b.Fatal("lost")
			}
		}
	})
}
