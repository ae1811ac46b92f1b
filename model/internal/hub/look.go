package hub

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Info is what a hub says of a file before it is downloaded.
type Info struct {
	SHA256 string // of the whole file, where the hub tells it; else empty
	Size   int64  // 0: not known
	Commit string // of the repository that the address means; empty: not told
}

const lookTimeout = 30 * time.Second

// Look asks a hub about a file, as Hugging Face's answers: X-Linked-Etag is the SHA-256 of a large file, X-Repo-Commit
// what a branch stands for. An address of another hub gives an Info with less in it.
func Look(ctx context.Context, address string, token func(string) string) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	// The answer is the first one: what it points to belongs to a store that knows nothing of the repository.
	c := &http.Client{Transport: client.Transport, CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if to.URL.Host != via[0].URL.Host || len(via) > 5 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return Info{}, err
	}
	r := Request{Token: token}
	r.authorize(request)
	response, err := c.Do(request)
	if err != nil {
		return Info{}, reason(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return Info{}, &StatusError{response.StatusCode, response.Status}
	}
	info := Info{Commit: response.Header.Get("X-Repo-Commit")}
	if sum := strings.Trim(response.Header.Get("X-Linked-Etag"), `"`); IsSHA256(sum) {
		info.SHA256 = sum
	}
	if info.Size, err = strconv.ParseInt(response.Header.Get("X-Linked-Size"), 10, 64); err != nil {
		info.Size = 0
	}
	return info, nil
}

// IsSHA256 tells whether the text is a whole SHA-256 in lower-case hex.
func IsSHA256(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == 64 && text == strings.ToLower(text)
}

// FileName is the last part of an address's path.
func FileName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path[strings.LastIndex(u.Path, "/")+1:]
}
