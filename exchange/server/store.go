package server

import (
	"context"
	"time"

	"leadbid/exchange"
	"leadbid/exchange/store"
)

// Store is what the Server needs of *store.Store. Tests put one in its place that fails.
type Store interface {
	Load(ctx context.Context, config *exchange.Config, now time.Time) (*exchange.Market, error)
	Commit(ctx context.Context, batch exchange.Batch) error

	Offer(ctx context.Context, id exchange.OfferID) (offer exchange.OfferState, found bool, err error)
	Latest(ctx context.Context, root exchange.OfferID) (offer exchange.OfferState, found bool, err error)
	History(ctx context.Context, id exchange.OfferID) (history exchange.History, found bool, err error)
	Timeline(ctx context.Context, id exchange.OfferID) ([]exchange.Event, error)
	TopUp(ctx context.Context, id string) (topUp exchange.TopUp, found bool, err error)
	Wallets(ctx context.Context, buyer string) ([]store.Wallet, error)
	Leads(ctx context.Context, buyer string, filter store.LeadFilter) ([]store.BoughtLead, error)
	Report(ctx context.Context, since, until time.Time) (exchange.Report, error)
	Verify(ctx context.Context) (store.Report, error)
}
