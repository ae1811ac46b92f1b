package dataset

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// readBuffer is how much is asked of a file at once where it is read from its beginning to its end.
const readBuffer = 1 << 20

// maxWindow bounds what a zstd decoder holds; the zstd command refuses more too, unless it is told otherwise.
const maxWindow = 128 << 20

// blob is a file with many images in it: a local one, or an object of a store.
type blob struct {
	name    string      // as the caller wrote it
	objects ObjectStore // nil: it is local
}

// id is the name in ids and rows.
func (b blob) id() string {
	if b.objects != nil {
		base, _ := splitURL(b.name)
		return EscapeName(base)
	}
	return EscapeName(b.name)
}

// open begins to read the file. Its errors are in a person's words.
func (b blob) open(ctx context.Context) (io.ReadCloser, error) {
	if b.objects != nil {
		return b.objects.Open(ctx, b.name)
	}
	rc, err := openRegular(b.name)
	if err != nil {
		return nil, err
	}
	return &localReader{file: rc.(*os.File), buf: bufio.NewReaderSize(rc, readBuffer)}, nil
}

// openAt opens the file for reads in any order.
func (b blob) openAt(ctx context.Context) (ObjectReader, error) {
	if b.objects != nil {
		return b.objects.OpenAt(ctx, b.name)
	}
	rc, err := openRegular(b.name)
	if err != nil {
		return nil, err
	}
	f := rc.(*os.File)
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return localFile{f, info.Size()}, nil
}

// sign writes what tells the file from another, and from itself with other contents.
func (b blob) sign(ctx context.Context, w io.Writer) error {
	signItem(w, b.name)
	if b.objects != nil {
		o, err := b.objects.Stat(ctx, b.name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		signItem(w, fmt.Sprintf("%d %s", o.Size, o.Tag))
		return nil
	}
	info, err := os.Stat(b.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		signItem(w, "none")
		return nil
	case err != nil:
		return fmt.Errorf("imgvec: read %q: %w", b.name, bare(err))
	case !info.Mode().IsRegular():
		return usagef("imgvec: %q can be read once only: write it to a file first", b.name)
	}
	signItem(w, fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano()))
	return nil
}

// localFile is a file for reads in any order.
type localFile struct {
	*os.File
	size int64
}

func (f localFile) Size() int64 { return f.size }

// localReader is a file that is read in large pieces and can pass by what nobody wants to see.
type localReader struct {
	file *os.File
	buf  *bufio.Reader
	at   int64 // of the next byte that Read gives
}

func (r *localReader) Read(p []byte) (int, error) {
	n, err := r.buf.Read(p)
	r.at += int64(n)
	return n, err
}

// Seek goes forward from where it stands; that is all that a reader of archives asks for.
func (r *localReader) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, syscall.EINVAL
	}
	if ready := int64(r.buf.Buffered()); offset <= ready {
		_, _ = r.buf.Discard(int(offset))
	} else if _, err := r.file.Seek(offset-ready, io.SeekCurrent); err != nil {
		return 0, err
	} else {
		r.buf.Reset(r.file)
	}
	r.at += offset
	return r.at, nil
}

func (r *localReader) Close() error { return r.file.Close() }

// unpacked is a file without its compression, which its first bytes tell, whatever its name. Closing it closes the file.
func unpacked(rc io.ReadCloser) (io.ReadCloser, error) {
	var head [4]byte
	n, err := io.ReadFull(rc, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.Join(err, rc.Close())
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), rc)
	switch {
	case bytes.HasPrefix(head[:n], []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bufio.NewReaderSize(whole, readBuffer))
		if err != nil {
			return nil, errors.Join(err, rc.Close())
		}
		return unpackedReader{z, rc, func() { _ = z.Close() }}, nil
	case bytes.HasPrefix(head[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(whole, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, errors.Join(err, rc.Close())
		}
		return unpackedReader{z, rc, z.Close}, nil
	case strings.HasPrefix(string(head[:n]), "BZh"):
		return unpackedReader{bzip2.NewReader(whole), rc, func() {}}, nil
	}
	if f, ok := rc.(*localReader); ok {
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			return nil, errors.Join(err, rc.Close())
		}
		f.buf.Reset(f.file)
		f.at = 0
		return f, nil
	}
	return unpackedReader{whole, rc, func() {}}, nil
}

type unpackedReader struct {
	io.Reader
	file    io.Closer
	release func()
}

func (r unpackedReader) Close() error {
	r.release()
	return r.file.Close()
}
