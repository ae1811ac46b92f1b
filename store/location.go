package store

import (
	"fmt"
	"net/url"
	"strings"
)

// location is a URL taken apart.
type location struct {
	given  string // without the query
	scheme string // s3, gs, azblob, http, https
	bucket string // with the driver's query, what gocloud.dev/blob opens; empty for HTTP
	prefix string // what stands before the key in URLs: "s3://bucket/"
	key    string // name in the bucket; for HTTP the whole address
}

// aliases are schemes that others use for the same thing.
var aliases = map[string]string{
	"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "azblob": "azblob", "az": "azblob",
	"abfs": "azblob", "abfss": "azblob", "wasb": "azblob", "wasbs": "azblob", "http": "http", "https": "https",
}

// parse takes a URL apart. A key is taken as it stands: nothing in it is unescaped, as the clouds' own tools do.
func parse(text string) (location, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	kind := aliases[strings.ToLower(scheme)]
	switch kind {
	case "":
		return location{}, fmt.Errorf("imgvec: %q: the scheme %q is unknown (s3, gs, azblob, abfss, http, https)", text, scheme)
	case "http", "https":
		if u, err := url.Parse(text); err != nil || u.Host == "" {
			return location{}, fmt.Errorf("imgvec: %q is no web address", text)
		}
		return location{given: text, scheme: kind, key: text}, nil
	}
	base, query, _ := strings.Cut(rest, "?")
	host, key, _ := strings.Cut(base, "/")
	if host == "" {
		return location{}, fmt.Errorf("imgvec: %q names no bucket", text)
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return location{}, fmt.Errorf("imgvec: %q: its query: %w", text, err)
	}
	l := location{given: scheme + "://" + base, scheme: kind, prefix: scheme + "://" + host + "/", key: key}
	if container, account, ok := strings.Cut(host, "@"); ok && kind == "azblob" { // container@account.dfs.core.windows.net
		name, _, _ := strings.Cut(account, ".")
		params.Set("storage_account", name)
		host = container
	}
	l.bucket = (&url.URL{Scheme: kind, Host: host, RawQuery: params.Encode()}).String()
	return l, nil
}
