//go:build !unix

package fetch

import "context"

// Lock holds off other callers in this process only, where there is no flock: two set-ups at once may download the same file twice, and the later
// rename wins.
func Lock(ctx context.Context, dir string, _ func(string)) (unlock func(), err error) {
	return turn(ctx, dir)
}
