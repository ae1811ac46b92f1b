package preprocess

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/testdata"
	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// squash is a preset that resizes each side on its own.
func squash(filter imgvec.Interpolation) imgvec.Preset {
	p := imageNet(filter)
	p.CropMode = imgvec.CropSquash
	return p
}

// flatPNG is a gray PNG file of w x h black pixels; it is never whole in memory.
func flatPNG(t testing.TB, w, h int) []byte {
	t.Helper()
	var pixels bytes.Buffer
	z := zlib.NewWriter(&pixels)
	block := make([]byte, 1<<20) // filters and pixels are all 0
	for left := h * (w + 1); left > 0; {
		n, err := z.Write(block[:min(left, len(block))])
		if err != nil {
			t.Fatal(err)
		}
		left -= n
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(body)))
		body = append([]byte(name), body...)
		file = append(file, body...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(body))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	chunk("IHDR", append(size, 8, 0, 0, 0, 0))
	chunk("IDAT", pixels.Bytes())
	chunk("IEND", nil)
	return file
}

// TestExtremeShapes: a side so long that its tables would take more than all else is refused before anything is built,
// with the picture's size and the cause; the worker goes on.
func TestExtremeShapes(t *testing.T) {
	long, tall := flatPNG(t, 30_000_000, 1), flatPNG(t, 1, 30_000_000)
	nearest := imageNet(imgvec.Nearest)
	for _, c := range []struct {
		name   string
		preset imgvec.Preset
		file   []byte
		text   string
	}{
		{"wide, bilinear", squash(imgvec.Bilinear), long, "30000000 x 1 pixels: to resize"},
		{"wide on its side", squash(imgvec.Bilinear), withOrientation(long, 6), "30000000 x 1 pixels: to resize"},
		{"tall, bicubic", squash(imgvec.Bicubic), tall, "1 x 30000000 pixels: to resize"},
		{"tall, lanczos", squash(imgvec.Lanczos), tall, "1 x 30000000 pixels: to resize"},
		{"wide, centre", imageNet(imgvec.Bilinear), long, "30000000 x 1 pixels: resized before its crop it would have 7680000000 x 256"},
		{"tall, centre", nearest, withOrientation(tall, 8), "1 x 30000000 pixels: resized before its crop it would have 7680000000 x 256"},
	} {
		w := newWorker(t, c.preset, Options{})
		_, err := w.Into(context.Background(), make([]uint8, 224*224*3), c.file)
		if !errors.Is(err, imgvec.ErrTooLarge) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(w.p.axes.axes) != 0 {
			t.Errorf("%s: a refused picture left an axis", c.name)
		}
		into(t, w, flatPNG(t, 300, 200))
	}
}

// TestLongShapes: sides of a hundred thousand pixels and more are still squashed, their tables counted in the budget and
// not kept.
func TestLongShapes(t *testing.T) {
	for _, size := range [][2]int{{400_000, 3}, {3, 400_000}} {
		w := newWorker(t, squash(imgvec.Lanczos), Options{})
		need, err := w.p.resizeMemory(size[0], size[1], 1)
		if err != nil {
			t.Fatal(err)
		}
		var most int64
		reserve := w.limits.Reserve
		w.limits.Reserve = func(n int64) error {
			err := reserve(n)
			most = max(most, w.held)
			return err
		}
		into(t, w, flatPNG(t, size[0], size[1]))
		if pixels := int64(3 * size[0] * size[1]); most < need+pixels || need < 400_000*90 {
			t.Errorf("%v: %d bytes were reserved for pixels of %d and tables of %d", size, most, pixels, need)
		}
		for key, axis := range w.p.axes.axes {
			if axis.Bytes() > axisKeepBytes {
				t.Errorf("%v: an axis of %d bytes was kept: %+v", size, axis.Bytes(), key)
			}
		}
	}
}

