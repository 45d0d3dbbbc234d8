package yamlfile

import (
	"strconv"
	"strings"
)

// Nearest finds the word that somebody probably meant: the one with the fewest typing slips, if
// those are few for its length, else one that begins alike ("maintenance" for "maintain"). ok is
// false where nothing is near. Of equals the first in the list wins.
func Nearest(word string, among []string) (nearest string, ok bool) {
	word = strings.ToLower(word)
	if word == "" || len(word) > 64 {
		return "", false
	}
	best := len(word)/3 + 1
	for _, candidate := range among {
		if slips := slipsBetween(word, strings.ToLower(candidate)); slips < best {
			nearest, best = candidate, slips
		}
	}
	if nearest != "" {
		return nearest, true
	}
	longest := 2
	for _, candidate := range among {
		shared := sharedPrefix(word, strings.ToLower(candidate))
		if shared > longest && shared*10 >= min(len(word), len(candidate))*6 {
			nearest, longest = candidate, shared
		}
	}
	return nearest, nearest != ""
}

// slipsBetween counts insertions, deletions, changes and swaps of neighbours (the optimal string
// alignment distance).
func slipsBetween(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(b)]
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// OneOf lists words for an expectation: "first, second or fixed".
func OneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Choice lists the words of a closed list for an expectation: "one of first or second", and "native"
// where there is one only.
func Choice(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + OneOf(words)
}

// Quote shows a text inside a message: in double quotes, escaped, and cut where it is long.
func Quote(text string) string {
	const most = 60
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strconv.Quote(text)
}
