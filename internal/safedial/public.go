package safedial

import "net/netip"

// Public reports whether an address belongs to the public internet. Everything that the IANA
// registries of special-purpose addresses set apart is not: this host, private and shared
// networks, link-local ones (where clouds keep their metadata services), multicast, reserved and
// documentation ranges, and the IPv6 ranges that carry an IPv4 address within. An IPv4 address
// written as IPv6 (::ffff:10.0.0.1) is judged as the IPv4 address it is.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	if ip.Is6() && !globalUnicast.Contains(ip) {
		return false
	}
	for _, special := range specialRanges {
		if special.Contains(ip) {
			return false
		}
	}
	return true
}

// globalUnicast is all of IPv6 that has been given out to the public.
var globalUnicast = netip.MustParsePrefix("2000::/3")

var specialRanges = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by carriers behind NAT; the metadata service of one cloud
	"127.0.0.0/8",     // loopback
	"168.63.129.16",   // a cloud's metadata service at an otherwise public address
	"169.254.0.0/16",  // link-local; the metadata services of most clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments; the metadata service of one cloud
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
	"2001::/23",       // protocol assignments, Teredo (carries IPv4)
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4 (carries IPv4)
	"3fff::/20",       // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	ranges := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil {
			ranges[i] = netip.PrefixFrom(ip, ip.BitLen())
			continue
		}
		ranges[i] = netip.MustParsePrefix(text)
	}
	return ranges
}
