package dataset

import (
	"context"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/imgvec/imgvec"
)

// ObjectStore reads what lies under URLs. Package store is one, for S3, Google Cloud Storage, Azure and HTTP; a program
// that reads local files alone needs none. It is safe for concurrent use. Its errors say the URL, and those that another
// try may mend have a method Temporary() bool that returns true.
type ObjectStore interface {
	// Open begins to read a whole object; the caller closes it.
	Open(ctx context.Context, url string) (io.ReadCloser, error)
	// OpenAt opens an object for reads in any order; the caller closes it. ctx governs those reads too.
	OpenAt(ctx context.Context, url string) (ObjectReader, error)
	// List yields the objects whose URLs start with url, in the byte-wise order of their URLs. An error is the last pair.
	List(ctx context.Context, url string) iter.Seq2[Object, error]
	// Stat tells of one object. Where there is none the error is fs.ErrNotExist.
	Stat(ctx context.Context, url string) (Object, error)
	// CanList tells whether List can work on URLs like this one; it can't on plain web servers.
	CanList(url string) bool
}

// ObjectReader is an object that is read in any order. ReadAt is safe for concurrent use.
type ObjectReader interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes
}

// Object is what a store tells of an object without reading it.
type Object struct {
	URL  string // without the query
	Size int64  // bytes; -1: not known
	Tag  string // changes when the content does: an ETag, or the time of the last change
}

// IsURL tells whether an INPUT is a URL and not a path.
func IsURL(arg string) bool {
	scheme, _, found := strings.Cut(arg, "://")
	return found && scheme != "" && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") == ""
}

// splitURL parts a URL from its query, which says how a bucket is reached ("?region=eu-west-1") and is no part of a name.
// A web address keeps its own.
func splitURL(url string) (base, query string) {
	if strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://") {
		return url, ""
	}
	base, query, found := strings.Cut(url, "?")
	if found {
		query = "?" + query
	}
	return base, query
}

// openRemote makes inputs of a URL, as open does of a path.
func (s *Source) openRemote(ctx context.Context, arg string) ([]input, error) {
	in, err := s.openURL(arg, s.opts.Objects)
	if err != nil {
		return nil, err
	}
	base, _ := splitURL(arg)
	switch in := in.(type) {
	case object:
		if isTable(urlPath(base)) {
			return []input{s.openTable(blob{arg, in.objects})}, nil
		}
	case *bucket:
		return s.openBucket(ctx, in)
	case *place:
		found, err := in.resolve(ctx)
		if err != nil {
			return nil, err
		}
		if b, ok := found.(*bucket); ok {
			return s.openBucket(ctx, b)
		}
	}
	return []input{in}, nil
}

// urlPath is a web address without what comes behind its path.
func urlPath(url string) string {
	url, _, _ = strings.Cut(url, "#")
	url, _, _ = strings.Cut(url, "?")
	return url
}

// openBucket takes the tables and archives of a pattern that asks for them, or of a folder that has no image.
func (s *Source) openBucket(ctx context.Context, b *bucket) ([]input, error) {
	asked := isTable(b.pattern[len(b.pattern)-1])
	var tables []input
	for o, err := range b.objects.List(ctx, b.root+b.query) {
		if err != nil {
			return nil, err
		}
		switch name := strings.TrimPrefix(o.URL, b.root); {
		case name == "" || strings.HasSuffix(name, "/") || !b.matches(name):
		case isTable(name):
			tables = append(tables, s.newTable(blob{o.URL + b.query, b.objects}))
		case isImage(name) && !asked:
			return []input{b}, nil
		}
	}
	if len(tables) == 0 {
		return []input{b}, nil
	}
	for _, in := range tables {
		s.know(in)
	}
	return tables, nil
}

// openURL makes an input of a URL: a folder of a bucket (it ends in "/", or nothing has that very name), a pattern, or
// one object. Nothing is asked of the store yet but what it can do.
func (s *Source) openURL(arg string, objects ObjectStore) (input, error) {
	if objects == nil {
		return nil, usagef("imgvec: %q is a URL, and no store was given that could read it (SourceOptions.Objects)", arg)
	}
	base, query := splitURL(arg)
	folder := &bucket{objects: objects, root: base, query: query, pattern: pattern{"**", "*"}, ignored: &s.ignored}
	switch {
	case (isImage(base) || isTable(base)) && !strings.ContainsAny(base, "*["), !objects.CanList(base):
		return object{objects, arg}, nil
	case strings.ContainsAny(base, "*["):
		folder.root, folder.pattern = splitPattern(base)
		folder.root += "/"
		if err := folder.pattern.check(); err != nil {
			return nil, usagef("imgvec: pattern %q: %v", arg, err)
		}
	case !strings.HasSuffix(base, "/"):
		folder.root += "/"
		return &place{object: object{objects, arg}, folder: folder}, nil
	}
	return folder, nil
}

