// Command bench measures whole paths, each beside what it is held against: the full bid path
// beside a bare fasthttp server, latency at fixed rates, and auctions with few and many buyers.
// README.md says what each figure is and is not; results holds kept runs.
//
// It owns the workloads, the closed loop and the report; the open loop is exchange/load's. Every
// server runs in a process of its own: this program again, which talks with its parent over its
// input and output and ends with it. What is measured is the real thing, imported and configured as
// users do it: bidder/server and exchange/server, with SQLite, keys and recording.
//
// Nobody imports it. A figure of a run in which an answer was wrong, too few pings got a bid, or the
// books do not hold afterwards is no figure: such a run ends with an error.
package main
