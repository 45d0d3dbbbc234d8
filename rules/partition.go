package rules

import (
	"slices"

	"leadbid/pingpost"
)

// partition puts ZIPs into classes, so that the ZIPs of one class are in the same sets. Sets are
// added in ascending order of their numbers; class 0 is in none. What it costs grows with the
// sizes of the sets, and not with how they overlap.
type partition struct {
	classOf []uint32 // by ZIP
	touched []pingpost.ZIP
	classes []class
	moved   []uint32 // by class, while one set is added: the class that its members move to
}

// class is in all the sets of the class that it was split off from, and in one more.
type class struct {
	from uint32
	set  int
	size int // ZIPs that are in it now
}

func newPartition() *partition {
	return &partition{classOf: make([]uint32, zipLimit), classes: make([]class, 1)}
}

// reset empties the partition for the next use.
func (p *partition) reset() {
	for _, zip := range p.touched {
		p.classOf[zip] = 0
	}
	p.touched, p.classes = p.touched[:0], p.classes[:1]
}

// add splits every class at the border of a set.
func (p *partition) add(set int, zips []pingpost.ZIP) {
	before := len(p.classes)
	p.moved = append(p.moved[:0], make([]uint32, before)...)
	for _, zip := range zips {
		if zip == 0 || zip >= zipLimit {
			continue
		}
		was := p.classOf[zip]
		if int(was) >= before {
			continue // named twice
		}
		if p.moved[was] == 0 {
			p.moved[was] = uint32(len(p.classes))
			p.classes = append(p.classes, class{from: was, set: set})
		}
		if was == 0 {
			p.touched = append(p.touched, zip)
		}
		p.classes[was].size--
		p.classes[p.moved[was]].size++
		p.classOf[zip] = p.moved[was]
	}
}

// sets lists the sets of a class in ascending order.
func (p *partition) sets(of uint32) []int {
	var sets []int
	for ; of != 0; of = p.classes[of].from {
		sets = append(sets, p.classes[of].set)
	}
	slices.Reverse(sets)
	return sets
}

// liveClass is a class that some ZIP is in.
type liveClass struct {
	number  uint32
	example pingpost.ZIP
}

// number gives the classes that hold a ZIP numbers from 1, in the order in which they came to be,
// and lists them; renumbered is by class, 0 for those that all ZIPs have left.
func (p *partition) number() (live []liveClass, renumbered []uint32) {
	renumbered = make([]uint32, len(p.classes))
	for i := 1; i < len(p.classes); i++ {
		if p.classes[i].size > 0 {
			live = append(live, liveClass{number: uint32(i)})
			renumbered[i] = uint32(len(live))
		}
	}
	for _, zip := range p.touched {
		live[renumbered[p.classOf[zip]]-1].example = zip
	}
	return live, renumbered
}

// zipTable tells the class of every ZIP in pages of a hundred, those that share their first three
// digits. The zero value says 0 for all.
type zipTable struct {
	first   int      // the three digits of the first page
	pages   []uint16 // a page's position in classes, in pages, plus one; 0 where all are 0
	classes []uint32
}

const zipsPerPage = 100

func (t *zipTable) at(zip pingpost.ZIP) uint32 {
	page := int(zip/zipsPerPage) - t.first
	if uint(page) >= uint(len(t.pages)) || t.pages[page] == 0 {
		return 0
	}
	return t.classes[int(t.pages[page]-1)*zipsPerPage+int(zip%zipsPerPage)]
}

// table writes the numbered classes of all ZIPs down.
func (p *partition) table(renumbered []uint32) zipTable {
	if len(p.touched) == 0 {
		return zipTable{}
	}
	least, most := slices.Min(p.touched)/zipsPerPage, slices.Max(p.touched)/zipsPerPage
	t := zipTable{first: int(least), pages: make([]uint16, most-least+1)}
	for _, zip := range p.touched {
		page := &t.pages[zip/zipsPerPage-least]
		if *page == 0 {
			t.classes = append(t.classes, make([]uint32, zipsPerPage)...)
			*page = uint16(len(t.classes) / zipsPerPage)
		}
		t.classes[int(*page-1)*zipsPerPage+int(zip%zipsPerPage)] = renumbered[p.classOf[zip]]
	}
	t.classes = slices.Clip(t.classes)
	return t
}
