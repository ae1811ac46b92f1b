package hub

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
)

// part is a file on its way, and what the server said of it when it began.
type part struct{ path string }

// origin is what path.json says of a part: where its bytes come from, in which version.
type origin struct {
	URL      string `json:"url"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"last_modified,omitempty"`
	Size     int64  `json:"size,omitempty"` // of the whole file; 0: not known
}

func (p *part) size() int64 {
	info, err := os.Stat(p.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// origin reads what is known of the part; the zero value where nothing is.
func (p *part) origin() origin {
	var o origin
	text, err := os.ReadFile(p.path + ".json")
	if err != nil || json.Unmarshal(text, &o) != nil {
		return origin{}
	}
	return o
}

// began notes what a server says of the file that it begins to send. A part whose note could not be kept is still
// checked by its hash.
func (p *part) began(address string, response *http.Response) {
	o := origin{URL: address, ETag: response.Header.Get("ETag"), Modified: response.Header.Get("Last-Modified"), Size: max(response.ContentLength, 0)}
	if text, err := json.Marshal(o); err == nil {
		_ = os.WriteFile(p.path+".json", text, 0o644)
	}
}

// remove removes the part and its note.
func (p *part) remove() error {
	var all []error
	for _, path := range []string{p.path, p.path + ".json"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// condition is the header If-Range for going on with the part: a validator that only fits the same version of the file.
// A weak ETag promises nothing about bytes.
func (o origin) condition(address string) string {
	switch {
	case o.URL != address:
		return ""
	case o.ETag != "" && !strings.HasPrefix(o.ETag, "W/"):
		return o.ETag
	}
	return o.Modified
}

// changed tells whether a response is of another version of the file than the part's: a server may not know If-Range.
func (o origin) changed(address string, response *http.Response, total int64) bool {
	if o.Size > 0 && total > 0 && o.Size != total {
		return true
	}
	etag := response.Header.Get("ETag")
	return o.URL == address && o.ETag != "" && etag != "" && etag != o.ETag
}
