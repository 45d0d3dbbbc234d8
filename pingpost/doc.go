// Package pingpost is the vocabulary of the trade: the words and values that a buyer of leads
// and an exchange both use when a homeowner's request is offered (a ping), priced (a bid),
// handed over (a post) and answered (a verdict).
//
// It owns what the two sides must agree on to the cent and to the letter: money (Cents), places
// (ZIP, State), the closed vocabularies (Service, Job, Urgency, Property), the messages (Ping,
// Answer, Post, Verdict, Notice), the numbered reasons for every normal outcome (Reason), and
// personal data as a type that prints as [redacted] (Private).
//
// Every package may import it; it imports nothing of ours. It never knows how an exchange spells
// a field (that is pingpost/wire), never moves money, never reads a clock, and holds no state:
// all values here are plain data, safe to copy. Reading them from several goroutines is safe;
// nothing here locks.
package pingpost
