package dataset

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/imgvec/imgvec"
)

const (
	// aheadReads is how many images are read at once from storage where each read takes its time.
	aheadReads = 32
	// aheadItems bounds the items ahead, whatever their size.
	aheadItems = 1024
	// firstGuess is how large an image is taken for before any was read.
	firstGuess = 256 << 10
)

// ahead reads items before they are asked for, so that decoders do not wait for slow storage. One goroutine goes through
// the inputs; images behind URLs or on other machines' disks are read by some more. The order stays.
//
// It holds about limit encoded bytes. An image that can't be read ahead is handed on unread: whoever needs it opens it
// once more and gets the error, or has better luck.
type ahead struct {
	limit, maxBytes int64
	slow            func(imgvec.Item) bool

	bytes   *semaphore.Weighted
	reads   chan struct{}
	queue   chan *aheadSlot
	readers sync.WaitGroup

	mu    sync.Mutex
	guess int64 // of an image's size
}

// aheadSlot is the place of one item in the order.
type aheadSlot struct {
	item imgvec.Item
	size int64         // taken from bytes
	done chan struct{} // closed when item is read; nil: it needs no reading
}

func newAhead(limit, maxBytes int64, slow func(imgvec.Item) bool) *ahead {
	return &ahead{
		limit: limit, maxBytes: maxBytes, slow: slow, guess: firstGuess, bytes: semaphore.NewWeighted(limit),
		reads: make(chan struct{}, aheadReads), queue: make(chan *aheadSlot, aheadItems),
	}
}

// run passes the items of produce on to yield. The error is that of produce. A panic of produce goes on in the caller.
func (a *ahead) run(ctx context.Context, produce func(yield func(imgvec.Item) bool) error, yield func(imgvec.Item) bool) error {
	waiting, cancel := context.WithCancel(ctx)
	var failed error
	var panicked any
	go func() {
		defer close(a.queue)
		defer func() { panicked = recover() }()
		failed = produce(func(item imgvec.Item) bool { return a.put(waiting, item) })
	}()
	more := true
	for slot := range a.queue {
		if slot.done != nil {
			<-slot.done
		}
		a.bytes.Release(slot.size)
		if more && !yield(slot.item) {
			more = false
			cancel() // what is in the queue is still taken out, so that all goroutines end
		}
	}
	cancel()
	a.readers.Wait()
	if panicked != nil {
		panic(panicked)
	}
	if !more || errors.Is(failed, context.Canceled) && ctx.Err() == nil {
		return nil
	}
	return failed
}

// put takes in the next item, when there is room for it.
func (a *ahead) put(ctx context.Context, item imgvec.Item) bool {
	slot := &aheadSlot{item: item, size: int64(len(item.Data))}
	remote := item.Data == nil && item.Open != nil && a.slow(item)
	if remote {
		a.mu.Lock()
		slot.size = a.guess
		a.mu.Unlock()
	}
	slot.size = min(slot.size, a.limit)
	if a.bytes.Acquire(ctx, slot.size) != nil {
		return false
	}
	if remote {
		select {
		case a.reads <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		slot.done = make(chan struct{})
		a.readers.Go(func() { a.read(slot) })
	}
	select {
	case a.queue <- slot:
		return true
	case <-ctx.Done():
		return false
	}
}

// read fills the slot's item.
func (a *ahead) read(slot *aheadSlot) {
	defer close(slot.done)
	defer func() { <-a.reads }()
	data, err := readItem(slot.item, a.maxBytes)
	if err != nil {
		return
	}
	slot.item.Data, slot.item.Open = data, nil
	size := int64(len(data))
	if size < slot.size {
		a.bytes.Release(slot.size - size)
		slot.size = size
	}
	a.mu.Lock()
	a.guess += (size + size/4 - a.guess) / 16 // somewhat over the average
	a.guess = max(a.guess, 1)
	a.mu.Unlock()
}

var errAheadTooLarge = errors.New("too large to be read ahead")

// readItem reads an item whole. What panics in its Open is left to whoever opens it again.
func readItem(item imgvec.Item, limit int64) (data []byte, err error) {
	defer barrier(&err)
	rc, err := item.Open()
	if err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(rc, limit+1))
	if err = errors.Join(err, rc.Close()); err == nil && int64(len(data)) > limit {
		err = errAheadTooLarge
	}
	return slices.Clip(data), err
}
