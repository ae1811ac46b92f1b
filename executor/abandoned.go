package executor

// abandoned is a batch that a device ran away with: it did not answer, and may still read and write the memory.
type abandoned struct {
	buf      *buffer
	bytes    int64
	in       *instance       // nil: of the ring, when the executor was closed
	answered <-chan struct{} // closed once the device has answered after all
}

// waiting tells whether the device is not done with the batch yet.
func (a abandoned) waiting() bool {
	select {
	case <-a.answered:
		return false
	default:
		return true
	}
}
