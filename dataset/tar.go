package dataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

// shard is a tar archive of images, compressed or not: a shard of a WebDataset, or photos that somebody packed.
//
// It is read from its beginning to its end. What can't be read is one failed row with the archive's name, after those of
// the images before it; the run then goes on with the next input.
type shard struct {
	blob
	members  memberChoice
	maxBytes int64 // of a member
	ignored  *atomic.Int64
	kept     *Kept // of the whole source
}

func (s *shard) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	_, more, err := s.eachFrom(ctx, 0, yield)
	return more, err
}

// eachFrom reads the names of all members, but the contents only of those that are yielded.
func (s *shard) eachFrom(ctx context.Context, skip int64, yield func(imgvec.Item) bool) (rows int64, more bool, err error) {
	w := &shardWalk{shard: s, ctx: ctx, skip: skip, ignored: s.ignored, yield: yield}
	err = w.run()
	return w.rows, err == nil && !w.stopped, err
}

func (s *shard) any(ctx context.Context) (found bool, err error) {
	w := &shardWalk{shard: s, ctx: ctx, ignored: new(atomic.Int64), namesOnly: true, yield: func(imgvec.Item) bool { found = true; return false }}
	return found, w.run()
}

// count reads the names of all members where the contents between them can be passed by: of local files without
// compression.
func (s *shard) count(ctx context.Context) (int64, bool, error) {
	w := &shardWalk{shard: s, ctx: ctx, ignored: new(atomic.Int64), namesOnly: true, onlySeeking: true, yield: func(imgvec.Item) bool { return true }}
	if err := w.run(); err != nil {
		return 0, false, err
	}
	return w.rows, !w.unknown, nil
}

func (s *shard) sign(ctx context.Context, w io.Writer) error {
	signItem(w, s.members.text)
	return s.blob.sign(ctx, w)
}

// shardWalk is one pass over an archive.
type shardWalk struct {
	*shard
	ctx         context.Context
	skip        int64 // rows that are not yielded
	ignored     *atomic.Int64
	yield       func(imgvec.Item) bool
	namesOnly   bool // no contents are read
	onlySeeking bool // nothing is done where contents can't be passed by

	rows    int64 // so far, with those skipped
	unknown bool  // of onlySeeking
	stopped bool  // by yield
	sample  sample
}

// run returns the error that ends the whole run, which is only that of a done ctx.
func (w *shardWalk) run() error {
	err := w.archive()
	if ctx := w.ctx.Err(); ctx != nil {
		return ctx
	}
	if err != nil && !w.stopped {
		err = fmt.Errorf("can't be read on after %d images: %w", w.rows, explainArchive(err))
		w.give(func() imgvec.Item {
			return imgvec.Item{ID: w.id(), Open: func() (io.ReadCloser, error) { return nil, &shardError{w.id(), err} }}
		})
	}
	return nil
}

// shardError is why a file with many images has a row of its own.
type shardError struct {
	id    string
	cause error
}

func (e *shardError) Error() string { return e.id + ": " + e.cause.Error() }
func (e *shardError) Unwrap() error { return e.cause }

// explainArchive puts what the readers of archives say into words.
func explainArchive(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("it ends in the middle, as a file does whose copy was broken off: %w", err)
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("it is damaged, or no tar archive: %w", err)
	}
	return err
}

func (w *shardWalk) archive() (err error) {
	rc, err := w.open(w.ctx)
	if err != nil {
		return err
	}
	if rc, err = unpacked(rc); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	if _, seeks := rc.(io.Seeker); w.onlySeeking && !seeks {
		w.unknown = true
		return nil
	}
	err = w.read(tar.NewReader(rc))
	if !w.stopped {
		w.flush() // also where the archive breaks: what came before counts
	}
	return err
}

// read goes through the members. A sample is complete when the key changes.
func (w *shardWalk) read(r *tar.Reader) error {
	for !w.stopped {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		key, suffix, ok := splitMember(header)
		if !ok {
			if countsAsIgnored(header) {
				w.ignored.Add(1)
			}
			continue
		}
		if key != w.sample.key {
			w.flush()
			w.sample.key = key
		}
		if err := w.member(r, header, suffix); err != nil {
			return err
		}
	}
	return nil
}

// member adds a member to its sample.
func (w *shardWalk) member(r *tar.Reader, header *tar.Header, suffix string) error {
	m := member{name: header.Name, suffix: suffix}
	kept := w.members.kept(suffix)
	rank, isImage := w.members.image(suffix)
	if !isImage && kept < 0 {
		w.ignored.Add(1)
		return nil
	}
	if wanted := kept >= 0 || w.rows+int64(len(w.sample.images)) >= w.skip; wanted && !w.namesOnly {
		var err error
		if m.data, m.err, err = readMember(r, header.Size, w.maxBytes); err != nil {
			return err
		}
	}
	if kept >= 0 {
		w.sample.keep(kept, w.members.keep, m)
	}
	if isImage {
		w.sample.add(m, rank, w.members.ranked())
	}
	return nil
}

// readMember reads a member's content. The first error is the member's own, the second the archive's.
func readMember(r io.Reader, size, limit int64) (data []byte, own, err error) {
	if size > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", imgvec.ErrTooLarge, limit), nil
	}
	data = make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, err
	}
	return data, nil, nil
}

// flush yields the rows of the sample that is complete.
func (w *shardWalk) flush() {
	s := &w.sample
	var batch *keptBatch
	if s.values != nil && len(s.images) > 0 {
		batch = sampleBatch(w.kept, s.values)
	}
	for i := range s.images {
		if w.stopped {
			break
		}
		m := &s.images[i]
		name := s.key
		if len(s.images) > 1 {
			name = m.name
		}
		w.give(func() imgvec.Item {
			item := imgvec.Item{ID: EscapeName(name), Data: m.data}
			if batch != nil {
				item.Tag = &keptRow{batch, 0}
			}
			if err := m.err; err != nil {
				item.Open = func() (io.ReadCloser, error) { return nil, err }
			}
			return item
		})
	}
	w.sample = sample{}
}

func (w *shardWalk) give(item func() imgvec.Item) {
	w.rows++
	if w.rows > w.skip && !w.yield(item()) {
		w.stopped = true
	}
}
