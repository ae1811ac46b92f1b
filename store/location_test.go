package store

import (
	"net/url"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	for _, c := range []struct{ url, bucket, prefix, key string }{
		{"s3://b/a/x.jpg", "s3://b", "s3://b/", "a/x.jpg"},
		{"s3a://b/x y%20#1.jpg?region=eu-west-1", "s3://b?region=eu-west-1", "s3a://b/", "x y%20#1.jpg"},
		{"gs://b/", "gs://b", "gs://b/", ""},
		{"az://c/x", "azblob://c", "az://c/", "x"},
		{"abfss://c@acc.dfs.core.windows.net/x/y", "azblob://c?storage_account=acc", "abfss://c@acc.dfs.core.windows.net/", "x/y"},
		{"https://example.com/a?b=c", "", "", "https://example.com/a?b=c"},
	} {
		l, err := parse(c.url)
		if err != nil || l.bucket != c.bucket || l.prefix != c.prefix || l.key != c.key {
			t.Errorf("%s: %+v, %v", c.url, l, err)
		}
	}
	for url, want := range map[string]string{"ftp://x/y": "ftp", "s3:///x": "no bucket", "https://": "web address", "s3://b/x?%zz": "query"} {
		if _, err := parse(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not say %q", url, err, want)
		}
	}
}

func TestOwnServersHaveTheBucketInThePath(t *testing.T) {
	for endpoint, want := range map[string]bool{"http://127.0.0.1:9000": true, "https://s3.eu-west-1.amazonaws.com": false, "": false} {
		t.Setenv("AWS_ENDPOINT_URL", endpoint)
		for query, want := range map[string]bool{"": want, "use_path_style=true": true, "use_path_style=false": false} {
			values, _ := url.ParseQuery(query)
			if a, err := readAmazon(values); err != nil || a.pathStyle != want {
				t.Errorf("%q?%s: %+v, %v", endpoint, query, a, err)
			}
		}
	}
}

func TestReadAmazon(t *testing.T) {
	values, _ := url.ParseQuery("region=eu-west-1&profile=work&endpoint=http://x&anonymous=true")
	if a, err := readAmazon(values); err != nil || a != (amazon{region: "eu-west-1", profile: "work", endpoint: "http://x", anonymous: true, pathStyle: true}) {
		t.Errorf("%+v, %v", a, err)
	}
	for _, query := range []string{"regoin=x", "anonymous=perhaps"} {
		values, _ := url.ParseQuery(query)
		if _, err := readAmazon(values); err == nil {
			t.Errorf("%s was taken", query)
		}
	}
}
