// Package books is the contractor's books a second time: everything that budget/store.Store
// promises, in plain maps and lists, with every sum found by walking them. It is what the
// simulation runs on, and a second opinion on the SQL: both pass the same suite, and answer the
// same day of random questions alike.
//
// Beneath it is a modelled disk. Without SyncEach a write is in the books, and not on the disk,
// until Sync; Crash loses the latest unsynced writes, as many as its caller says. What the caller
// was told of them is the caller's affair: nothing here waits, fails by chance or reads a clock.
//
// Look holds the invariants B1 to B7 against what changed since it was asked last, Verify against
// everything. Both recompute from leads and leases alone.
//
// Books may be used from several goroutines, as every store. bench/sim and tests are its callers.
package books
