package pingpost

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParseDollars(t *testing.T) {
	reads := func(text string, want Cents) {
		t.Helper()
		if got, err := ParseDollars(text); err != nil || got != want {
			t.Errorf("ParseDollars(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	refuses := func(text string, want error) {
		t.Helper()
		if got, err := ParseDollars(text); !errors.Is(err, want) || got != 0 {
			t.Errorf("ParseDollars(%q) = %d, %v; want 0, %v", text, got, err, want)
		}
	}
	reads("0", 0)
	reads("-0", 0)
	reads("8000", 8000_00)
	reads("12.5", 12_50)
	reads("12.50", 12_50)
	reads("12.500000", 12_50)
	reads("0.01", 1)
	reads("0.1", 10)
	reads("-0.05", -5)
	reads("0007", 7_00)
	reads("100000000", MaxCents)
	reads("-100000000.00", -MaxCents)

	for _, text := range []string{"", "-", ".", ".5", "5.", "--5", "+5", "1e2", " 5", "5 ", "$5", "0x10", "1.2.3",
		"NaN", "null", "٣", "5\n"} {
		refuses(text, ErrMoneySyntax)
	}
	refuses("8,000", ErrMoneySeparator)
	refuses("8_000", ErrMoneySeparator)
	refuses("-1,5", ErrMoneySeparator)
	refuses("0.005", ErrMoneyDecimals)
	refuses("1.001000", ErrMoneyDecimals)
	refuses("100000000.01", ErrMoneyRange)
	refuses("-100000000.01", ErrMoneyRange)
	refuses("99999999999999999999999999", ErrMoneyRange)
}

func TestCentsAsText(t *testing.T) {
	shows := func(amount Cents, people, wire string) {
		t.Helper()
		if got := amount.String(); got != people {
			t.Errorf("Cents(%d).String() = %q, want %q", int64(amount), got, people)
		}
		if got := string(amount.AppendDollars(nil)); got != wire {
			t.Errorf("Cents(%d).AppendDollars = %q, want %q", int64(amount), got, wire)
		}
	}
	shows(0, "$0.00", "0.00")
	shows(5, "$0.05", "0.05")
	shows(-5, "-$0.05", "-0.05")
	shows(42_50, "$42.50", "42.50")
	shows(999_99, "$999.99", "999.99")
	shows(1_000_00, "$1,000.00", "1000.00")
	shows(-8_000_00, "-$8,000.00", "-8000.00")
	shows(1_234_567_89, "$1,234,567.89", "1234567.89")
	shows(math.MinInt64, "-$92,233,720,368,547,758.08", "-92233720368547758.08")
}

func TestCentsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := Cents(rapid.Int64Range(-int64(MaxCents), int64(MaxCents)).Draw(t, "cents"))
		if got, err := ParseDollars(string(amount.AppendDollars(nil))); err != nil || got != amount {
			t.Fatalf("%d came back as %d, %v", amount, got, err)
		}
		text, err := json.Marshal(struct{ Price Cents }{amount})
		if err != nil {
			t.Fatal(err)
		}
		var back struct{ Price Cents }
		if err := json.Unmarshal(text, &back); err != nil || back.Price != amount {
			t.Fatalf("%s came back as %d, %v; want %d", text, back.Price, err, amount)
		}
	})
}

func TestCentsJSONIsNeverRounded(t *testing.T) {
	var amount Cents = 7
	for _, text := range []string{`0.005`, `"5"`, `null`, `1e2`, `true`, `{}`} {
		if err := json.Unmarshal([]byte(text), &amount); err == nil || amount != 7 {
			t.Errorf("%s was read as %d, %v; want an error", text, amount, err)
		}
	}
}

// TestCentsArithmetic compares with integers that cannot overflow.
func TestCentsArithmetic(t *testing.T) {
	amounts := rapid.OneOf(rapid.Int64(),
		rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}))
	check := func(t *rapid.T, name string, want *big.Int, got Cents, ok bool) {
		switch {
		case ok != want.IsInt64():
			t.Fatalf("%s: ok = %v, exactly it is %s", name, ok, want)
		case ok && int64(got) != want.Int64():
			t.Fatalf("%s = %d, exactly it is %s", name, got, want)
		case !ok && got != 0:
			t.Fatalf("%s = %d beside ok = false, want 0", name, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c, d := amounts.Draw(t, "c"), amounts.Draw(t, "d")
		sum, ok := Cents(c).Add(Cents(d))
		check(t, "Add", new(big.Int).Add(big.NewInt(c), big.NewInt(d)), sum, ok)
		difference, ok := Cents(c).Sub(Cents(d))
		check(t, "Sub", new(big.Int).Sub(big.NewInt(c), big.NewInt(d)), difference, ok)
	})
}

func TestFloorPrice(t *testing.T) {
	prices := func(dollars float64, want Cents) {
		t.Helper()
		if got, err := FloorPrice(dollars); err != nil || got != want {
			t.Errorf("FloorPrice(%v) = %d, %v; want %d", dollars, got, err, want)
		}
	}
	tenth := 0.1 // A variable, so that the product is made at run time, as a rule's is.
	prices(tenth*3, 30)
	prices(tenth*7, 70)
	prices(0.29*100, 29_00)
	prices(1.15, 1_15) // 1.15 * 100 is 114.99999999999999.
	prices(0, 0)
	prices(math.Copysign(0, -1), 0)
	prices(0.009, 0)
	prices(0.0099999, 0)
	prices(17.999, 17_99)
	prices(18+0.1*72, 25_20)
	prices(math.SmallestNonzeroFloat64, 0)
	prices(1_000_000, 1_000_000_00)
	for _, dollars := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -0.01, -math.SmallestNonzeroFloat64,
		math.Nextafter(1_000_000, math.Inf(1)), math.MaxFloat64} {
		if got, err := FloorPrice(dollars); !errors.Is(err, ErrNotAPrice) || got != 0 {
			t.Errorf("FloorPrice(%v) = %d, %v; want ErrNotAPrice", dollars, got, err)
		}
	}
}

func TestFloorPriceNeverGivesMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.Int64Range(0, maxPrice*100).Draw(t, "cents")
		if got, err := FloorPrice(float64(cents) / 100); err != nil || int64(got) != cents {
			t.Fatalf("%d cents as dollars became %d cents, %v", cents, got, err)
		}
		dollars := rapid.Float64Range(0, maxPrice).Draw(t, "dollars")
		got, err := FloorPrice(dollars)
		exact := new(big.Float).Mul(big.NewFloat(dollars).SetPrec(200), big.NewFloat(100))
		above := new(big.Float).Sub(big.NewFloat(float64(got)).SetPrec(200), exact)
		if err != nil || above.Cmp(big.NewFloat(2e-6)) > 0 || above.Cmp(big.NewFloat(-1)) < 0 {
			t.Fatalf("FloorPrice(%v) = %d, %v: not the floor of %s cents", dollars, got, err, exact.Text('g', 20))
		}
	})
}