// place is a URL of which only the store can tell whether it is an object or a folder.
type place struct {
	object object
	folder *bucket

	mu    sync.Mutex
	found input // nil: not known yet
}

// resolve asks the store, once. What is neither is taken for an object, whose row will say that there is none.
func (p *place) resolve(ctx context.Context) (input, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if _, err := p.object.objects.Stat(ctx, p.object.url); err == nil {
		p.found = p.object
		return p.found, nil
	}
	some := false
	for _, err := range p.folder.objects.List(ctx, p.folder.root+p.folder.query) {
		if err != nil {
			return nil, err
		}
		some = true
		break
	}
	if p.found = p.object; some {
		p.found = p.folder
	}
	return p.found, nil
}

func (p *place) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	in, err := p.resolve(ctx)
	if err != nil {
		return false, err
	}
	return in.each(ctx, yield)
}

func (p *place) count(ctx context.Context) (int64, bool, error) {
	in, err := p.resolve(ctx)
	if err != nil {
		return 0, false, err
	}
	return in.count(ctx)
}

func (p *place) any(ctx context.Context) (bool, error) {
	in, err := p.resolve(ctx)
	if err != nil {
		return false, err
	}
	return in.any(ctx)
}

func (p *place) sign(ctx context.Context, w io.Writer) error {
	in, err := p.resolve(ctx)
	if err != nil {
		return err
	}
	return in.sign(ctx, w)
}

// object is one image under a URL. It is always a row.
type object struct {
	objects ObjectStore
	url     string
}

func (o object) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return yield(objectItem(ctx, o.objects, o.url)), nil
}

func (o object) count(context.Context) (int64, bool, error)  { return 1, true, nil }
func (o object) any(context.Context) (bool, error)           { return true, nil }
func (o object) sign(ctx context.Context, w io.Writer) error { return signItems(ctx, o, w) }

// objectItem is the item of an object; it is read by the worker that decodes it.
func objectItem(ctx context.Context, objects ObjectStore, url string) imgvec.Item {
	base, _ := splitURL(url)
	return imgvec.Item{ID: EscapeName(base), Open: func() (io.ReadCloser, error) { return objects.Open(ctx, url) }}
}

// bucket is the objects below a URL that a pattern names. As in a folder, hidden names are passed by, and objects that
// are no images by their names are counted as ignored.
type bucket struct {
	objects     ObjectStore
	root, query string // the root ends in "/"
	pattern     pattern
	ignored     *atomic.Int64
}

func (b *bucket) each(ctx context.Context, yield func(imgvec.Item) bool) (bool, error) {
	return b.list(ctx, b.ignored, func(url string) bool { return yield(objectItem(ctx, b.objects, url+b.query)) })
}

// list yields the URLs of the images.
func (b *bucket) list(ctx context.Context, ignored *atomic.Int64, yield func(url string) bool) (more bool, err error) {
	for o, err := range b.objects.List(ctx, b.root+b.query) {
		if err != nil {
			return false, err
		}
		switch name := strings.TrimPrefix(o.URL, b.root); {
		case name == "" || strings.HasSuffix(name, "/") || !b.matches(name): // markers of folders are empty objects
		case !isImage(name):
			ignored.Add(1)
		case !yield(o.URL):
			return false, nil
		}
	}
	return true, nil
}

func (b *bucket) matches(name string) bool {
	s := b.pattern.start()
	for part := range strings.SplitSeq(name, "/") {
		if s = b.pattern.next(s, part); len(s) == 0 {
			return false
		}
	}
	return b.pattern.matched(s)
}

func (b *bucket) count(ctx context.Context) (n int64, known bool, err error) {
	_, err = b.list(ctx, new(atomic.Int64), func(string) bool { n++; return true })
	return n, err == nil, err
}

func (b *bucket) any(ctx context.Context) (found bool, err error) {
	_, err = b.list(ctx, new(atomic.Int64), func(string) bool { found = true; return false })
	return found, err
}

// sign writes the names alone, as for a folder: an object that was replaced is another image under the same id.
func (b *bucket) sign(ctx context.Context, w io.Writer) error {
	_, err := b.list(ctx, new(atomic.Int64), func(url string) bool { signItem(w, url); return true })
	return err
}
