package dataset

import (
	"context"
	"iter"
	"slices"

	"github.com/imgvec/imgvec"
)

// skipper is an input that can leave out its first items without reading them.
type skipper interface {
	// eachFrom yields the items from skip on. rows counts all that it came by, also those it left out.
	eachFrom(ctx context.Context, skip int64, yield func(imgvec.Item) bool) (rows int64, more bool, err error)
}

// Items yields every input in order. It ends early when ctx is done or the inputs can't be read on; Err tells which.
func (s *Source) Items(ctx context.Context) iter.Seq[imgvec.Item] { return s.ItemsFrom(ctx, 0) }

// ItemsFrom is Items without the first skip of them. Of tables whole row groups are left out unread.
func (s *Source) ItemsFrom(ctx context.Context, skip int64) iter.Seq[imgvec.Item] {
	return func(yield func(imgvec.Item) bool) {
		if s.opts.ReadAhead < 0 || !s.aheadHelps() {
			s.err = s.inOrder(ctx, skip, yield)
			return
		}
		network := s.onNetwork()
		a := newAhead(s.opts.ReadAhead, s.opts.MaxBytes, func(item imgvec.Item) bool { return network || IsURL(item.ID) })
		s.err = a.run(ctx, func(put func(imgvec.Item) bool) error { return s.inOrder(ctx, skip, put) }, yield)
	}
}

// aheadHelps tells whether reading ahead can be of use. The workers that decode local files read them as fast as any
// other goroutine would, into memory that they use again.
func (s *Source) aheadHelps() bool {
	if len(s.tables) > 0 || len(s.shards) > 0 {
		return true
	}
	for _, in := range s.inputs {
		switch in := in.(type) {
		case *bucket, *place:
			return true
		case *list:
			if in.objects != nil {
				return true // a line may be a URL
			}
		}
	}
	return len(s.inputs) > 1 && slices.ContainsFunc(s.inputs, func(in input) bool { _, ok := in.(object); return ok }) || s.onNetwork()
}

// onNetwork tells whether local names of the inputs lead to other machines' disks, and whether tables hold names at all:
// those are read ahead too, wherever they lead.
func (s *Source) onNetwork() bool {
	for _, t := range s.tables {
		if p := t.known(); p != nil && (p.isPath || p.path >= 0) {
			return true
		}
	}
	for _, in := range s.inputs {
		switch in := in.(type) {
		case *tree:
			if onNetwork(orDot(in.root)) {
				return true
			}
		case file:
			if onNetwork(string(in)) {
				return true
			}
		}
	}
	return false
}

func (s *Source) inOrder(ctx context.Context, skip int64, yield func(imgvec.Item) bool) error {
	for _, in := range s.inputs {
		rows, more, err := eachFrom(ctx, in, skip, yield)
		if err != nil || !more {
			return err
		}
		skip = max(0, skip-rows)
	}
	return nil
}

func eachFrom(ctx context.Context, in input, skip int64, yield func(imgvec.Item) bool) (rows int64, more bool, err error) {
	if s, ok := in.(skipper); ok {
		return s.eachFrom(ctx, skip, yield)
	}
	more, err = in.each(ctx, func(item imgvec.Item) bool {
		rows++
		return rows <= skip || yield(item)
	})
	return rows, more, err
}
