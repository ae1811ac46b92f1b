package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/internal/testdata"
)

// cloud is a server that speaks a cloud's protocol, on this machine (make objects).
type cloud struct {
	program string   // in .cache/objects
	args    []string // %[1]s is the port, %[2]s a folder
	env     map[string]string
	bucket  string // URL
	create  func(t *testing.T, s *Store, dir string)
	rare    bool // no part of make objects: it skips wherever it is missing
}

// makeFolder makes the bucket of a server that keeps buckets as folders.
func makeFolder(t *testing.T, _ *Store, dir string) {
	if err := os.Mkdir(filepath.Join(dir, "photos"), 0o777); err != nil {
		t.Fatal(err)
	}
}

var clouds = []cloud{
	{
		program: "versitygw", args: []string{"--port", "127.0.0.1:%[1]s", "--access", "test", "--secret", "test-secret", "posix", "%[2]s"},
		env:    map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:%[1]s", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"},
		bucket: "s3://photos",
		create: makeFolder,
	},
	{
		program: "fake-gcs-server", args: []string{"-scheme", "http", "-host", "127.0.0.1", "-port", "%[1]s", "-backend", "memory", "-data", "%[2]s", "-public-host", "127.0.0.1:%[1]s"},
		env:    map[string]string{"STORAGE_EMULATOR_HOST": "127.0.0.1:%[1]s"},
		bucket: "gs://photos",
		create: makeFolder,
	},
	{ // npm install azurite@3.37.0, 365 MB; a link to node_modules/.bin/azurite-blob. The account and its key are known to all.
		program: "azurite-blob", args: []string{"--blobHost", "127.0.0.1", "--blobPort", "%[1]s", "--inMemoryPersistence", "--skipApiVersionCheck"}, rare: true,
		env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
			"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
			"BlobEndpoint=http://127.0.0.1:%[1]s/devstoreaccount1;"},
		bucket: "azblob://photos",
		create: makeContainer,
	},
}

