package yamlfile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"leadbid/pingpost"
)

// scalar gives the raw text of a value that must be one; ok is false after a fault and for an
// absent value.
func (n Node) scalar(expected string) (text string, ok bool) {
	switch {
	case n.node == nil:
		return "", false
	case n.node.Kind == yaml.AliasNode || n.node.Style&yaml.TaggedStyle != 0:
		return "", false // noted when the file was checked
	case isEmpty(n.node):
		at := n
		if n.key != nil {
			at = n.Key()
		}
		at.Fault("there is no value", expected, "")
		return "", false
	case n.node.Kind != yaml.ScalarNode:
		n.Fault("this must be a single value", expected, "")
		return "", false
	}
	return n.node.Value, true
}

// Literal reads a text exactly as written: nothing in it is expanded.
func (n Node) Literal(expected string) (text string, ok bool) { return n.scalar(expected) }

// Text reads a text and expands ${NAME} in it, and only that: $400 stays what it is. A variable
// that is not set is a fault that names it.
func (n Node) Text(expected string) (text string, ok bool) {
	raw, ok := n.scalar(expected)
	if !ok {
		return "", false
	}
	return n.expand(raw)
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}?`)
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (n Node) expand(raw string) (text string, ok bool) {
	ok = true
	text = variable.ReplaceAllStringFunc(raw, func(match string) string {
		name := variable.FindStringSubmatch(match)[1]
		if !strings.HasSuffix(match, "}") || !variableName.MatchString(name) {
			n.Fault(Quote(match)+" does not name a variable", "${NAME}: letters, digits and _", "")
			ok = false
			return ""
		}
		value, set := n.file.getenv(name)
		if !set {
			severity := Wrong
			if n.file.unsetIsFine {
				severity = Warning
			}
			n.note(severity, "the environment variable "+name+" is not set",
				"a value for it where the program starts", "export "+name+"=...")
			ok = false
		}
		return value
	})
	return text, ok
}

// Secret is Text for a value that should not stand in a file: written out it is a warning. An
// empty one is a fault.
func (n Node) Secret(expected, suggestedName string) (text string, ok bool) {
	text, ok = n.Text(expected)
	if !ok {
		return "", false
	}
	if text == "" {
		n.Fault("the secret is empty", expected, "")
		return "", false
	}
	if !variable.MatchString(n.node.Value) {
		n.file.faults.hide(n.node.Value)
		n.Warn("a secret is written out in the file",
			"a variable, so that the file can be shown and kept in version control", `"${`+suggestedName+`}"`)
	}
	return text, true
}

// Word reads one word of a closed list exactly. planned lists words that are decided and not
// built.
func (n Node) Word(words []string, planned ...string) (word string, ok bool) {
	text, ok := n.scalar(Choice(words))
	if !ok {
		return "", false
	}
	switch {
	case contains(words, text):
		return text, true
	case contains(planned, text):
		n.Fault(Planned(text), Choice(words), "")
		return "", false
	}
	nearest, _ := Nearest(text, words)
	n.Fault(Quote(text)+" is not a word that is known here", Choice(words), nearest)
	return "", false
}

// Bool reads true or false; yes, no, on and off are faults that say what to type.
func (n Node) Bool() (truth, ok bool) {
	text, ok := n.scalar("true or false")
	if !ok {
		return false, false
	}
	switch text {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	typed := ""
	switch strings.ToLower(text) {
	case "yes", "on", "y", "true", "1":
		typed = "true"
	case "no", "off", "n", "false", "0":
		typed = "false"
	}
	n.Fault(Quote(text)+" is neither true nor false", "true or false", typed)
	return false, false
}

// Int reads a whole number from low to high.
func (n Node) Int(low, high int64) (number int64, ok bool) {
	expected := fmt.Sprintf("a whole number from %d to %d", low, high)
	if low == high {
		expected = strconv.FormatInt(low, 10)
	}
	text, ok := n.scalar(expected)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < low || number > high || strings.HasPrefix(text, "+") {
		typed := ""
		if joined := strings.NewReplacer(",", "", "_", "").Replace(text); joined != text && allDigits(joined) {
			typed = joined
		}
		n.Fault(Quote(text)+" does not fit here", expected, typed)
		return 0, false
	}
	return number, true
}

var decimalNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// Number reads a decimal number from low to high.
func (n Node) Number(low, high float64) (number float64, ok bool) {
	expected := fmt.Sprintf("a number from %v to %v", low, high)
	text, ok := n.scalar(expected)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || !decimalNumber.MatchString(text) || number < low || number > high {
		n.Fault(Quote(text)+" does not fit here", expected, "")
		return 0, false
	}
	return number, true
}

// Percent reads "25%" as 0.25, from 0 to most (a share, such as 1 for 100%).
func (n Node) Percent(most float64) (share float64, ok bool) {
	expected := fmt.Sprintf("a percentage from 0%% to %v%%, such as %v%%", most*100, min(25, most*50))
	text, ok := n.scalar(expected)
	if !ok {
		return 0, false
	}
	digits, hasSign := strings.CutSuffix(text, "%")
	digits = strings.TrimSpace(digits)
	number, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || !decimalNumber.MatchString(digits) || number < 0 || number/100 > most:
		n.Fault(Quote(text)+" does not fit here", expected, "")
		return 0, false
	case !hasSign && number > 0 && number <= 1: // a share, as most of the world writes it
		n.Fault(Quote(text)+" lacks its percent sign", expected, strconv.FormatFloat(number*100, 'g', 6, 64)+"%")
		return 0, false
	case !hasSign:
		n.Fault(Quote(text)+" lacks its percent sign", expected, digits+"%")
		return 0, false
	}
	return number / 100, true
}

var (
	zerosLeft    = regexp.MustCompile(`^00`)
	bracedAmount = regexp.MustCompile(`^\$\{[0-9]+(\.[0-9]+)?\}$`)
)

const amountExpected = "an amount of dollars, such as $8 or 8.50"

// Dollars reads an amount of money, with or without a dollar sign, exactly and never negative.
func (n Node) Dollars() (amount pingpost.Cents, ok bool) {
	text, ok := n.scalar(amountExpected)
	if !ok {
		return 0, false
	}
	digits := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "$"))
	amount, err := pingpost.ParseDollars(digits)
	if err == nil && amount >= 0 && !zerosLeft.MatchString(digits) {
		return amount, true
	}
	message, typed := Quote(text)+" is not an amount of dollars", ""
	switch {
	case err == nil && amount >= 0:
		message = Quote(text) + " is what a shell leaves of an amount: to it $400 is the variable $4 and two zeros"
	case bracedAmount.MatchString(text):
		message = Quote(text) + " names no variable: amounts are written as they are, and nothing expands in them"
		typed = "$" + strings.Trim(text, "${}")
	case err == nil || strings.HasPrefix(text, "-"):
		message = Quote(text) + " is negative"
	case errors.Is(err, pingpost.ErrMoneySeparator):
		message = Quote(text) + " has a thousands separator"
		joined := strings.NewReplacer(",", "", "_", "").Replace(digits)
		if _, err := pingpost.ParseDollars(joined); err == nil {
			typed = "$" + joined
		}
	case errors.Is(err, pingpost.ErrMoneyDecimals):
		message = Quote(text) + " has more than two decimals"
		if point := strings.IndexByte(digits, '.'); point >= 0 {
			typed = "$" + digits[:point+3]
		}
	case errors.Is(err, pingpost.ErrMoneyRange):
		message = Quote(text) + " is more than $100,000,000"
	}
	n.Fault(message, amountExpected, typed)
	return 0, false
}

// ZIP reads a five-digit ZIP code, bare or quoted: a leading zero stays. Fewer digits are a fault
// that asks about the spreadsheet.
func (n Node) ZIP() (zip pingpost.ZIP, ok bool) {
	text, ok := n.scalar("a ZIP code of five digits")
	if !ok {
		return 0, false
	}
	zip, err := pingpost.ParseZIP(text)
	if err != nil {
		message, typed := ZIPHint(text)
		n.Fault(message, "a ZIP code of five digits", typed)
		return 0, false
	}
	return zip, true
}

// ZIPHint words what is wrong with a text that is not a ZIP code, and what to type where that can
// be guessed. Lists of ZIP codes outside YAML use it too.
func ZIPHint(text string) (message, typed string) {
	if (len(text) == 3 || len(text) == 4) && allDigits(text) {
		return Quote(text) + " has " + strconv.Itoa(len(text)) + " digits: did a spreadsheet drop the zero?",
			"00"[:5-len(text)] + text
	}
	return Quote(text) + " is not a ZIP code", ""
}

// Duration reads a length of time such as 60s, 5m, 1h30m or 90d, from low to high.
func (n Node) Duration(low, high time.Duration) (length time.Duration, ok bool) {
	expected := fmt.Sprintf("a length of time from %s to %s, such as %s", showDuration(low),
		showDuration(high), exampleBetween(low, high))
	text, ok := n.scalar(expected)
	if !ok {
		return 0, false
	}
	length, err := ParseLength(text)
	switch {
	case err != nil && allDigits(text):
		n.Fault(Quote(text)+" lacks its unit", expected, withUnit(text, low, high))
	case err != nil:
		n.Fault(Quote(text)+" is not a length of time", expected, "")
	case length < low || length > high:
		n.Fault(Quote(text)+" does not fit here", expected, "")
	default:
		return length, true
	}
	return 0, false
}

// ParseLength reads a length of time as time.ParseDuration does, and days, of 24 hours: 90d.
func ParseLength(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	if days, isDays := strings.CutSuffix(text, "d"); isDays && allDigits(days) && len(days) <= 5 {
		count, err := strconv.Atoi(days)
		return time.Duration(count) * day, err
	}
	return time.ParseDuration(text)
}

// exampleBetween is what somebody could type for a length of time.
func exampleBetween(low, high time.Duration) string {
	const day = 24 * time.Hour
	for _, pair := range [][2]time.Duration{
		{12 * time.Hour, 90 * day}, {time.Minute, 5 * time.Minute}, {300 * time.Millisecond, 2 * time.Second},
	} {
		if low > pair[0] || high < pair[1] {
			continue
		}
		if pair[0] == time.Minute {
			return "60s or 5m"
		}
		return showDuration(pair[0]) + " or " + showDuration(pair[1])
	}
	return showDuration(high)
}

// withUnit is a bare number with its unit where only one fits, else "": what stands there would be typed,
// and between 72m, 72h and 72d nobody but the contractor can choose.
func withUnit(number string, low, high time.Duration) (only string) {
	for _, unit := range []string{"ms", "s", "m", "h", "d"} {
		length, err := ParseLength(number + unit)
		if err != nil || length < low || length > high {
			continue
		}
		if only != "" {
			return ""
		}
		only = number + unit
	}
	return only
}

func showDuration(length time.Duration) string {
	const day = 24 * time.Hour
	if length >= day && length%day == 0 {
		return strconv.Itoa(int(length/day)) + "d"
	}
	text := length.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func allDigits(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
