package hub

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first place that has the file gives it, whatever is wrong with those before.
func TestPlacesAreTriedInOrder(t *testing.T) {
	fast(t)
	good, bad, gone := newServer(t, 1<<16), newServer(t, 1<<10), newServer(t, 16)
	gone.handle = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	r := good.request(t)
	r.Places = []string{filepath.Join(t.TempDir(), "absent"), "http://127.0.0.1:1/w.pth", gone.URL, bad.URL, good.URL, "http://127.0.0.1:1/never"}
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, good.data)
}

func TestNoPlaceHasIt(t *testing.T) {
	fast(t)
	s := newServer(t, 16)
	r := s.request(t)
	r.SHA256 = "ff"
	r.Places = []string{"/no/such/file", "http://127.0.0.1:1/w.pth", "http://no-such-host.invalid/w.pth", s.URL}
	err := get(r)
	errorWith(t, err, "/no/such/file: no such file", "127.0.0.1:1/w.pth: dial", "no-such-host.invalid", "expected ff…")
}

// What one mirror sent the next goes on with, as the hash tells whether it fits.
func TestAnotherPlaceGoesOn(t *testing.T) {
	fast(t)
	first, second := newServer(t, 1<<16), newServer(t, 1<<16)
	first.etag, second.etag = `"a"`, `"b"`
	first.handle = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			first.half(w)
		}
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	r := first.request(t)
	r.Places = append(r.Places, second.URL)
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, first.data)
	if got := second.asked("Range"); got[0] != "bytes=32768-" {
		t.Errorf("asked for %q", got)
	}
	if got := second.asked("If-Range"); got[0] != "" {
		t.Errorf("the other server's ETag went to this one: %q", got)
	}
}

func TestOffline(t *testing.T) {
	s := newServer(t, 1<<16)
	r := s.request(t)
	r.Offline = true
	errorWith(t, get(r), "offline")
	if len(s.requests) > 0 {
		t.Error("an offline run asked a server")
	}
	path := filepath.Join(t.TempDir(), "there.pth")
	write(t, path, s.data)
	r.Places = append(r.Places, path)
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, s.data)
	if _, err := os.Stat(path); err != nil {
		t.Error("the file was taken away from where it was")
	}
}

func TestAFileOfThisMachineWithOtherBytes(t *testing.T) {
	s := newServer(t, 16)
	r := s.request(t)
	r.Places = []string{filepath.Join(t.TempDir(), "there.pth")}
	write(t, r.Places[0], []byte("something else"))
	errorWith(t, get(r), "SHA-256")
	wantOnly(t, r)
}

func TestADiskWithoutRoom(t *testing.T) {
	saved := freeSpace
	t.Cleanup(func() { freeSpace = saved })
	freeSpace = func(string) (int64, bool) { return 1<<20 + 1, true }
	s := newServer(t, 1<<20)
	if err := get(s.request(t)); err != nil {
		t.Errorf("there is room for it: %v", err)
	}
	r := s.request(t)
	r.Spare = 1
	errorWith(t, get(r), "no room", "1 MB are free, 3 MB are needed")
	if len(s.requests) != 2 {
		t.Errorf("asked %d times", len(s.requests)-1)
	}
}

func TestRedirects(t *testing.T) {
	store := newServer(t, 1<<16)
	front := httptest.NewServer(http.RedirectHandler(store.URL+"/somewhere?signature=x", http.StatusFound))
	t.Cleanup(front.Close)
	r := store.request(t)
	r.Places = []string{front.URL + "/w.pth"}
	r.Token = func(address string) string {
		if strings.HasPrefix(address, front.URL) {
			return "secret"
		}
		return ""
	}
	write(t, r.Path+".part", store.data[:1000])
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	wantFile(t, r, store.data)
	if got := store.asked("Range"); got[0] != "bytes=1000-" {
		t.Errorf("the range was lost on the way: %q", got)
	}
}

// The token goes to its hub only, not to the store that the hub sends us to.
func TestTheTokenStaysAtItsHub(t *testing.T) {
	store := newServer(t, 1<<10)
	var atHub string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atHub = r.Header.Get("Authorization")
		http.Redirect(w, r, strings.Replace(store.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
	}))
	t.Cleanup(front.Close)
	r := store.request(t)
	r.Places = []string{front.URL}
	r.Token = func(string) string { return "secret" }
	if err := get(r); err != nil {
		t.Fatal(err)
	}
	if atHub != "Bearer secret" {
		t.Errorf("the hub got %q", atHub)
	}
	if got := store.asked("Authorization"); got[0] != "" {
		t.Errorf("the store got the token: %q", got)
	}
}

func TestLook(t *testing.T) {
	s := newServer(t, 16)
	s.handle = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/old/resolve/main/model.safetensors": // a repository that was renamed
			http.Redirect(w, r, "/new/resolve/main/model.safetensors", http.StatusTemporaryRedirect)
		case "/new/resolve/main/model.safetensors":
			w.Header().Set("X-Repo-Commit", "0123456789012345678901234567890123456789")
			w.Header().Set("X-Linked-Etag", `"`+sum(s.data)+`"`)
			w.Header().Set("X-Linked-Size", "16")
			http.Redirect(w, r, "http://127.0.0.1:1/store", http.StatusFound)
		case "/small":
			w.Header().Set("X-Linked-Etag", `"21c61d3f8f3e50137a8c5fdd5bc9b085e286315a"`) // of git, no SHA-256
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
		return true
	}
	info, err := Look(t.Context(), s.URL+"/old/resolve/main/model.safetensors", nil)
	if want := (Info{sum(s.data), 16, "0123456789012345678901234567890123456789"}); err != nil || info != want {
		t.Errorf("%+v, %v, expected %+v", info, err, want)
	}
	if info, err = Look(t.Context(), s.URL+"/small", nil); err != nil || info != (Info{}) {
		t.Errorf("%+v, %v", info, err)
	}
	_, err = Look(t.Context(), s.URL+"/gated", nil)
	errorWith(t, err, "401")
}

func TestAFileThatIsTooLarge(t *testing.T) {
	for name, length := range map[string]string{"and says so": fmt.Sprint(1 << 20), "and does not say so": ""} {
		s := newServer(t, 1<<20)
		s.handle = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for i := 0; i < len(s.data); i += 1 << 16 {
				_, _ = w.Write(s.data[i : i+1<<16])
				w.(http.Flusher).Flush()
			}
			return true
		}
		r := s.request(t)
		r.Max = 1<<20 - 1
		if err := get(r); err == nil || !strings.Contains(err.Error(), "larger than 1048575 bytes") {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.requests) != 1 {
			t.Errorf("%s: asked %d times", name, len(s.requests))
		}
		r.Max = 1 << 20
		if err := get(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