// TestJPEGTables: libjpeg's share of the budget counts the tables: a byte less, and the picture waits.
func TestJPEGTables(t *testing.T) {
	requireJPEG(t, codecsAuto)
	w := newWorker(t, squash(imgvec.Lanczos), Options{})
	file := noisy(t, 4, 65_500, 8)
	tables, err := w.p.resizeMemory(65_500, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	others := DefaultDecodeMemory - tables - jpegMemory(file, codec.Header{Width: 65_500, Height: 8})
	if tables < 65_500*90 || !w.p.budget.TryAcquire(others+1) {
		t.Fatalf("%d bytes of tables, and the budget is not free", tables)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := w.Into(ctx, make([]uint8, 224*224*3), file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a byte too little: %v", err)
	}
	w.p.budget.Release(1)
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := w.Into(ctx, make([]uint8, 224*224*3), file); err != nil {
		t.Errorf("with enough: %v", err)
	}
}

// TestResizeMemory: what is promised before a resize covers the tables and the scratch that it then takes.
func TestResizeMemory(t *testing.T) {
	for _, filter := range []imgvec.Interpolation{imgvec.Box, imgvec.Bilinear, imgvec.Hamming, imgvec.Bicubic, imgvec.Lanczos, imgvec.Nearest} {
		for _, preset := range []imgvec.Preset{imageNet(filter), squash(filter)} {
			for _, size := range [][2]int{{500, 375}, {9000, 4}, {4, 9000}, {224, 300}, {100, 100}, {1, 70_000}} {
				for _, orientation := range []int{1, 3, 6} {
					p, err := New(preset, Options{})
					if err != nil {
						t.Fatal(err)
					}
					need, err := p.resizeMemory(size[0], size[1], orientation)
					if err != nil {
						t.Fatal(err)
					}
					plan, offset := p.plan(size[0], size[1], orientation)
					native, err := csrc.NewWorker()
					if err != nil {
						t.Fatal(err)
					}
					if err := native.Resample(plan, drawn(1, size[0], size[1]), make([]uint8, 224*224*3)[offset:]); err != nil {
						t.Fatal(err)
					}
					if took := plan.X.Bytes() + plan.Y.Bytes() + native.Bytes(); took > need+64 {
						t.Errorf("%s, %s, %v, orientation %d: takes %d bytes, %d were promised", filter, preset.CropMode, size, orientation, took, need)
					}
					native.Close()
				}
			}
		}
	}
}

const (
	childVariable = "IMGVEC_TEST_MEMORY_CHILD"
	memoryBar     = 512 << 20
	fileBar       = 10 * time.Second // of processor time: other work on the machine does not count
)

// TestMemoryBar decodes every awkward file and some drawn extremes in a process of its own, by both reference presets and
// a squash: no file takes ten seconds, and the process never holds 512 MiB.
func TestMemoryBar(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		memoryChild(t, []string{dir, testdata.Path(t, "awkward")})
		return
	}
	if _, err := os.ReadFile("/proc/self/status"); err != nil {
		t.Skip("this system does not tell a process' memory:", err)
	}
	testdata.Path(t, "awkward")
	dir := t.TempDir()
	for _, size := range [][2]int{{30_000_000, 1}, {1, 30_000_000}, {400_000, 3}, {3, 400_000}} {
		name := filepath.Join(dir, fmt.Sprintf("%dx%d.png", size[0], size[1]))
		if err := os.WriteFile(name, flatPNG(t, size[0], size[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestMemoryBar$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	} else if _, said, ok := strings.Cut(string(out), "MEMORY: "); ok {
		t.Log(strings.SplitN(said, "\n", 2)[0])
	} else {
		t.Errorf("the child measured nothing:\n%s", out)
	}
}

func memoryChild(t *testing.T, dirs []string) {
	presets := []imgvec.Preset{imageNet(imgvec.Bilinear), imageNet(imgvec.Bicubic), squash(imgvec.Bicubic)}
	files, slowest := 0, time.Duration(0)
	for _, preset := range presets {
		w := newWorker(t, preset, Options{})
		for _, dir := range dirs {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
				if err != nil {
					t.Fatal(err)
				}
				start := processorTime(t)
				_, err = w.Into(context.Background(), make([]uint8, 224*224*3), data)
				took := processorTime(t) - start
				slowest = max(slowest, took)
				if files++; took > fileBar {
					t.Errorf("%s: %v of processor time (%v)", entry.Name(), took, err)
				}
			}
		}
	}
	peak := peakMemory(t)
	if files < 300 {
		t.Errorf("only %d decodes", files)
	}
	if peak > memoryBar {
		t.Errorf("the process held %d MiB", peak>>20)
	}
	fmt.Printf("MEMORY: %d decodes, at most %d MiB, slowest %v of processor time\n", files, peak>>20, slowest)
}

// processorTime is what this process has used until now.
func processorTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakMemory is the most that was resident of this process at once, in bytes.
func peakMemory(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		t.Fatal("no VmHWM in /proc/self/status")
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
