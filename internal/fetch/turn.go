package fetch

import (
	"context"
	"path/filepath"
	"sync"
)

// turns are the folders that this process fills: a file lock holds off other processes.
var turns struct {
	sync.Mutex
	taken map[string]chan struct{} // closed when the folder is free
}

// turn waits until no other caller of this process fills the folder.
func turn(ctx context.Context, dir string) (release func(), err error) {
	if path, err := filepath.Abs(dir); err == nil {
		dir = path
	}
	for {
		turns.Lock()
		busy := turns.taken[dir]
		if busy == nil {
			mine := make(chan struct{})
			if turns.taken == nil {
				turns.taken = map[string]chan struct{}{}
			}
			turns.taken[dir] = mine
			turns.Unlock()
			return func() {
				turns.Lock()
				defer turns.Unlock()
				delete(turns.taken, dir)
				close(mine)
			}, nil
		}
		turns.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
