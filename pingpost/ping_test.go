package pingpost

import (
	"fmt"
	"reflect"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// leaves calls visit for every plain value within a struct, by its path. A slice is taken as its
// first element, and as a whole (for its length).
func leaves(value reflect.Value, path string, visit func(path string, leaf reflect.Value)) {
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			leaves(value.Field(i), path+"."+value.Type().Field(i).Name, visit)
		}
	case reflect.Slice:
		visit(path, value)
		leaves(value.Index(0), path+"[0]", visit)
	default:
		visit(path, value)
	}
}

// fullPing has no zero value anywhere, so that a new field cannot be forgotten here: its strings
// lie in body, as those of a decoded ping do.
func fullPing(t *testing.T) (ping *Ping, body []byte) {
	t.Helper()
	ping = &Ping{SubIDs: make([]string, 1), Attrs: make([]Attr, 1)}
	body = make([]byte, 0, 4096)
	number := 0
	leaves(reflect.ValueOf(ping).Elem(), "Ping", func(path string, leaf reflect.Value) {
		number++
		switch leaf.Kind() {
		case reflect.String:
			from := len(body)
			body = fmt.Appendf(body, "text-%d", number)
			leaf.SetString(unsafe.String(&body[from], len(body)-from))
		case reflect.Bool:
			leaf.SetBool(true)
		case reflect.Int, reflect.Int64:
			leaf.SetInt(int64(number))
		case reflect.Uint8:
			leaf.SetUint(1)
		case reflect.Uint32, reflect.Uint64:
			leaf.SetUint(uint64(number))
		case reflect.Float64:
			leaf.SetFloat(float64(number) + 0.5)
		case reflect.Slice: // Its one element is visited by itself.
		default:
			t.Fatalf("%s has the kind %s: teach this test, ComputeDigest and Clone about it", path, leaf.Kind())
		}
	})
	return ping, body
}

func TestDigestSeesEveryField(t *testing.T) {
	ping, _ := fullPing(t)
	before := ping.ComputeDigest()
	leaves(reflect.ValueOf(ping).Elem(), "Ping", func(path string, leaf reflect.Value) {
		kept := reflect.New(leaf.Type()).Elem()
		kept.Set(leaf)
		switch leaf.Kind() {
		case reflect.String:
			leaf.SetString(leaf.String() + "x")
		case reflect.Bool:
			leaf.SetBool(false)
		case reflect.Int, reflect.Int64:
			leaf.SetInt(leaf.Int() + 1)
		case reflect.Uint8, reflect.Uint32, reflect.Uint64:
			leaf.SetUint(leaf.Uint() + 1)
		case reflect.Float64:
			leaf.SetFloat(leaf.Float() + 1)
		case reflect.Slice:
			leaf.Set(reflect.Append(leaf, leaf.Index(0)))
		}
		changed := ping.ComputeDigest() != before
		if ignored := path == "Ping.TmaxMS" || path == "Ping.Digest"; changed == ignored {
			t.Errorf("%s: changing it changes the digest: %v", path, changed)
		}
		leaf.Set(kept)
	})
	if ping.ComputeDigest() != before {
		t.Error("the same ping has two digests")
	}
}

