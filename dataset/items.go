package dataset

import (
	"context"
	"iter"

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
		s.err = s.inOrder(ctx, skip, yield)
	}
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
