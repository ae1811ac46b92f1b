package codec

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

// jpegInTIFF wraps a JPEG file as the one strip of a TIFF file, which libtiff hands to libjpeg: a way to libjpeg's
// pixels that shares nothing with the Go decoder.
func jpegInTIFF(data []byte, m jpegMeta) []byte {
	photometric := map[int]int{1: 1, 3: tiffYCbCr}[m.components]
	out := binary.LittleEndian.AppendUint32([]byte("II*\x00"), uint32(8+len(data)+len(data)%2))
	out = append(out, data...)
	out = append(out, make([]byte, len(data)%2)...)
	ifd := len(out)
	entries := [][3]int{
		{tagWidth, 4, m.width}, {tagHeight, 4, m.height}, {tagBits, 3, 8}, {tagCompression, 3, tiffJPEG},
		{tagPhotometric, 3, photometric}, {tagStripOffsets, 4, 8}, {tagSamples, 3, m.components},
		{tagRowsPerStrip, 4, m.height}, {tagStripCounts, 4, len(data)}, {tagPlanar, 3, 1},
	}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
	bitsAt := ifd + 2 + 12*len(entries) + 4
	for _, e := range entries {
		count, value := 1, e[2]
		if e[0] == tagBits && m.components == 3 {
			count, value = 3, bitsAt
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(e[0]))
		out = binary.LittleEndian.AppendUint16(out, uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(out, uint32(count))
		out = binary.LittleEndian.AppendUint32(out, uint32(value))
	}
	return append(out, 0, 0, 0, 0, 8, 0, 8, 0, 8, 0)
}

// TestJPEGGoNearLibjpeg holds the Go decoder to three levels of libjpeg's, and to its refusals.
func TestJPEGGoNearLibjpeg(t *testing.T) {
	dir := testdata.Dir(t)
	requireNative(t, libtiff)
	for name, ref := range references(t, filepath.Join(dir, "refs", "pillow.json")) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if Sniff(data) != "jpeg" {
			continue
		}
		t.Run(name, func(t *testing.T) { compareJPEG(t, name, data, ref) })
	}
}

func compareJPEG(t *testing.T, name string, data []byte, ref reference) {
	got, err := DecodeJPEGGo(data, Limits{}, nil)
	if ref.Error != "" {
		if err == nil {
			t.Errorf("accepted; Pillow says %s", ref.Error)
		}
		return
	}
	if strings.Contains(name, "arithmetic") {
		if err == nil {
			t.Error("arithmetic coding is decoded: say so in DecodeJPEGGo's text")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if h, err := ReadHeader(data); err != nil || h.Orientation != max(ref.Orientation, 1) {
		t.Errorf("orientation %d (%v), Pillow has %d", h.Orientation, err, ref.Orientation)
	}
	m, err := readJPEGMeta(data)
	if err != nil {
		t.Fatal(err)
	}
	if m.components == 4 {
		return // see TestGolden
	}
	want, _, err := loadRGB(jpegInTIFF(data, m), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if rgbSum(want) != ref.RGB {
		t.Fatal("libjpeg by way of libtiff differs from Pillow: the test is broken")
	}
	if d := maxDifference(t, got, want); d > 3 {
		t.Errorf("up to %d levels from libjpeg", d)
	}
}

// maxDifference is the largest difference of two pictures' samples.
func maxDifference(t testing.TB, a, b Image) int {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height {
		t.Fatalf("sizes %dx%d and %dx%d", a.Width, a.Height, b.Width, b.Height)
	}
	most := 0
	for y := range a.Height {
		ra, rb := a.row(y), b.row(y)
		for i := range ra {
			d := int(ra[i]) - int(rb[i])
			most = max(most, d, -d)
		}
	}
	return most
}
