package pingpost

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Cents is an amount of United States money in whole cents. It may be negative (a debit in a
// ledger). Limits and prices are at most MaxCents; arithmetic that could pass the range of int64
// goes through Add and Sub, which say so instead of wrapping.
type Cents int64

// MaxCents is the largest amount a person may write or an exchange may send: $100 million.
// Anything above is a mistake, and far enough below the range of int64 that sums of billions of
// such amounts cannot wrap.
const MaxCents Cents = 100_000_000_00

// Add returns c + d; ok is false, and the sum 0, where that passes the range of int64.
func (c Cents) Add(d Cents) (sum Cents, ok bool) {
	sum = c + d
	if (d > 0 && sum < c) || (d < 0 && sum > c) {
		return 0, false
	}
	return sum, true
}

// Sub returns c - d; ok is false, and the difference 0, where that passes the range of int64.
func (c Cents) Sub(d Cents) (difference Cents, ok bool) {
	difference = c - d
	if (d > 0 && difference > c) || (d < 0 && difference < c) {
		return 0, false
	}
	return difference, true
}

// String shows dollars for people: "$8,000.00", "-$0.05".
func (c Cents) String() string {
	sign, magnitude := "", uint64(c)
	if c < 0 {
		sign, magnitude = "-", -magnitude
	}
	dollars := strconv.FormatUint(magnitude/100, 10)
	var grouped strings.Builder
	for i, digit := range dollars {
		if i > 0 && (len(dollars)-i)%3 == 0 {
			grouped.WriteByte(',')
		}
		grouped.WriteRune(digit)
	}
	return fmt.Sprintf("%s$%s.%02d", sign, grouped.String(), magnitude%100)
}

// AppendDollars appends the amount as a JSON number of dollars with two decimals: 42.50.
func (c Cents) AppendDollars(dst []byte) []byte {
	magnitude := uint64(c)
	if c < 0 {
		dst, magnitude = append(dst, '-'), -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/100, 10)
	rest := magnitude % 100
	return append(dst, '.', byte('0'+rest/10), byte('0'+rest%10))
}

// MarshalJSON writes dollars with two decimals, as AppendDollars does.
func (c Cents) MarshalJSON() ([]byte, error) { return c.AppendDollars(nil), nil }

// UnmarshalJSON reads a JSON number of dollars exactly, without passing through a float. A third
// decimal that is not zero is an error: money is never rounded on the way in.
func (c *Cents) UnmarshalJSON(text []byte) error {
	parsed, err := ParseDollars(string(text))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// The ways in which a written amount can be wrong. Callers who speak to people add where it was
// written and what to type instead.
var (
	ErrMoneySyntax    = errors.New("not an amount of dollars")
	ErrMoneySeparator = errors.New("an amount has no thousands separators")
	ErrMoneyDecimals  = errors.New("an amount has at most two decimals")
	ErrMoneyRange     = errors.New("an amount is at most $100,000,000")
)

// ParseDollars reads an exact amount: digits, then optionally a point and up to two decimals
// (more only if they are zeros), with an optional minus. A JSON number's exponent is not read:
// nobody prices a lead as 1e2. Errors are ErrMoneySyntax, ErrMoneySeparator, ErrMoneyDecimals or
// ErrMoneyRange.
func ParseDollars(text string) (Cents, error) {
	rest, negative := strings.CutPrefix(text, "-")
	whole, fraction, hasPoint := strings.Cut(rest, ".")
	switch {
	case strings.ContainsAny(rest, ",_"):
		return 0, ErrMoneySeparator
	case whole == "" || !allDigits(whole) || !allDigits(fraction) || (hasPoint && fraction == ""):
		return 0, ErrMoneySyntax
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 2 {
		return 0, ErrMoneyDecimals
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 9 {
		return 0, ErrMoneyRange
	}
	cents, err := strconv.ParseInt(whole+fraction+"00"[len(fraction):], 10, 64)
	if err != nil {
		return 0, ErrMoneySyntax
	}
	if Cents(cents) > MaxCents {
		return 0, ErrMoneyRange
	}
	if negative {
		cents = -cents
	}
	return Cents(cents), nil
}

// ErrNotAPrice is what FloorPrice answers for a number that cannot be the price of a lead.
var ErrNotAPrice = errors.New("not a price: NaN, infinite, negative or above $1,000,000")

// maxPrice is the largest price that a rule may come to for one lead. It is far above any lead
// and far below the precision limit of float64 in cents.
const maxPrice = 1_000_000

// FloorPrice turns the dollars that a rule came to into cents, rounding down: it is the one
// place where a float becomes money. A result within a millionth of a cent below a whole cent
// counts as that cent, so that 0.1 * 3 dollars is 30 cents and not 29. NaN, infinities,
// negatives and absurd sizes are ErrNotAPrice.
func FloorPrice(dollars float64) (Cents, error) {
	if math.IsNaN(dollars) || dollars < 0 || dollars > maxPrice {
		return 0, ErrNotAPrice
	}
	// The conversion to float64 keeps the compiler from fusing the product into the sum, so that
	// every machine rounds alike and a replay on another one gives the same cents.
	hundredfold := float64(dollars * 100)
	return Cents(math.Floor(hundredfold + 1e-6)), nil
}

func allDigits(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
