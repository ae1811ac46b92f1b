package serve

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"regexp"
	"strings"

	"github.com/imgvec/imgvec/dataset"
)

// scheme is how a URI begins. One letter alone is no scheme.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+):`)

// openPath opens a file by its path or file: URI.
//
// Tables have such URIs in two ways: percent-encoded, and with the name as it is. So it is tried as it is first, and
// decoded where there is no such file.
func openPath(name string) (io.ReadCloser, error) {
	path, uri, err := localPath(name)
	if err != nil {
		return nil, err
	}
	rc, err := dataset.OpenFile(path)
	if err == nil || !uri || !errors.Is(err, fs.ErrNotExist) {
		return rc, err
	}
	plain, bad := url.PathUnescape(path)
	if bad != nil || plain == path {
		return nil, err
	}
	return dataset.OpenFile(plain)
}

// localPath takes the scheme and an empty or local host from a file: URI. Any other scheme is an error.
func localPath(name string) (path string, uri bool, err error) {
	found := scheme.FindStringSubmatch(name)
	switch {
	case name == "":
		return "", false, errors.New("the path is empty")
	case found == nil && strings.HasPrefix(name, "/"):
		return name, false, nil
	case found == nil:
		return "", false, fmt.Errorf("%q: not an absolute path: the server's working folder need not be yours", shorten(name))
	case !strings.EqualFold(found[1], "file"):
		return "", false, fmt.Errorf("%q: the server reads local files only, not %s: send the bytes instead (a binary column)", shorten(name), found[1])
	}
	path = name[len(found[0]):]
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		host, file, _ := strings.Cut(rest, "/")
		if host != "" && host != "localhost" {
			return "", false, fmt.Errorf("%q: a file of another machine (%s): send the bytes instead (a binary column)", shorten(name), shorten(host))
		}
		path = "/" + file
	}
	if !strings.HasPrefix(path, "/") {
		return "", false, fmt.Errorf("%q: not an absolute path", shorten(name))
	}
	return path, true, nil
}

// shorten keeps a message readable, whatever stands in a column.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
