// Package yamlfile reads configuration files the way people need them read: strictly, with every
// value still knowing where it was written, and with all faults told at once in the reader's
// terms instead of the parser's.
//
// It owns the one import of gopkg.in/yaml.v3, the limits on what a file may be (4 MiB, one
// document, no anchors, aliases, merge keys, tags or duplicate keys), the reading of scalars from
// their raw text (so that money keeps its cents and a ZIP its zeros), the expansion of ${NAME},
// and the look of a fault. The loaders of bidder and exchange configurations and of wire profiles
// call it; it knows nothing of what their keys mean.
//
// A File and everything reached through it belongs to one goroutine while it is being read: a
// fault found on the way is added to the collector that was given to Read.
package yamlfile
