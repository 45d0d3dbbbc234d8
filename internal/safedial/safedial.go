// Package safedial connects to addresses that other people wrote down (a webhook in a
// configuration, an address in a request) without letting them reach into our own network.
//
// It owns one decision: which IP addresses and ports are public. A Dialer resolves a name once,
// refuses it if any of its addresses is not public, and connects to the very addresses that it
// checked, so that a name whose answer changes between check and connection (rebinding) gains
// nothing. Whoever makes outgoing requests on behalf of others puts DialContext into their
// http.Transport, and leaves Proxy there unset: a proxy would resolve the name again.
//
// It speaks no protocol, keeps no connections and logs nothing. A Dialer may be used from several
// goroutines once its fields are set.
package safedial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ErrRefused is wrapped by every error about an address that may not be reached, as opposed to
// one that could not be.
var ErrRefused = errors.New("not a public address")

// Resolver turns a host's name into addresses; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Dialer makes TCP connections to public addresses. The zero value is the safe one.
type Dialer struct {
	// AllowPrivate turns the refusals off: for laboratories, and for contractors whose systems
	// stand in their own network and who say so.
	AllowPrivate bool
	// Resolver is asked once per connection; nil means net.DefaultResolver.
	Resolver Resolver
}

// connectTimeout bounds one attempt at one address, so that a name with a dead first address
// leaves time for its second.
const connectTimeout = 5 * time.Second

// DialContext connects to "host:port" as http.Transport asks for it. The network is tcp, tcp4 or
// tcp6. A refusal wraps ErrRefused and comes before any packet is sent to the address.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	family, ok := map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"}[network]
	if !ok {
		return nil, fmt.Errorf("safedial: network %q: %w", network, ErrRefused)
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("safedial: reading %q: %w", address, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("safedial: reading the port of %q: %w", address, err)
	}
	if !d.AllowPrivate && !publicPort(uint16(port)) {
		return nil, fmt.Errorf("safedial: port %d: %w", port, ErrRefused)
	}
	addresses, err := d.resolve(ctx, family, host)
	if err != nil {
		return nil, fmt.Errorf("safedial: resolving %q: %w", host, err)
	}
	dialer := net.Dialer{Timeout: connectTimeout}
	for _, ip := range addresses {
		var conn net.Conn
		conn, err = dialer.DialContext(ctx, network, netip.AddrPortFrom(ip.Unmap(), uint16(port)).String())
		if err == nil {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("safedial: connecting to %q: %w", host, err)
}

// resolve gives the checked addresses of a host, at least one.
func (d *Dialer) resolve(ctx context.Context, family, host string) ([]netip.Addr, error) {
	addresses := make([]netip.Addr, 1)
	literal, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		addresses[0] = literal
	case !d.AllowPrivate && endsInNumber(host):
		// 2130706433, 0177.0.0.1, 0x7f.1: some resolvers read these as 127.0.0.1, and none of them
		// is the name of a host.
		return nil, fmt.Errorf("a number that is no IP address: %w", ErrRefused)
	default:
		var resolver Resolver = net.DefaultResolver
		if d.Resolver != nil {
			resolver = d.Resolver
		}
		if addresses, err = resolver.LookupNetIP(ctx, family, host); err != nil {
			return nil, err
		}
	}
	if len(addresses) == 0 {
		return nil, errors.New("the name has no address")
	}
	for _, ip := range addresses {
		if !d.AllowPrivate && !Public(ip) {
			return nil, fmt.Errorf("%s: %w", ip, ErrRefused)
		}
	}
	return addresses, nil
}

// endsInNumber reports whether a host's last label is digits or hexadecimal after 0x: by the
// rules for URLs such a host is meant as an IPv4 address.
func endsInNumber(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(labels[len(labels)-1])
	digits := "0123456789"
	if hexadecimal, ok := strings.CutPrefix(last, "0x"); ok {
		last, digits = hexadecimal, "0123456789abcdef"
		if last == "" {
			return true
		}
	}
	return last != "" && strings.Trim(last, digits) == ""
}

// publicPort reports whether something that speaks HTTP to the public may listen there: mail,
// shells and directories are below 1024, and the two ports of the web as well.
func publicPort(port uint16) bool { return port == 80 || port == 443 || port >= 1024 }
