package zips

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"leadbid/pingpost"
)

// The embedded table, as generate writes it: a gzip stream of
//
//	names     three lists (counties as "ST/Name", cities, time zones): for each a uvarint of the
//	          number of its bytes, then the names, each ended by a newline
//	rows      a uvarint: how many ZIPs there are
//	columns   one after the other, a value per row: the ZIP as a uvarint of its difference to the
//	          former row's; latitude and longitude in ten-thousandths of a degree as varints of
//	          that difference; and as uvarints the places in the lists of county, city and zone
//
// Neighbouring ZIPs are neighbours on the map, so that differences are small and compress well.
//
//go:embed zips.bin.gz
var packed []byte

// loaded decodes the table once. The file is part of the program: if it cannot be read, the
// program is broken, and the first test would have said so.
var loaded = sync.OnceValue(func() *table {
	t, err := decode(packed)
	if err != nil {
		panic(err)
	}
	return t
})

// table holds a column per property; rows are in ascending order of ZIP.
type table struct {
	zips         []pingpost.ZIP
	lat, lon     []int32 // ten-thousandths of a degree
	county, city []uint16
	zone         []uint8

	counties []county
	cities   []string
	zones    []string

	byLatitude []uint16 // rows in ascending order of latitude
}

type county struct {
	state pingpost.State
	name  string
	key   string // countyKey of the name
}

func (t *table) point(row int) point {
	return point{lat: float64(t.lat[row]) / 1e4, lon: float64(t.lon[row]) / 1e4}
}

func (t *table) place(row int) Place {
	at, county := t.point(row), t.counties[t.county[row]]
	return Place{
		ZIP: t.zips[row], Lat: at.lat, Lon: at.lon, State: county.state, County: county.name,
		City: t.cities[t.city[row]], TimeZone: t.zones[t.zone[row]],
	}
}

// list gives the ZIPs of some counties; each territory without counties is one, without a name.
func (t *table) list(wanted func(county) bool) []pingpost.ZIP {
	keep := make([]bool, len(t.counties))
	for i, its := range t.counties {
		keep[i] = wanted(its)
	}
	var zips []pingpost.ZIP
	for row, zip := range t.zips {
		if keep[t.county[row]] {
			zips = append(zips, zip)
		}
	}
	return zips
}

func (t *table) compareLatitude(row uint16, lat float64) int {
	return cmp.Compare(t.point(int(row)).lat, lat)
}

// decode reads the format above.
func decode(packed []byte) (*table, error) {
	stream, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("zips: opening the table: %w", err)
	}
	plain, err := io.ReadAll(stream)
	if err != nil {
		return nil, fmt.Errorf("zips: unpacking the table: %w", err)
	}
	r := &reader{rest: plain}
	t := &table{}
	for _, name := range r.names() {
		state, rest, _ := strings.Cut(name, "/")
		parsed, err := pingpost.ParseState(state)
		if err != nil {
			return nil, fmt.Errorf("zips: reading the counties: %w", err)
		}
		t.counties = append(t.counties, county{state: parsed, name: rest, key: countyKey(rest)})
	}
	t.cities, t.zones = r.names(), r.names()

	rows := int(r.uvarint())
	if rows > len(plain) {
		return nil, fmt.Errorf("zips: %d rows in %d bytes", rows, len(plain))
	}
	t.zips = column[pingpost.ZIP](rows, r.sum(r.unsigned))
	t.lat, t.lon = column[int32](rows, r.sum(r.varint)), column[int32](rows, r.sum(r.varint))
	t.county = column[uint16](rows, r.below(len(t.counties)))
	t.city = column[uint16](rows, r.below(len(t.cities)))
	t.zone = column[uint8](rows, r.below(len(t.zones)))
	if r.broken || len(r.rest) > 0 {
		return nil, fmt.Errorf("zips: the table is damaged")
	}

	t.byLatitude = make([]uint16, rows)
	for row := range t.byLatitude {
		t.byLatitude[row] = uint16(row)
	}
	slices.SortStableFunc(t.byLatitude, func(a, b uint16) int { return cmp.Compare(t.lat[a], t.lat[b]) })
	return t, nil
}

// reader takes values off the front of the unpacked table. After the first value that is not
// there, broken is set and all further values are zero.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) uvarint() uint64 {
	value, size := binary.Uvarint(r.rest)
	return value * uint64(r.skip(size))
}

func (r *reader) unsigned() int64 { return int64(r.uvarint()) }

func (r *reader) varint() int64 {
	value, size := binary.Varint(r.rest)
	return value * int64(r.skip(size))
}

// skip moves past a value of so many bytes. It is 1 where there was one, else 0.
func (r *reader) skip(size int) int {
	if size <= 0 {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return 1
}

func (r *reader) names() []string {
	size := r.uvarint()
	if size > uint64(len(r.rest)) {
		r.broken = true
		return nil
	}
	text := string(r.rest[:size])
	r.rest = r.rest[size:]
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// sum gives the running sum of the differences that next reads.
func (r *reader) sum(next func() int64) func() int64 {
	total := int64(0)
	return func() int64 {
		total += next()
		return total
	}
}

// below gives places in a list of so many names.
func (r *reader) below(count int) func() int64 {
	return func() int64 {
		value := r.uvarint()
		if value >= uint64(count) {
			r.broken = true
			return 0
		}
		return int64(value)
	}
}

func column[T ~uint8 | ~uint16 | ~int32 | ~uint32](rows int, next func() int64) []T {
	values := make([]T, rows)
	for row := range values {
		values[row] = T(next())
	}
	return values
}
