package model

import (
	"fmt"
	"slices"
	"strings"
)

// unknownName names the models whose names are nearest to what Open was given.
func unknownName(name string, opts OpenOptions) error {
	names := installedNames(opts)
	for _, e := range known {
		if !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return didYouMean("there is no model of this name and no such file", name, names)
}

// notInRegistry is unknownName for Pull, which takes the registry's names only.
func notInRegistry(name string) error {
	var names []string
	for _, e := range known {
		names = append(names, e.Name)
	}
	return didYouMean("there is no model of this name in the registry", name, names)
}

func didYouMean(what, name string, names []string) error {
	near := nearest(name, names)
	if len(near) == 0 {
		return fmt.Errorf("%s; imgvec model list shows the names", what)
	}
	return fmt.Errorf("%s; did you mean %s? (imgvec model list shows all)", what, strings.Join(near, " or "))
}

// nearest picks up to three names that differ by few letters, or begin alike.
func nearest(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	low := strings.ToLower(name)
	for _, n := range names {
		d := editDistance(low, n)
		if d <= max(2, len(n)/3) || len(low) >= 3 && (strings.HasPrefix(n, low) || strings.Contains(n, low)) {
			near = append(near, candidate{n, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range near[:min(len(near), 3)] {
		out = append(out, c.name)
	}
	return out
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