// makeContainer makes the bucket in Azure's way.
func makeContainer(t *testing.T, s *Store, _ string) {
	b, err := s.open(t.Context(), location{scheme: "azblob", bucket: "azblob://photos"})
	if err != nil {
		t.Fatal(err)
	}
	var client *container.Client
	if !b.As(&client) {
		t.Fatal("the driver gives no client")
	}
	if _, err := client.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// start runs the server and sets the environment that leads to it.
func (c *cloud) start(t *testing.T) *Store {
	program := filepath.Join(testdata.Root(t), ".cache", "objects", c.program)
	if _, err := os.Stat(program); err != nil {
		if c.rare {
			t.Skip("needs " + c.program)
		}
		testdata.Require(t, "objects", "no "+c.program+" (run make objects)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	dir := t.TempDir()
	if !c.rare {
		c.create(t, nil, dir)
	}
	var log bytes.Buffer
	args := slices.Clone(c.args)
	for i := range args {
		args[i] = fill(args[i], port, dir)
	}
	server := exec.Command(program, args...)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("%s: %s", c.program, log.Bytes())
		}
	})
	for name, value := range c.env {
		t.Setenv(name, fill(value, port, dir))
	}
	for range 200 {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	objects := New()
	t.Cleanup(func() { _ = objects.Close() })
	if c.rare {
		c.create(t, objects, dir)
	}
	return objects
}

func fill(text, port, dir string) string {
	if !bytes.Contains([]byte(text), []byte("%[")) {
		return text
	}
	return fmt.Sprintf(text+"%[3]s", port, dir, "")
}

func put(t *testing.T, s *Store, url string, data []byte) {
	t.Helper()
	l, err := parse(url)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.open(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WriteAll(t.Context(), l.key, data, nil); err != nil {
		t.Fatal(err)
	}
}

func TestClouds(t *testing.T) {
	for _, c := range clouds {
		t.Run(c.program, func(t *testing.T) {
			objects := c.start(t)
			names := []string{"a/1.jpg", "a/b/2 %20#x.png", "a/b.jpg", "a/ü.jpg", "z.tar"}
			want := map[string][]byte{}
			for i, name := range names {
				data := content(100_000 + i)
				if name == "z.tar" {
					data = content(blockSize + 777)
				}
				want[name] = data
				put(t, objects, c.bucket+"/"+name, data)
			}
			t.Run("read", func(t *testing.T) { readsAll(t, objects, c.bucket, want) })
			t.Run("list", func(t *testing.T) { listsAll(t, objects, c.bucket, want) })
			t.Run("errors", func(t *testing.T) { tellsWhatIsMissing(t, objects, c.bucket) })
			if c.program == "versitygw" {
				t.Run("credentials", func(t *testing.T) { tellsOfWrongCredentials(t, c.bucket) })
			}
			t.Run("source", func(t *testing.T) { isASource(t, objects, c.bucket) })
		})
	}
}

func readsAll(t *testing.T, objects *Store, bucket string, want map[string][]byte) {
	for name, data := range want {
		url := bucket + "/" + name
		got, err := readAll(t, objects, url)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", url, len(got), err)
		}
		o, err := objects.Stat(t.Context(), url)
		if err != nil || o.Size != int64(len(data)) || o.URL != url || o.Tag == "" {
			t.Errorf("%s: %+v, %v", url, o, err)
		}
		r, err := objects.OpenAt(t.Context(), url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		tail := make([]byte, 1000)
		if n, err := r.ReadAt(tail, r.Size()-500); n != 500 || !errors.Is(err, io.EOF) || !bytes.Equal(tail[:n], data[len(data)-500:]) {
			t.Errorf("%s: the end: %d bytes, %v", url, n, err)
		}
		_ = r.Close()
	}
}

func listsAll(t *testing.T, objects *Store, bucket string, want map[string][]byte) {
	var names []string
	for o, err := range objects.List(t.Context(), bucket+"/a/") {
		if err != nil {
			t.Fatal(err)
		}
		name := o.URL[len(bucket)+1:]
		if o.Size != int64(len(want[name])) || o.Tag == "" {
			t.Errorf("%+v", o)
		}
		names = append(names, name)
	}
	if sorted := []string{"a/1.jpg", "a/b.jpg", "a/b/2 %20#x.png", "a/ü.jpg"}; !slices.Equal(names, sorted) {
		t.Errorf("%q, want %q", names, sorted)
	}
}

func tellsWhatIsMissing(t *testing.T, objects *Store, bucket string) {
	for _, url := range []string{bucket + "/no.jpg", bucket + "-no/x.jpg"} {
		_, err := readAll(t, objects, url)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := objects.Stat(t.Context(), url); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v", url, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := objects.Open(ctx, bucket+"/a/1.jpg"); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

// isASource reads through package dataset what the inputs of a command name.
func isASource(t *testing.T, objects *Store, bucket string) {
	for input, want := range map[string][]string{
		bucket + "/a/":        {"a/1.jpg", "a/b.jpg", "a/b/2 %20#x.png", "a/ü.jpg"},
		bucket + "/a":         {"a/1.jpg", "a/b.jpg", "a/b/2 %20#x.png", "a/ü.jpg"},
		bucket + "/**/b*.jpg": {"a/b.jpg"},
		bucket + "/a/*.jpg":   {"a/1.jpg", "a/b.jpg", "a/ü.jpg"},
		bucket + "/a/no.jpg":  {"a/no.jpg"},
	} {
		src, err := dataset.Open([]string{input}, dataset.SourceOptions{Objects: objects})
		if err != nil {
			t.Fatal(err)
		}
		n, known, err := src.Count(t.Context())
		if err != nil || !known || n != int64(len(want)) {
			t.Errorf("%s: count %d, %v, %v", input, n, known, err)
		}
		var got []string
		for item := range src.Items(t.Context()) {
			got = append(got, item.ID[len(bucket)+1:])
			if item.Open == nil { // read ahead
				if len(item.Data) < 100_000 {
					t.Errorf("%s: %d bytes", item.ID, len(item.Data))
				}
				continue
			}
			r, err := item.Open()
			if err != nil {
				if item.ID != bucket+"/a/no.jpg" {
					t.Errorf("%s: %v", item.ID, err)
				}
				continue
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Errorf("%s: %v", item.ID, err)
			}
			_ = r.Close()
		}
		if src.Err() != nil {
			t.Errorf("%s: %v", input, src.Err())
		}
		for i := range want {
			want[i] = dataset.EscapeName(want[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
}

// tellsOfWrongCredentials takes another store: the first keeps its connection, with the right ones.
func tellsOfWrongCredentials(t *testing.T, bucket string) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	objects := New()
	defer func() { _ = objects.Close() }()
	_, err := readAll(t, objects, bucket+"/a/1.jpg")
	if !errors.Is(err, fs.ErrPermission) || temporary(err) {
		t.Errorf("%v: want no permission, and that another try is of no use", err)
	}
}
