package store

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"

	"github.com/imgvec/imgvec/dataset"
)

// openBucket opens a bucket by its cloud's default credentials. The bucket outlives ctx.
func openBucket(ctx context.Context, l location) (*blob.Bucket, error) {
	ctx = context.WithoutCancel(ctx)
	u, err := url.Parse(l.bucket)
	switch {
	case err != nil:
		return nil, err
	case l.scheme == "s3":
		return openAmazon(ctx, u)
	case l.scheme == "gs":
		return openGoogle(ctx, u)
	}
	return blob.OpenBucket(ctx, l.bucket)
}

// openGoogle does what gcsblob does for a URL. That prints a warning to standard output where there are no credentials,
// which may be where our data goes; and a public bucket needs none.
func openGoogle(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	client := gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())
	anonymous, _ := strconv.ParseBool(u.Query().Get("anonymous"))
	if !anonymous && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		if creds, err := gcp.DefaultCredentials(ctx); err == nil {
			if client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), creds.TokenSource); err != nil {
				return nil, err
			}
		}
	}
	return (&gcsblob.URLOpener{Client: client}).OpenBucketURL(ctx, u)
}

// source is an object that can be read, wherever it lies.
type source interface {
	name() string
	stat(ctx context.Context) (dataset.Object, error)
	// read begins to read length bytes from offset on; a length below 0 is the rest. size is the whole object's, -1 where
	// that is not known; tag changes with the content.
	read(ctx context.Context, offset, length int64) (body io.ReadCloser, size int64, tag string, err error)
}

// object is one in a bucket.
type object struct {
	bucket   *blob.Bucket
	url, key string
}

func (o *object) name() string { return o.url }

func (o *object) stat(ctx context.Context) (dataset.Object, error) {
	a, err := o.bucket.Attributes(ctx, o.key)
	if err != nil {
		return dataset.Object{}, err
	}
	if a.ETag == "" {
		a.ETag = a.ModTime.UTC().Format(time.RFC3339Nano)
	}
	return dataset.Object{URL: o.url, Size: a.Size, Tag: a.ETag}, nil
}

func (o *object) read(ctx context.Context, offset, length int64) (io.ReadCloser, int64, string, error) {
	r, err := o.bucket.NewRangeReader(ctx, o.key, offset, length, nil)
	if err != nil {
		return nil, 0, "", err
	}
	return r, r.Size(), fmt.Sprint(r.Size(), r.ModTime().UnixNano()), nil
}

// page is a file on a web server.
type page struct {
	client  *http.Client
	address string
}

func (p *page) name() string { return withoutPassword(p.address) }

// withoutPassword keeps a password that stands in an address, and the signature of one that was signed, out of errors and ids.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}

func (p *page) stat(ctx context.Context) (dataset.Object, error) {
	resp, err := p.do(ctx, http.MethodHead, 0, -1)
	if err != nil {
		return dataset.Object{}, err
	}
	_ = resp.Body.Close()
	return dataset.Object{URL: p.name(), Size: resp.ContentLength, Tag: pageTag(resp)}, nil
}

func pageTag(resp *http.Response) string {
	if tag := resp.Header.Get("ETag"); tag != "" {
		return tag
	}
	return resp.Header.Get("Last-Modified")
}

func (p *page) read(ctx context.Context, offset, length int64) (io.ReadCloser, int64, string, error) {
	resp, err := p.do(ctx, http.MethodGet, offset, length)
	if err != nil {
		return nil, 0, "", err
	}
	size := resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		size = totalOf(resp.Header.Get("Content-Range"))
	} else if length >= 0 && offset > 0 {
		_ = resp.Body.Close()
		return nil, 0, "", errNoRanges
	} else if offset > 0 { // the server knows no ranges: the part before is read and dropped
		if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			_ = resp.Body.Close()
			return nil, 0, "", err
		}
	}
	return resp.Body, size, pageTag(resp), nil
}

func (p *page) do(ctx context.Context, method string, offset, length int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // sizes and offsets are those of the file
	if offset > 0 || length >= 0 {
		last := ""
		if length >= 0 {
			last = strconv.FormatInt(offset+length-1, 10)
		}
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", offset, last))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		_ = resp.Body.Close()
		return nil, &statusError{resp.StatusCode}
	}
	return resp, nil
}