// TestDigestKeepsFieldsApart moves text over the border between neighbours.
func TestDigestKeepsFieldsApart(t *testing.T) {
	seen := map[uint64]int{}
	for i, ping := range []Ping{
		{},
		{Exchange: "ab", ID: "c"}, {Exchange: "a", ID: "bc"}, {Exchange: "abc"}, {ID: "abc"},
		{SubIDs: []string{"a", "b"}}, {SubIDs: []string{"ab"}}, {SubIDs: []string{"a"}, Source: "b"},
		{SubIDs: []string{"a"}}, {Consent: Consent{TrustedFormURL: "a"}}, {Consent: Consent{LeadID: "a"}},
		{SubIDs: []string{"1:a"}}, {SubIDs: []string{"", "a"}}, {SubIDs: []string{"a", ""}},
		{MaxSold: 1, SoldSoFar: 12}, {MaxSold: 11, SoldSoFar: 2},
		{LeadScore: Score{0, true}}, {LeadScore: Score{7, true}, Attrs: []Attr{{Name: "0123456789ab"}}},
		{LeadScore: Score{71, true}, Attrs: []Attr{{Name: "01"}}},
		{Attrs: []Attr{{Name: "a", Value: "b"}}}, {Attrs: []Attr{{Name: "b", Value: "a"}}},
		{Attrs: []Attr{{Name: "a"}, {Name: "b"}}}, {Attrs: []Attr{{Name: "b"}, {Name: "a"}}},
		{Attrs: []Attr{{Name: "a", Value: "1", Kind: AttrText}}}, {Attrs: []Attr{{Name: "a", Value: "1", Kind: AttrNumber}}},
		{Homeowner: Yes}, {Homeowner: No}, {Consent: Consent{Agreed: Yes}}, {Exclusive: true}, {Test: true},
	} {
		digest := ping.ComputeDigest()
		if other, ok := seen[digest]; ok {
			t.Errorf("pings %d and %d have one digest", other, i)
		}
		seen[digest] = i
	}
}

func TestDigestOfUsualPingsDoesNotAllocate(t *testing.T) {
	ping, _ := fullPing(t)
	if allocations := testing.AllocsPerRun(100, func() { ping.ComputeDigest() }); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestCloneSharesNoMemory(t *testing.T) {
	ping, body := fullPing(t)
	ping.State = "IL" // ParseState's result lies in no body, and Clone relies on that.
	want := fmt.Sprintf("%#v", *ping)
	clone := ping.Clone()
	if got := fmt.Sprintf("%#v", *clone); got != want {
		t.Fatalf("the clone is\n%s\nwant\n%s", got, want)
	}
	for i := range body {
		body[i] = '#'
	}
	ping.SubIDs[0], ping.Attrs[0] = "changed", Attr{Name: "changed"}
	if got := fmt.Sprintf("%#v", *clone); got != want {
		t.Errorf("the clone changed with the original:\n%s\nwant\n%s", got, want)
	}
}

func TestCloneHasTheSameDigest(t *testing.T) {
	texts := rapid.StringN(0, 20, 40)
	rapid.Check(t, func(t *rapid.T) {
		ping := &Ping{
			Exchange: texts.Draw(t, "exchange"), ID: texts.Draw(t, "id"), TmaxMS: rapid.Int().Draw(t, "tmax"),
			ZIP: ZIP(rapid.Uint32Range(0, 99999).Draw(t, "zip")), City: texts.Draw(t, "city"),
			SubIDs: rapid.SliceOfN(texts, 0, MaxSubIDs).Draw(t, "subs"), Floor: Cents(rapid.Int64().Draw(t, "floor")),
			LeadScore: Score{rapid.Float64Range(0, 100).Draw(t, "score"), rapid.Bool().Draw(t, "known")},
			Attrs: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Attr {
				return Attr{texts.Draw(t, "name"), texts.Draw(t, "value"), AttrKind(rapid.IntRange(0, 3).Draw(t, "kind"))}
			}), 0, 4).Draw(t, "attrs"),
		}
		if ping.ComputeDigest() != ping.Clone().ComputeDigest() {
			t.Fatal("the clone is another ping")
		}
	})
}

func TestAttr(t *testing.T) {
	ping := &Ping{Attrs: []Attr{{"system", "furnace", AttrText}, {"age", "12", AttrNumber}, {"system", "boiler", AttrText}}}
	if got, ok := ping.Attr("system"); !ok || got.Value != "furnace" {
		t.Errorf("system is %v, %v; want the first", got, ok)
	}
	if got, ok := ping.Attr("colour"); ok || got != (Attr{}) {
		t.Errorf("an attribute that is not there is %v, %v", got, ok)
	}
}
