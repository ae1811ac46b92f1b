package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/imgvec/imgvec/dataset"
)

const (
	blockSize  = 4 << 20 // bytes; a request of the clouds costs as much time as some megabytes take
	blocksKept = 8       // of an object; a Parquet reader is in a few columns at once
)

// blocks reads an object in any order.
type blocks struct {
	ctx    context.Context
	src    source
	object dataset.Object

	mu   sync.Mutex
	tag  string // of the content that was begun with
	kept []*block
}

// block is a part of the object. done is closed when data or err is there.
type block struct {
	number int64
	done   chan struct{}
	data   []byte
	err    error
}

func newBlocks(ctx context.Context, src source, o dataset.Object) *blocks {
	return &blocks{ctx: ctx, src: src, object: o}
}

func (b *blocks) Size() int64 { return b.object.Size }

// Close drops what was kept.
func (b *blocks) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = nil
	return nil
}

// ReadAt fills p from blocks; what spans several is read past them, in one request.
func (b *blocks) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fmt.Errorf("imgvec: read %s: offset %d", b.src.name(), offset)
	}
	if offset >= b.object.Size {
		return 0, io.EOF
	}
	if rest := b.object.Size - offset; int64(len(p)) > rest {
		p, err = p[:rest], io.EOF
	}
	if len(p) > 2*blockSize {
		n, failed := b.fetch(p, offset)
		if failed != nil {
			return n, explain(b.src.name(), failed)
		}
		return n, err
	}
	for n < len(p) {
		at := offset + int64(n)
		part, failed := b.block(at / blockSize)
		if failed != nil {
			return n, explain(b.src.name(), failed)
		}
		n += copy(p[n:], part[at%blockSize:])
	}
	return n, err
}

// block gets a block, from memory where it is kept. Those who want the same one wait for one request.
func (b *blocks) block(number int64) ([]byte, error) {
	b.mu.Lock()
	i := slices.IndexFunc(b.kept, func(k *block) bool { return k.number == number })
	var k *block
	if i >= 0 {
		k = b.kept[i]
		b.kept = append(slices.Delete(b.kept, i, i+1), k) // the latest used comes last
		b.mu.Unlock()
		<-k.done
		return k.data, k.err
	}
	k = &block{number: number, done: make(chan struct{})}
	if len(b.kept) >= blocksKept {
		b.kept = slices.Delete(b.kept, 0, 1)
	}
	b.kept = append(b.kept, k)
	b.mu.Unlock()
	k.data = make([]byte, min(blockSize, b.object.Size-number*blockSize))
	if _, k.err = b.fetch(k.data, number*blockSize); k.err != nil {
		b.forget(k)
	}
	close(k.done)
	return k.data, k.err
}

// forget drops a block that could not be read, so that the next one who wants it tries anew.
func (b *blocks) forget(k *block) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = slices.DeleteFunc(b.kept, func(other *block) bool { return other == k })
}

// fetch fills p from the object, with as many attempts as it takes.
func (b *blocks) fetch(p []byte, offset int64) (n int, err error) {
	for failed := 0; ; {
		got, err := b.request(p[n:], offset+int64(n))
		n += got
		if err == nil {
			return n, nil
		}
		if got > 0 {
			failed = 0
		}
		if failed++; failed > attempts || b.ctx.Err() != nil || !temporary(err) || !waitFor(b.ctx, failed) {
			return n, err
		}
	}
}

func (b *blocks) request(p []byte, offset int64) (n int, err error) {
	body, size, tag, err := watch(b.ctx, b.src, offset, int64(len(p)), stall)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	if err := b.check(size, tag); err != nil {
		return 0, err
	}
	n, err = io.ReadFull(body, p)
	if errors.Is(err, io.EOF) { // the object is longer
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// check makes sure that all parts are of one content.
func (b *blocks) check(size int64, tag string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tag == "" {
		b.tag = tag
	}
	if tag != b.tag || size >= 0 && size != b.object.Size {
		return errChanged
	}
	return nil
}
