package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

const (
	booksFile = "bidder.db"

	leadsPerLease = 48
	leadsPerDay   = 2_500
	historyStep   = 24 * time.Hour * leadsPerLease / leadsPerDay // from one lease to the next
)

// historyEnd is the instant at which a history is over. Its first lead is as much older as it is long.
var historyEnd = time.Now().UTC().Truncate(time.Second).Add(-time.Hour)

// booksOf gives the folder of books with so many leads. They are made through the store itself, as
// in life except for the clock: every lead was posted, charged and delivered, some were refused and
// some returned, every lease was closed in its time.
func (s *settings) booksOf(ctx context.Context, leads int) (string, error) {
	root := s.books
	if root == "" {
		root = s.folder
	}
	folder := filepath.Join(root, fmt.Sprint("leads-", leads))
	if _, err := os.Stat(filepath.Join(folder, booksFile)); err == nil {
		return folder, nil
	}
	unfinished := folder + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return "", err
	}
	began := time.Now()
	if err := writeHistory(ctx, filepath.Join(unfinished, booksFile), leads); err != nil {
		return "", fmt.Errorf("making books of %d leads: %w", leads, err)
	}
	fmt.Fprintf(s.log, "money: made books of %d leads in %.0f s\n", leads, time.Since(began).Seconds())
	return folder, os.Rename(unfinished, folder)
}

// copyOfBooks gives a folder with books that may be written to.
func (s *settings) copyOfBooks(ctx context.Context, leads int) (string, error) {
	from, err := s.booksOf(ctx, leads)
	if err != nil {
		return "", err
	}
	to, err := os.MkdirTemp(s.folder, "copy-")
	if err != nil {
		return "", err
	}
	return to, copyFile(filepath.Join(from, booksFile), filepath.Join(to, booksFile))
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}

func writeHistory(ctx context.Context, path string, leads int) error {
	const together = 40 // leases that are open at a time: their posts share commits
	steps := (leads + leadsPerLease - 1) / leadsPerLease
	b, err := openBooks(ctx, path, historyEnd.Add(-time.Duration(steps+2*together)*historyStep))
	if err != nil {
		return err
	}
	defer b.store.Close()
	for left := leads; left > 0; {
		var posts []store.Post
		b.now.Add(int64(together * historyStep))
		for range min(together, (left+leadsPerLease-1)/leadsPerLease) {
			if err := b.grant(ctx, leadsPerLease+leadsPerLease/12); err != nil {
				return err
			}
			for range min(leadsPerLease, left) {
				posts = append(posts, b.post())
			}
			left -= min(leadsPerLease, left)
			refused := b.post()
			refused.Charge.Refuse = pingpost.PriceMismatch
			posts = append(posts, refused)
		}
		// Each for itself, so that what shares a commit is of one kind.
		for _, stage := range []func(store.Post) error{b.buy, b.deliver, b.returnSome} {
			if err := hand(callers, posts, stage); err != nil {
				return err
			}
		}
	}
	b.now.Store(historyEnd.UnixNano())
	return b.closeLeases(ctx)
}

// buy posts a lead. Those whose charge says so are refused.
func (b *books) buy(p store.Post) error {
	_, err := b.store.Post(context.Background(), p)
	return err
}

func (b *books) deliver(p store.Post) error {
	if p.Charge.Refuse != pingpost.ReasonNone {
		return nil
	}
	return b.store.Attempted(context.Background(), store.Attempt{ID: p.LeadID + "-1", At: p.At, Done: true})
}

// returnSome returns one lead of fifty.
func (b *books) returnSome(p store.Post) error {
	if p.Charge.Refuse != pingpost.ReasonNone || p.Charge.Ref.Seq%50 != 0 {
		return nil
	}
	_, err := b.store.Credit(context.Background(), store.Credit{Exchange: p.Charge.Exchange, PingID: p.Charge.PingID,
		BidID: p.Charge.BidID, Outcome: pingpost.OutcomeReturned, At: p.At})
	return err
}
