package simulate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"
)

// chance is a source of random numbers for one purpose: seed, the purpose's name and the numbers
// that tell its cases apart. Two purposes never share numbers, so that drawing one more for one
// of them changes nothing for the others.
func chance(seed uint64, purpose string, cases ...int64) *rand.Rand {
	key := keyed(seed, purpose, "", cases...)
	return rand.New(rand.NewPCG(key, key^0x9e3779b97f4a7c15))
}

// chanceFor is chance for a case that has a name instead of a number, such as a ping.
func chanceFor(seed uint64, purpose, name string, cases ...int64) *rand.Rand {
	key := keyed(seed, purpose, name, cases...)
	return rand.New(rand.NewPCG(key, key^0x9e3779b97f4a7c15))
}

// keyed hashes the seed and all that names a case. Lengths are part of the key, so that no two
// cases run into one another.
func keyed(seed uint64, purpose, name string, cases ...int64) uint64 {
	var space [128]byte
	b := binary.LittleEndian.AppendUint64(space[:0], seed)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(purpose))), purpose...)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(name))), name...)
	for _, number := range cases {
		b = binary.LittleEndian.AppendUint64(b, uint64(number))
	}
	return xxhash.Sum64(b)
}

// share turns a key into a number from 0 up to, not including, 1.
func share(key uint64) float64 { return float64(key>>11) / (1 << 53) }

// poisson draws a count with the given mean: Knuth's product of uniforms, in steps of at most 30
// so that exp(-mean) keeps its precision.
func poisson(r *rand.Rand, mean float64) int {
	count := 0
	for mean > 0 {
		step := math.Min(mean, 30)
		mean -= step
		for product := r.Float64(); product > math.Exp(-step); product *= r.Float64() {
			count++
		}
	}
	return count
}

// gamma draws from a gamma distribution of mean 1 and the given shape, at least 1, by the
// squeeze-free method of Marsaglia and Tsang (ACM Transactions on Mathematical Software 26, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v / shape
		}
	}
}

// between draws evenly from low up to high.
func between(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

// logBetween draws from low up to high, evenly on the scale of orders of magnitude.
func logBetween(r *rand.Rand, low, high float64) float64 {
	return low * math.Pow(high/low, r.Float64())
}

// logNormal draws a factor with median 1 and the given standard deviation of its logarithm.
func logNormal(r *rand.Rand, sigma float64) float64 { return math.Exp(sigma * r.NormFloat64()) }

// pick draws one of several things of equal weight; there must be one at least.
func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// Weighted is a thing and how often it comes compared with its neighbours; weights need not sum
// to anything in particular.
type Weighted[T any] struct {
	Is     T
	Weight float64
}

// draw picks one by weight.
func draw[T any](r *rand.Rand, from []Weighted[T]) T {
	total := 0.0
	for _, choice := range from {
		total += choice.Weight
	}
	at := r.Float64() * total
	for _, choice := range from {
		if at -= choice.Weight; at < 0 {
			return choice.Is
		}
	}
	return from[len(from)-1].Is
}
