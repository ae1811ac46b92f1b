package preprocess

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/testdata"
)

func TestNotes(t *testing.T) {
	jpeg := DecoderInfo{Format: "jpeg", Library: "libjpeg-turbo", Version: "2.1.5", Path: "/lib/libjpeg.so.62"}
	webp := DecoderInfo{Format: "webp", Library: "golang.org/x/image/vp8", WhyNot: "none"}
	png := DecoderInfo{Format: "png", Library: "imgvec (Go)"}
	with := func(d DecoderInfo, fault string) DecoderInfo { d.Fault = fault; return d }
	for _, c := range []struct {
		decoders []DecoderInfo
		want     string
	}{
		{[]DecoderInfo{jpeg, png, webp}, ""},
		{[]DecoderInfo{with(jpeg, "damaged"), png, webp}, `libjpeg of the Pillow wheel is damaged: the system's libjpeg-turbo 2.1.5 is used; run "imgvec setup"`},
		{[]DecoderInfo{with(jpeg, "not installed"), png, with(webp, "not installed")},
			`libjpeg and libwebp of the Pillow wheel are not installed: the system's libjpeg-turbo 2.1.5 and Go code for webp are used; run "imgvec setup"`},
	} {
		if got := strings.Join(notesOf(c.decoders), "\n"); got != c.want {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
}

const notesChild = "IMGVEC_TEST_NOTES"

// TestNotesOfADamagedLibrary runs itself in a process of its own: a library is looked for once in each.
func TestNotesOfADamagedLibrary(t *testing.T) {
	if os.Getenv(notesChild) != "" {
		p, err := New(imgvec.Preset{
			InputSize: imgvec.Size{Height: 8, Width: 8}, CropMode: imgvec.CropSquash, CropRound: imgvec.CropHalfEven, Interpolation: imgvec.Bilinear,
			Scale: 255, Std: [3]float32{1, 1, 1}, ChannelOrder: imgvec.RGB,
		}, Options{Codecs: os.Getenv(notesChild)})
		if err != nil {
			t.Fatal(err)
		}
		t.Log("NOTES " + strings.Join(p.Notes(), "|") + " END")
		return
	}
	from := filepath.Join(home.Dir(), "lib", "codecs")
	if runtime.GOOS != "linux" || !pillowJPEG().pillow {
		testdata.Require(t, "codecs", "no libraries of the Pillow wheel")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "lib", "codecs"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, dir, codecsAuto)
	found, err := filepath.Glob(filepath.Join(dir, "lib", "codecs", "libjpeg-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.Truncate(found[0], 1000); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, dir, codecsAuto, "libjpeg of the Pillow wheel is damaged: ", "libtiff of the Pillow wheel is not usable: libjpeg-", `run "imgvec setup"`)
	wantNotes(t, t.TempDir(), codecsAuto, "libjpeg, libwebp and libtiff of the Pillow wheel are not installed: ")
	wantNotes(t, dir, codecsGo)
}

// wantNotes checks for all the words; for none, that there are no notes.
func wantNotes(t *testing.T, dir, codecs string, words ...string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestNotesOfADamagedLibrary$", "-test.v") //nolint:gosec // this test
	child.Env = append(os.Environ(), notesChild+"="+codecs, home.Env+"="+dir)
	out, err := child.CombinedOutput()
	_, text, _ := strings.Cut(string(out), "NOTES ")
	text, _, ended := strings.Cut(text, " END")
	if err != nil || !ended {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(words) == 0 && text != "" {
		t.Errorf("codecs %s: notes where nothing is wrong: %s", codecs, text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in: %s", word, text)
		}
	}
	if strings.Contains(text, dir) {
		t.Errorf("a long path: %s", text)
	}
}
