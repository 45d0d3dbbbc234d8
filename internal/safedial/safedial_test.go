package safedial

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// names answers look-ups from a table; each look-up of a name takes its next answer, and the last
// one stays.
type names struct {
	answers map[string][][]netip.Addr
	asked   int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.asked++
	answers, ok := n.answers[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	if len(answers) > 1 {
		n.answers[host] = answers[1:]
	}
	return answers[0], nil
}

func addrs(texts ...string) []netip.Addr {
	list := make([]netip.Addr, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParseAddr(text)
	}
	return list
}

// Nothing here may lead to a packet: each must be refused before a connection is tried.
func TestRefusedAddresses(t *testing.T) {
	resolver := &names{answers: map[string][][]netip.Addr{
		"localhost":            {addrs("127.0.0.1", "::1")},
		"inside.example":       {addrs("10.1.2.3")},
		"metadata.example":     {addrs("169.254.169.254")},
		"half-inside.example":  {addrs("93.184.215.14", "192.168.0.1")},
		"mapped.example":       {addrs("::ffff:127.0.0.1")},
		"unique-local.example": {addrs("fd00:ec2::254")},
	}}
	dialer := &Dialer{Resolver: resolver}
	for _, address := range []string{
		"127.0.0.1:443", "127.255.255.254:443", "0.0.0.0:443", "0.1.2.3:443", "10.0.0.1:443",
		"172.16.0.1:443", "172.31.255.255:443", "192.168.1.1:443", "169.254.169.254:443", "169.254.0.1:443",
		"100.64.0.1:443", "100.100.100.200:443", "168.63.129.16:443", "192.0.0.192:443", "192.0.2.1:443",
		"198.18.0.1:443", "198.51.100.7:443", "203.0.113.9:443", "224.0.0.1:443", "240.0.0.1:443",
		"255.255.255.255:443",
		"[::]:443", "[::1]:443", "[::127.0.0.1]:443", "[::ffff:127.0.0.1]:443", "[::ffff:a9fe:a9fe]:443",
		"[::ffff:10.0.0.1]:443", "[64:ff9b::7f00:1]:443", "[fe80::1]:443", "[fe80::1%eth0]:443", "[fc00::1]:443",
		"[fd00:ec2::254]:443", "[fec0::1]:443", "[ff02::1]:443", "[2001::1]:443", "[2001:db8::1]:443",
		"[2002:7f00:1::]:443", "[100::1]:443",
		"2130706433:443", "0x7f000001:443", "0x7f.1:443", "0177.0.0.1:443", "127.1:443", "127.0.0.01:443",
		"127.0.0.1.:443", "1.0x:443",
		"localhost:443", "inside.example:443", "metadata.example:443", "half-inside.example:443",
		"mapped.example:443", "unique-local.example:443",
		"93.184.215.14:22", "93.184.215.14:25", "93.184.215.14:0",
	} {
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if conn != nil || !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want it refused", address, err)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8",
		"2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1",
	} {
		if !Public(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as not public", text)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	dialer := &Dialer{Resolver: &names{answers: map[string][][]netip.Addr{"empty.example": {nil}}}}
	for _, address := range []string{"", "example.com", "93.184.215.14:x", "93.184.215.14:99999", "[::1:443"} {
		if _, err := dialer.DialContext(t.Context(), "tcp", address); err == nil {
			t.Errorf("connected to %q", address)
		}
	}
	for _, host := range []string{"empty.example:443", "unknown.example:443"} {
		if _, err := dialer.DialContext(t.Context(), "tcp", host); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want an error that is no refusal", host, err)
		}
	}
	if _, err := dialer.DialContext(t.Context(), "udp", "93.184.215.14:443"); !errors.Is(err, ErrRefused) {
		t.Errorf("udp: %v, want it refused", err)
	}
}

// A name that answers with a public address first and with the loopback next must not be asked
// again between check and connection.
func TestRebindingGainsNothing(t *testing.T) {
	resolver := &names{answers: map[string][][]netip.Addr{
		"rebind.example": {addrs("2001:db8::1"), addrs("127.0.0.1")},
	}}
	dialer := &Dialer{Resolver: resolver}
	for range 2 {
		before := resolver.asked
		if _, err := dialer.DialContext(t.Context(), "tcp", "rebind.example:443"); !errors.Is(err, ErrRefused) {
			t.Errorf("rebind.example: %v, want it refused", err)
		}
		if resolver.asked != before+1 {
			t.Errorf("one connection asked the resolver %d times", resolver.asked-before)
		}
	}
}

func TestAllowPrivateServesHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// The first address answers nothing there: the second is tried.
	resolver := &names{answers: map[string][][]netip.Addr{"crm.example": {addrs("127.0.0.77", "::ffff:127.0.0.1")}}}
	for _, host := range []string{"127.0.0.1", "crm.example"} {
		client := func(allow bool) error {
			dialer := &Dialer{AllowPrivate: allow, Resolver: resolver}
			transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
			response, err := (&http.Client{Transport: transport}).Get("http://" + net.JoinHostPort(host, port))
			if err == nil {
				response.Body.Close()
			}
			return err
		}
		if err := client(true); err != nil {
			t.Errorf("%s with AllowPrivate: %v", host, err)
		}
		if err := client(false); !errors.Is(err, ErrRefused) {
			t.Errorf("%s without AllowPrivate: %v, want it refused", host, err)
		}
	}
}
