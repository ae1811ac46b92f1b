package dataset

import "testing"

// TestPauseIsBounded holds that no number of tries makes a pause that is none, or over the limit.
func TestPauseIsBounded(t *testing.T) {
	for tries := 1; tries <= 200; tries++ {
		d := pause(tries)
		if d < retryFirst/2 || d > retryMost || tries > 4 && d < retryMost/2 {
			t.Errorf("after %d tries: %v", tries, d)
		}
	}
}
