package wire_test

import (
	"testing"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

func native(t testing.TB) *wire.Profile {
	t.Helper()
	p, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const usualPing = `{"ping_id":"p-1","tmax_ms":350,"auction":"first","service":"hvac","job":"repair","zip":"60614","state":"IL",` +
	`"urgency":"emergency","property_type":"single_family","homeowner":true,"lead_score":72,"source":"google-12",` +
	`"sub_ids":["a"],"exclusive":true,"max_sold":1,"floor":12.50,` +
	`"consent":{"trustedform_url":"https://cert.trustedform.com/abc"},"test":false,"attrs":{"system":"furnace"}}`

func TestPingSmoke(t *testing.T) {
	p := native(t)
	var ping pingpost.Ping
	if err := p.DecodePing(&ping, []byte(usualPing)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", ping)
	t.Logf("%s", p.AppendPing(nil, &ping))
}

func TestDecodePingDoesNotAllocate(t *testing.T) {
	p := native(t)
	var ping pingpost.Ping
	body := []byte(usualPing)
	if n := testing.AllocsPerRun(200, func() {
		if err := p.DecodePing(&ping, body); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("decoding a usual ping allocates %v times", n)
	}
}

func BenchmarkDecodePing(b *testing.B) {
	p := native(b)
	var ping pingpost.Ping
	body := []byte(usualPing)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.DecodePing(&ping, body); err != nil {
			b.Fatal(err)
		}
	}
}
