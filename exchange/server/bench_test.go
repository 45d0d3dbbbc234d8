package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkSale is a lead from the seller's request to the synced sale: intake, ping, post and
// capture, all over HTTP on the loopback, with buyers and seller in the same process.
func BenchmarkSale(b *testing.B) {
	for _, count := range []int{1, 4} {
		b.Run(fmt.Sprintf("buyers=%d", count), func(b *testing.B) {
			var buyers []*buyer
			for i := range count {
				buyers = append(buyers, startBuyer(b, fmt.Sprintf("b%d", i), 600))
			}
			config := configFor(buyers...)
			m := startMarket(b, config)
			m.admin("POST", "/v1/topups", `{"id":"more","buyer":"b0","amount":90000000}`, 200)
			client := &fasthttp.HostClient{Addr: m.server.Addr(), MaxConns: 1024,
				Dial: func(address string) (net.Conn, error) { return net.Dial("tcp", address) }}
			defer client.CloseIdleConnections()
			lead := strings.Replace(aLead, `"lead_id":"w-1",`, "", 1)
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
				for pb.Next() {
					request.Header.SetMethod("POST")
					request.SetRequestURI("http://" + m.server.Addr() + "/v1/leads?wait=1")
					request.Header.Set("Authorization", "Bearer seller-key-of-webform")
					request.SetBodyString(lead)
					if err := client.Do(request, response); err != nil || response.StatusCode() != 200 {
						b.Errorf("%v %d %s", err, response.StatusCode(), response.Body())
						return
					}
				}
			})
			b.StopTimer()
			m.drain()
		})
	}
}
