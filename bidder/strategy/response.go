package strategy

import "math"

// The cells of a Response divide the ratio of a price to what the lead was worth, evenly by
// logarithm: each is about 7 % wide.
const (
	cells      = 96
	leastRatio = 0.02
	mostRatio  = 20.0
)

var logStep = math.Log(mostRatio/leastRatio) / cells

const (
	// Before anything is known, half of all leads are expected to sell at or below usualRatio of what
	// they are worth to this contractor, spread as a log-logistic curve of the slope usualSlope.
	usualRatio, usualSlope = 0.8, 2.0

	// responsePrior is how many answers' worth of evidence that expectation is held for.
	responsePrior = 6.0

	// partPrior is how many answers' worth of evidence the whole day is held for in one part of it.
	partPrior = 100.0

	// responseMemory is how many answers count: markets change.
	responseMemory = 3000.0
)

// Response is what bids bring on one line: how often a bid of a given ratio of the lead's worth
// wins, and what is paid then. It is learned from the answers to the line's own bids, which tell a
// price only where one was won: a lost bid tells that the price was above it, a won one what was
// paid, or in a first-price auction no more than that the price was not above it.
// Its fields are its whole state.
type Response struct {
	Won  [cells]float64 `json:"won"`  // bids won, by the ratio of what was paid
	Paid [cells]float64 `json:"paid"` // dollars paid for them
	Lost [cells]float64 `json:"lost"` // bids lost, by their ratio
	Sum  float64        `json:"sum"`  // of Won and Lost
}

func cellOf(ratio float64) int {
	return min(max(int(math.Log(ratio/leastRatio)/logStep), 0), cells-1)
}

// edge is the lower end of a cell.
func edge(cell int) float64 { return ratioAt(float64(cell)) }

// NoteWon says that a lead worth so much was won for a price.
func (r *Response) NoteWon(worth, paid float64) {
	if !(worth > 0 && paid > 0) {
		return
	}
	cell := cellOf(paid / worth)
	r.Won[cell]++
	r.Paid[cell] += paid
	r.add()
}

// NoteLost says that a bid for a lead worth so much was lost.
func (r *Response) NoteLost(worth, bid float64) {
	if !(worth > 0 && bid > 0) {
		return
	}
	r.Lost[cellOf(bid/worth)]++
	r.add()
}

func (r *Response) add() {
	if r.Sum++; r.Sum < 1.25*responseMemory {
		return
	}
	r.fade(responseMemory / r.Sum)
}

// fade lets what was learned count for a share of what it did.
func (r *Response) fade(keep float64) {
	for i := range r.Won {
		r.Won[i] *= keep
		r.Paid[i] *= keep
		r.Lost[i] *= keep
	}
	r.Sum *= keep
}

// usual is the share of leads expected to sell at or below a ratio before anything is known.
func usual(ratio float64) float64 {
	return logLogistic(ratio, -usualSlope*math.Log(usualRatio), usualSlope)
}

func logLogistic(ratio, a, k float64) float64 { return 1 / (1 + math.Exp(-(a + k*math.Log(ratio)))) }

// yield is what a ping brings on average, by the ratio of the bid to the lead's worth: at(i) tells
// it for a bid of edge(i).
type yield struct {
	Leads   [cells + 1]float64 `json:"leads"`
	Dollars [cells + 1]float64 `json:"dollars"`
}

// expected is the yield of the usual market, before anything is known, where leads are worth so much
// on average and the winner pays what the next one bid.
func expected(worth float64) yield {
	y := yieldOfUsual
	for i := range y.Dollars {
		y.Dollars[i] *= worth
	}
	return y
}

// yieldOfUsual is that of leads worth a dollar. It is made once and never changed.
var yieldOfUsual = usualYield()

func usualYield() (y yield) {
	for i := range cells {
		share := usual(edge(i+1)) - usual(edge(i))
		y.Leads[i+1] = y.Leads[i] + share
		y.Dollars[i+1] = y.Dollars[i] + share*math.Sqrt(edge(i)*edge(i+1))
	}
	return y
}

// secondPrice works the yield out for an auction in which the winner pays what the next one bid.
// The price of a lost lead is only known to lie above the bid, so the share of prices in a cell is
// the product-limit estimate of Kaplan and Meier (JASA 1958), with as many leads as weight says of
// the prior's among those at risk.
func (r *Response) secondPrice(y, prior *yield, weight float64) {
	atRisk, above := r.Sum, 1.0 // above: the share of prices not below the cell
	for i := range cells {
		share := prior.Leads[i+1] - prior.Leads[i]
		won, paid := r.Won[i]+weight*share, r.Paid[i]+weight*(prior.Dollars[i+1]-prior.Dollars[i])
		y.Leads[i+1], y.Dollars[i+1] = y.Leads[i], y.Dollars[i]
		if left := atRisk + weight*(1-prior.Leads[i]); left > 0 && won > 0 {
			bought := above * min(won/left, 1)
			y.Leads[i+1] += bought
			y.Dollars[i+1] += bought * paid / won
			above -= bought
		}
		atRisk -= r.Won[i] + r.Lost[i]
	}
}

// yields works the yield out where it is not known what the winner pays: its own bid at most.
func (c logistic) yields(y *yield, worth float64) {
	for i := range cells + 1 {
		won := c.chance(edge(i))
		y.Leads[i], y.Dollars[i] = won, won*edge(i)*worth
	}
}

// fit draws the win curve through won and lost bids.
func (r *Response) fit() logistic {
	points := make([]point, 0, cells)
	for i := range cells {
		if n := r.Won[i] + r.Lost[i]; n > 0 {
			points = append(points, point{x: math.Log(edge(i)) + logStep/2, won: r.Won[i], lost: r.Lost[i]})
		}
	}
	return fitLogistic(points, math.Log(usualRatio), responsePrior)
}

// place is where in the cells a ratio lies: whole at the lower end of a cell.
func place(ratio float64) float64 {
	if !(ratio > leastRatio) {
		return 0
	}
	return min(math.Log(ratio/leastRatio)/logStep, cells)
}

// ratioAt is the ratio at a place.
func ratioAt(place float64) float64 { return leastRatio * math.Exp(place*logStep) }

// at reads a table between its cells.
func at(table *[cells + 1]float64, place float64) float64 {
	i := int(place)
	if i >= cells {
		return table[cells]
	}
	if place <= 0 {
		return table[0]
	}
	return table[i] + (place-float64(i))*(table[i+1]-table[i])
}
