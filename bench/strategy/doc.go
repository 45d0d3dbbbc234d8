// Command strategy measures how much worth the bidder's strategies buy with a given budget, beside
// the strategies that others use and beside the most that could have been bought by one who knew
// the day in advance.
//
// Its markets are synthetic, drawn from seeds; with LEADBID_IPINYOU naming the file of recorded
// auctions it replays those as well. It calls bidder/strategy as the Agent does. The strategies to
// compare with live here and not in the product.
package main
