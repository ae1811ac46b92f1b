package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"

	"github.com/imgvec/imgvec/dataset"
)

// Store reads objects. It keeps the connection to each bucket. It is safe for concurrent use.
type Store struct {
	web *http.Client

	mu      sync.Mutex
	buckets map[string]*blob.Bucket
	closed  bool
}

var _ dataset.ObjectStore = (*Store)(nil)

// New makes a Store. Nothing is connected to before it is used.
func New() *Store {
	transport := http.DefaultTransport.(*http.Transport).Clone() // it honours HTTPS_PROXY and its like
	transport.MaxIdleConnsPerHost = 64
	transport.ResponseHeaderTimeout = time.Minute
	return &Store{web: &http.Client{Transport: transport}, buckets: map[string]*blob.Bucket{}}
}

// Close drops all connections. Objects that are being read fail. It is idempotent.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var all []error
	for _, b := range s.buckets {
		all = append(all, b.Close())
	}
	clear(s.buckets)
	s.web.CloseIdleConnections()
	return errors.Join(all...)
}

// CanList tells whether there is a way to list what lies below a URL: in buckets, but not on web servers.
func (s *Store) CanList(url string) bool {
	l, err := parse(url)
	return err != nil || l.bucket != "" // a URL that is wrong is told by List
}

// Open begins to read an object. Where the connection breaks, the reader goes on behind the last byte that came.
func (s *Store) Open(ctx context.Context, url string) (io.ReadCloser, error) {
	src, err := s.source(ctx, url)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, src: src}
	if err := r.connect(); err != nil {
		return nil, explain(src.name(), err)
	}
	return r, nil
}

// OpenAt opens an object for reads in any order. They are made in blocks of some megabytes, a few of which are kept: a
// Parquet file is read in many small pieces that lie side by side.
func (s *Store) OpenAt(ctx context.Context, url string) (dataset.ObjectReader, error) {
	src, err := s.source(ctx, url)
	if err != nil {
		return nil, err
	}
	o, err := src.stat(ctx)
	if err != nil {
		return nil, explain(src.name(), err)
	}
	if o.Size < 0 {
		return nil, fmt.Errorf("imgvec: read %s: the server does not tell its size, so it can't be read in any order: fetch it first", src.name())
	}
	return newBlocks(ctx, src, o), nil
}

// Stat tells of one object.
func (s *Store) Stat(ctx context.Context, url string) (dataset.Object, error) {
	src, err := s.source(ctx, url)
	if err != nil {
		return dataset.Object{}, err
	}
	o, err := src.stat(ctx)
	return o, explain(src.name(), err)
}

// List yields the objects whose URLs start with url.
func (s *Store) List(ctx context.Context, url string) iter.Seq2[dataset.Object, error] {
	return func(yield func(dataset.Object, error) bool) {
		l, err := parse(url)
		if err == nil && l.bucket == "" {
			err = fmt.Errorf("imgvec: list %s: a web server has no list of its files: give each address, or @LIST", url)
		}
		var b *blob.Bucket
		if err == nil {
			b, err = s.open(ctx, l)
		}
		if err != nil {
			yield(dataset.Object{}, err)
			return
		}
		for entry, err := range (&listing{ctx: ctx, bucket: b, prefix: l.key}).entries {
			if err != nil {
				yield(dataset.Object{}, explain(l.given, err))
				return
			}
			if !yield(dataset.Object{URL: l.prefix + entry.Key, Size: entry.Size, Tag: tag(entry)}, nil) {
				return
			}
		}
	}
}

// tag is what changes when an object does.
func tag(entry *blob.ListObject) string {
	if len(entry.MD5) > 0 {
		return fmt.Sprintf("%x", entry.MD5)
	}
	return entry.ModTime.UTC().Format(time.RFC3339Nano)
}

// listing is one pass over the names with a prefix.
type listing struct {
	ctx    context.Context
	bucket *blob.Bucket
	prefix string
}

func (l *listing) entries(yield func(*blob.ListObject, error) bool) {
	it := l.bucket.List(&blob.ListOptions{Prefix: l.prefix})
	for {
		entry, err := it.Next(l.ctx)
		if errors.Is(err, io.EOF) {
			return
		}
		if !yield(entry, err) || err != nil {
			return
		}
	}
}

// source finds what reads a URL.
func (s *Store) source(ctx context.Context, url string) (source, error) {
	l, err := parse(url)
	if err != nil {
		return nil, err
	}
	if l.bucket == "" {
		return &page{client: s.web, address: l.key}, nil
	}
	if l.key == "" || strings.HasSuffix(l.key, "/") {
		return nil, fmt.Errorf("imgvec: read %s: it names no object", l.given)
	}
	b, err := s.open(ctx, l)
	if err != nil {
		return nil, err
	}
	return &object{bucket: b, url: l.given, key: l.key}, nil
}

// open opens a bucket once.
func (s *Store) open(ctx context.Context, l location) (*blob.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("imgvec: read %s: the store is closed", l.given)
	}
	if b := s.buckets[l.bucket]; b != nil {
		return b, nil
	}
	b, err := openBucket(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("imgvec: open bucket of %s: %w", l.given, err)
	}
	s.buckets[l.bucket] = b
	return b, nil
}
