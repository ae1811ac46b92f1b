package csrc

import (
	"fmt"
	"math"
)

// Dot computes products[q*n+r], the dot product of query q and row r, for rows [n, dim] and queries [m, dim]; products
// holds n*m elements. Every level gives the same bits, and a product does not depend on its neighbours: see dot.h. The
// queries should fit the second-level cache with some rows; four at a time are as fast as many. Safe for concurrent use
// on different products.
func Dot(level Level, products, rows, queries []float32, dim int) {
	if n, m := checkProducts("dot", products, rows, queries, dim); n > 0 && m > 0 {
		dot(level, products, rows, queries, n, m, dim)
	}
}

// Distances computes the squared lengths of the differences of rows and queries, as Dot does their products. With a query
// of zeros it computes the rows' squared lengths.
func Distances(level Level, distances, rows, queries []float32, dim int) {
	if n, m := checkProducts("distances", distances, rows, queries, dim); n > 0 && m > 0 {
		distance(level, distances, rows, queries, n, m, dim)
	}
}

// Widen turns the bits of IEEE 754 half-precision numbers into float32, exactly; dst is as long as src.
func Widen(level Level, dst []float32, src []uint16) {
	if len(dst) != len(src) {
		panic(fmt.Sprintf("imgvec: BUG: widen %d halves into %d floats", len(src), len(dst)))
	}
	if len(src) > 0 {
		widen(level, dst, src)
	}
}

func checkProducts(what string, out, rows, queries []float32, dim int) (n, m int) {
	if dim <= 0 || len(rows)%dim != 0 || len(queries)%dim != 0 || len(out) != len(rows)/dim*(len(queries)/dim) {
		panic(fmt.Sprintf("imgvec: BUG: %s of %d and %d numbers of dimension %d into %d", what, len(rows), len(queries), dim, len(out)))
	}
	return len(rows) / dim, len(queries) / dim
}

const lanes = 16

func tree(sum *[lanes]float32) float32 {
	for step := lanes / 2; step > 0; step /= 2 {
		for i := range step {
			sum[i] += sum[i+step]
		}
	}
	return sum[0]
}

// dotGo is the plain-Go twin of the loops of dot.c. The conversions keep the compiler from fusing a product and a sum.
func dotGo(out, rows, queries []float32, n, m, dim int) {
	for q := range m {
		query := queries[q*dim : (q+1)*dim]
		for r := range n {
			var sum [lanes]float32
			row := rows[r*dim:][:len(query)]
			for len(row) >= lanes && len(query) >= lanes {
				a, b := (*[lanes]float32)(row), (*[lanes]float32)(query)
				for j := range lanes {
					sum[j] += float32(a[j] * b[j])
				}
				row, query = row[lanes:], query[lanes:]
			}
			for j := range row {
				sum[j] += float32(row[j] * query[j])
			}
			query = queries[q*dim : (q+1)*dim]
			out[q*n+r] = tree(&sum)
		}
	}
}

func distanceGo(out, rows, queries []float32, n, m, dim int) {
	for q := range m {
		query := queries[q*dim : (q+1)*dim]
		for r := range n {
			var sum [lanes]float32
			for j, v := range rows[r*dim : (r+1)*dim] {
				d := v - query[j]
				sum[j%lanes] += float32(d * d)
			}
			out[q*n+r] = tree(&sum)
		}
	}
}

func widenGo(dst []float32, src []uint16) {
	for i, h := range src {
		sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
		switch exponent {
		case 0:
			dst[i] = math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
		case 31:
			if fraction != 0 {
				fraction |= 0x200 // a quiet NaN, as the processor's own conversion makes it
			}
			dst[i] = math.Float32frombits(sign | 0x7f800000 | fraction<<13)
		default:
			dst[i] = math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
		}
	}
}
