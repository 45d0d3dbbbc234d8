package simulate

import (
	"fmt"
	"strings"

	"leadbid/pingpost"
)

// areaCodes are the area codes of the United States in which 555-0100 to 555-0199 is a number
// that parses as valid: 356 of them, three digits each.
const areaCodes = "" +
	"201202203205206207208209210212213214215216217218219220223224225227228229231234235239240248" +
	"251252253254256260262267269270272276279281283301302303304305307308309310312313314315316317" +
	"318319320321323324325326327329330331332334336337339341346347350351352353360361363364369380" +
	"385386401402404405406407408409410412413414415417419423424425430432434435440442443445447448" +
	"458463464469470475478479480484501502503504505507508509510512513515516517518520530531534539" +
	"540541551557559561562563564567570571572573574575580582585586601602603605606607608609610612" +
	"614615616617618619620623626628629630631636640641645646650651656657659660661662667669678680" +
	"681682686689701702703704706707708712713714715716717718719720724725726727728730731732734737" +
	"738740743747748754757760762763765769770771772773774775779781785786801802803804805806808810" +
	"812813814815816817818820821826828830831832835838839840843845847848850854856857858859860862" +
	"863864865870872878901903904906907908909910912913914915916917918919920925928929930931934936" +
	"937938940941943945947948949951952954956959970971972973975978979980984985986989"

// Phones is how many different phone numbers there are for invented people: in every area code
// the hundred numbers 555-0100 to 555-0199, which the numbering plan reserves for fiction.
const Phones = len(areaCodes) / 3 * 100

var (
	firstNames = strings.Fields("Alma Ben Carla Dana Ed Fay Gus Hana " +
		"Ivan Jo Kay Leo Mia Ned Ola Pam Quin Ray " +
		"Sue Tom Uma Vic Wes Xena Yara Zoe")
	lastNames = strings.Fields("Abbot Baker Cole Dunn Ellis Ford Grant " +
		"Hale Irwin Jones Kerr Lane Mason North Olsen Price " +
		"Quist Reed Stone Tate Upton Vance Wells York Zeller")
	streets = strings.Fields("Ash Birch Cedar Dogwood Elm Fir Grove Hickory Juniper " +
		"Larch Maple Oak Pine Spruce Walnut Willow")
)

// contact invents who a homeowner is. No contact can belong to a person: phones are reserved for
// fiction, and example.com is reserved for documentation (RFC 2606).
//
// A bidder takes an equal phone or an equal e-mail address for the same person, so that two
// homeowners must share neither. The e-mail address holds the homeowner's id and never repeats.
// Phones are handed out in order of arrival, scattered by a step that shares no factor with their
// count, and none comes twice in a run; whoever comes after the last of the Phones numbers has no
// phone. Runs with different seeds begin at different numbers and may meet: give each run a
// bidder's store of its own, or its duplicate check will find leads of the run before.
func (g *Generator) contact(h *Homeowner, person int64) pingpost.Lead {
	random := chanceFor(g.settings.Seed, "contact", h.Ping.ID)
	first, last := pick(random, firstNames), pick(random, lastNames)
	lead := pingpost.Lead{
		FirstName: pingpost.NewPrivate(first),
		LastName:  pingpost.NewPrivate(last),
		Email:     pingpost.NewPrivate(strings.ToLower(first+"."+last) + "." + h.Ping.ID + "@example.com"),
		Address:   pingpost.NewPrivate(fmt.Sprintf("%d %s Street", 1+random.IntN(9899), pick(random, streets))),
		City:      h.Ping.City, State: h.Ping.State, ZIP: h.Ping.ZIP,
	}
	if person < int64(Phones) {
		lead.Phone = pingpost.NewPrivate(phone(g.settings.Seed, person))
	}
	if task := strings.ReplaceAll(h.Ping.Task, "_", " "); task != "" {
		lead.Notes = pingpost.NewPrivate(fmt.Sprintf("Synthetic lead: %s, %s.", h.Ping.Job, task))
	}
	return lead
}

// phone gives the number of the n-th person of a run, n below Phones.
func phone(seed uint64, n int64) string {
	const step = 7919 // a prime that does not divide Phones
	at := (int64(keyed(seed, "phones", "")%uint64(Phones)) + n*step) % int64(Phones)
	code := at / 100 * 3
	return fmt.Sprintf("+1%s55501%02d", areaCodes[code:code+3], at%100)
}
