//go:build !imgvec_faults

package serve

import "io"

// Faults tells whether this build has the faults that tests ask for by marks in images. A released one never has.
const Faults = false

// withFaults looks for marks in what open reads, in builds that have faults.
func withFaults(open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) { return open }
