package similar

import "slices"

// best holds the best neighbours of one query so far, as a heap with the worst on top.
type best struct {
	limit int
	items []Neighbour
}

// worse orders neighbours: by score, and rows of the same score by their number.
func worse(a, b Neighbour) bool {
	return a.Score < b.Score || a.Score == b.Score && a.Row > b.Row
}

// takes tells whether a neighbour would be kept. A score that is no number never is.
func (b *best) takes(score float32, row int64) bool {
	if len(b.items) < b.limit {
		return score == score //nolint:gocritic // false for NaN
	}
	return worse(b.items[0], Neighbour{row, score})
}

func (b *best) push(n Neighbour) {
	if !b.takes(n.Score, n.Row) {
		return
	}
	if len(b.items) < b.limit {
		b.items = append(b.items, n)
		b.up(len(b.items) - 1)
		return
	}
	b.items[0] = n
	b.down()
}

func (b *best) up(i int) {
	for i > 0 && worse(b.items[i], b.items[(i-1)/2]) {
		parent := (i - 1) / 2
		b.items[i], b.items[parent] = b.items[parent], b.items[i]
		i = parent
	}
}

func (b *best) down() {
	for i := 0; ; {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(b.items); child++ {
			if worse(b.items[child], b.items[worst]) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		b.items[i], b.items[worst] = b.items[worst], b.items[i]
		i = worst
	}
}

// sorted is the neighbours, nearest first.
func (b *best) sorted() []Neighbour {
	out := slices.Clone(b.items)
	slices.SortFunc(out, func(a, b Neighbour) int {
		if worse(b, a) {
			return -1
		}
		return 1
	})
	return out
}
