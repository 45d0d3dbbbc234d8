package load

import (
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"leadbid/pingpost"
)

// NoticeResult is what became of the loss notices.
type NoticeResult struct {
	Sent    int64 `json:"sent"`
	Failed  int64 `json:"failed"`
	Dropped int64 `json:"dropped"` // more than could be told in time
}

// notices tells a bidder of every bid that it lost, beside the sends and on connections of its
// own, so that no send ever waits for one.
type notices struct {
	options *Options
	client  *fasthttp.HostClient
	queue   chan lostBid
	telling sync.WaitGroup

	sent, failed, dropped atomic.Int64
}

type lostBid struct{ pingID, bidID string }

// noticeConnections carry some ten thousand notices a second on one machine; what comes faster
// fills the queue, and then counts as dropped.
const noticeConnections = 8

// startNotices returns nil where none are wanted; nil's methods do nothing.
func startNotices(options *Options) *notices {
	if options.NoticeTarget == "" {
		return nil
	}
	target, _ := url.Parse(options.NoticeTarget)
	n := &notices{
		options: options, queue: make(chan lostBid, 1<<14),
		client: newClient(target, noticeConnections, options.Timeout),
	}
	for range noticeConnections {
		n.telling.Go(n.tell)
	}
	return n
}

// lost queues the notice of one bid; it never waits.
func (n *notices) lost(pingID, bidID string) {
	if n == nil {
		return
	}
	select {
	case n.queue <- lostBid{pingID, bidID}:
	default:
		n.dropped.Add(1)
	}
}

func (n *notices) tell() {
	var request fasthttp.Request
	var response fasthttp.Response
	var body []byte
	setPost(&request, n.options.NoticeTarget, n.options.Key)
	for bid := range n.queue {
		notice := pingpost.Notice{PingID: bid.pingID, BidID: bid.bidID, Outcome: pingpost.OutcomeLost}
		body = n.options.NoticeProfile.AppendNotice(body[:0], &notice)
		request.SetBodyRaw(body)
		if err := n.client.Do(&request, &response); err != nil ||
			n.options.NoticeProfile.Acknowledged(&notice, response.Body(), response.StatusCode()) != nil {
			n.failed.Add(1)
			continue
		}
		n.sent.Add(1)
	}
}

// finish tells what is still queued and returns the counts.
func (n *notices) finish() NoticeResult {
	if n == nil {
		return NoticeResult{}
	}
	close(n.queue)
	n.telling.Wait()
	n.client.CloseIdleConnections()
	return NoticeResult{Sent: n.sent.Load(), Failed: n.failed.Load(), Dropped: n.dropped.Load()}
}
