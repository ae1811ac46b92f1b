package gpu

import "testing"

func TestRegistryFindsWhatItHolds(t *testing.T) {
	mem := make([]byte, 1000)
	start := address(mem)
	r := registry{areas: []area{{start + 100, start + 200, nil}, {start + 300, start + 400, nil}}}
	for _, c := range []struct {
		from, to int
		want     bool
	}{
		{100, 200, true}, {150, 160, true}, {300, 400, true}, {399, 400, true},
		{0, 50, false}, {90, 150, false}, {150, 250, false}, {200, 210, false}, {250, 260, false}, {350, 401, false}, {500, 600, false},
	} {
		if _, ok := r.around(mem[c.from:c.to]); ok != c.want {
			t.Errorf("bytes %d to %d: found %v", c.from, c.to, ok)
		}
	}
}
