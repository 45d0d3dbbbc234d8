package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"leadbid/pingpost/zips"
)

// pack writes the format that pingpost/zips reads: see the comment on the embedded file there.
func pack(places []zips.Place) ([]byte, error) {
	counties := names(places, func(p zips.Place) string { return string(p.State) + "/" + p.County })
	cities := names(places, func(p zips.Place) string { return p.City })
	zones := names(places, func(p zips.Place) string { return p.TimeZone })
	if len(places) > math.MaxUint16 || len(cities) > math.MaxUint16 || len(zones) > math.MaxUint8 {
		return nil, fmt.Errorf("%d ZIPs, %d cities, %d zones: too many for the columns of the table",
			len(places), len(cities), len(zones))
	}
	var plain []byte
	for _, list := range [][]string{counties, cities, zones} {
		text := strings.Join(list, "\n") + "\n"
		plain = append(binary.AppendUvarint(plain, uint64(len(text))), text...)
	}
	plain = binary.AppendUvarint(plain, uint64(len(places)))

	former := int64(0)
	for _, place := range places {
		plain = binary.AppendUvarint(plain, uint64(int64(place.ZIP)-former))
		former = int64(place.ZIP)
	}
	for _, degrees := range []func(zips.Place) float64{
		func(p zips.Place) float64 { return p.Lat },
		func(p zips.Place) float64 { return p.Lon },
	} {
		former = 0
		for _, place := range places {
			rounded := int64(math.Round(degrees(place) * 1e4))
			plain = binary.AppendVarint(plain, rounded-former)
			former = rounded
		}
	}
	for _, place := range places {
		plain = appendPlaceIn(plain, counties, string(place.State)+"/"+place.County)
	}
	for _, place := range places {
		plain = appendPlaceIn(plain, cities, place.City)
	}
	for _, place := range places {
		plain = appendPlaceIn(plain, zones, place.TimeZone)
	}
	return compress(plain)
}

func appendPlaceIn(dst []byte, list []string, name string) []byte {
	at, _ := slices.BinarySearch(list, name)
	return binary.AppendUvarint(dst, uint64(at))
}

// names lists the different values of a property in order.
func names(places []zips.Place, property func(zips.Place) string) []string {
	var list []string
	for _, place := range places {
		list = append(list, property(place))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func compress(plain []byte) ([]byte, error) {
	var packed bytes.Buffer
	stream, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write(plain); err != nil {
		return nil, err
	}
	if err := stream.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
