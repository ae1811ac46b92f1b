package serve

import "testing"

// TestSpareMemory has the memory of batches used again, and no more of it kept than the window.
func TestSpareMemory(t *testing.T) {
	f := flow{window: Window{4, 1000}}
	if f.body(10) != nil {
		t.Error("memory of nowhere")
	}
	first := make([]byte, 100)
	f.spare(first)
	if b := f.body(60); len(b) != 60 || &b[0] != &first[0] || f.spared != 0 {
		t.Errorf("%d bytes of other memory, %d are spare", len(b), f.spared)
	}
	for _, n := range []int{300, 400, 500, 0} {
		f.spare(make([]byte, n))
	}
	if len(f.bodies) != 2 || f.spared != 700 {
		t.Errorf("%d bodies of %d bytes are kept, of a window of 1000", len(f.bodies), f.spared)
	}
	if f.body(450) != nil || f.spared != 400 {
		t.Errorf("of two that are too small one is to go: %d bytes are kept", f.spared)
	}
	for range 6 {
		f.spare(make([]byte, 1))
	}
	if len(f.bodies) != 4 {
		t.Errorf("%d bodies are kept, of a window of 4", len(f.bodies))
	}
}
