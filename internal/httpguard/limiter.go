package httpguard

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Limiter gives each client a token bucket of its own. It remembers a bounded number of clients:
// beyond that the one that was quiet for longest is forgotten, and starts with a full bucket when
// it returns.
type Limiter struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex // keeps two first requests of a client from making two buckets
	buckets *lru.Cache[string, *rate.Limiter]
}

// NewLimiter allows each client perSecond requests in the long run and burst at one time, and
// remembers maxClients. All three must be above 0.
func NewLimiter(perSecond float64, burst, maxClients int) *Limiter {
	if perSecond <= 0 || burst <= 0 {
		panic("httpguard: a limiter needs a rate and a burst above 0")
	}
	buckets, err := lru.New[string, *rate.Limiter](maxClients)
	if err != nil {
		panic("httpguard: a limiter must remember at least one client")
	}
	return &Limiter{perSecond: rate.Limit(perSecond), burst: burst, buckets: buckets}
}

// Allow takes one token of a client at an instant, or reports that there is none.
func (l *Limiter) Allow(now time.Time, client string) bool { return l.bucket(client).AllowN(now, 1) }

func (l *Limiter) bucket(client string) *rate.Limiter {
	if bucket, ok := l.buckets.Get(client); ok {
		return bucket
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if bucket, ok := l.buckets.Get(client); ok {
		return bucket
	}
	bucket := rate.NewLimiter(l.perSecond, l.burst)
	l.buckets.Add(client, bucket)
	return bucket
}
