//go:build cuda && cgo && linux

package preprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/kernelrun"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// onDevice resizes by the CUDA kernels, and gives the sum of the picture's bytes.
func onDevice(t *testing.T, m *kernelrun.Machine, p *Preprocessor, src csrc.Pixels, orientation int) string {
	t.Helper()
	plan, offset := p.plan(src.Width, src.Height, orientation)
	size := p.preset.InputSize
	table := make([]float32, 3*256) // the value of a byte is the byte: so the result is the picture
	for i := range table {
		table[i] = float32(i % 256)
	}
	out := make([]float32, size.Height*size.Width*3) // black, where the resize does not come to
	dst := csrc.DeviceInput{Addr: m.Put(kernelrun.Bytes(out)), Table: m.Put(kernelrun.Bytes(table)), Layout: imgvec.NHWC, DType: imgvec.Float32,
		Height: size.Height, Width: size.Width, At: offset / 3, Channels: 3}
	pixels := csrc.DevicePixels{Addr: m.Put(src.Pix), Stride: src.Stride, Step: src.Step}
	x, y := m.Put(kernelrun.Bytes(plan.X.Words())), m.Put(kernelrun.Bytes(plan.Y.Words()))
	for _, launch := range plan.Passes(pixels, x, y, m.Put(make([]byte, plan.PassBytes(src.Step))), dst) {
		m.Run(launch)
	}
	copy(kernelrun.Bytes(out), m.Get(dst.Addr))
	m.Free()
	picture := make([]byte, len(out))
	for i, v := range out {
		picture[i] = uint8(v)
	}
	sum := sha256.Sum256(picture)
	return hex.EncodeToString(sum[:])
}

// TestGoldenOnDevice is TestGolden by the CUDA kernels: the bytes of Pillow's resize, all filters.
func TestGoldenOnDevice(t *testing.T) {
	m := kernelrun.New(t)
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Jobs []goldenJob }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for seed, job := range golden.Jobs {
		preset := imageNet(job.filter)
		preset.CropMode, preset.InputSize = imgvec.CropSquash, imgvec.Size{Height: job.oh, Width: job.ow}
		if got := onDevice(t, m, newWorker(t, preset, Options{}).p, drawn(uint64(seed), job.w, job.h), 1); got != job.sum {
			t.Errorf("job %d: %s %dx%d -> %dx%d: other bytes than Pillow's", seed, job.filter, job.w, job.h, job.ow, job.oh)
		}
	}
}

// TestPhotosOnDevice is TestPillow by the CUDA kernels, for the photos and the turned ones: resize, crop and padding.
func TestPhotosOnDevice(t *testing.T) {
	names, files := pillowFiles(t)
	requireJPEG(t, codecsPillow)
	m := kernelrun.New(t)
	checked := 0
	for _, name := range names {
		_, turned, ok := strings.Cut(name, "exif-orientation-")
		if file := files[name]; file.Error == "" && file.Format == "JPEG" && (ok || strings.HasPrefix(name, "photos/")) {
			src, orientation := decoded(t, name), 1
			if ok {
				orientation = int(turned[0] - '0')
			}
			for model, filter := range references {
				p := newWorker(t, imageNet(filter), Options{}).p
				if ok || checked%2 == 0 || !testing.Short() {
					checkPhoto(t, m, p, src, orientation, name, file.crops[model+"/exif-apply"])
				}
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d photos", checked)
	}
}

func checkPhoto(t *testing.T, m *kernelrun.Machine, p *Preprocessor, src csrc.Pixels, orientation int, name, want string) {
	t.Helper()
	if got := onDevice(t, m, p, src, orientation); got != want {
		t.Errorf("%s (%dx%d, orientation %d): other bytes than Pillow's", name, src.Width, src.Height, orientation)
	}
}

// decoded is a JPEG file's whole picture as stored: libjpeg-turbo's, through a resize that changes nothing.
func decoded(t *testing.T, name string) csrc.Pixels {
	t.Helper()
	data, err := os.ReadFile(testdata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, imageNet(imgvec.Bilinear), Options{})
	h, err := codec.ReadHeader(data)
	if err != nil {
		t.Fatal(err)
	}
	plan := csrc.Plan{Level: w.p.level, X: identity(h.Width), Y: identity(h.Height), Stride: h.Width * 3}
	src := csrc.Pixels{Pix: make([]byte, h.Width*h.Height*3), Stride: h.Width * 3, Step: 3, Width: h.Width, Height: h.Height}
	if _, err := w.native.JPEGInto(w.p.jpeg.lib, plan, data, h.Width, h.Height, true, src.Pix); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return src
}

func identity(n int) *csrc.Axis {
	windows := make([]csrc.Window, n)
	for i := range windows {
		windows[i] = csrc.Window{Lo: i, Weights: []int32{1 << csrc.RoundBits}}
	}
	return csrc.NewAxis(windows)
}
