package wait

import (
	"context"
	"time"
)

// For sleeps for d. Where ctx is done before, it returns ctx's error at once.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
