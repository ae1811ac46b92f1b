package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Sniff names the format that the first bytes announce: "jpeg", "png", "webp", "gif", "bmp" or "tiff", else "". The
// rules are Pillow's, so that a file that Pillow does not recognise is not recognised here.
func Sniff(data []byte) (format string) {
	switch {
	case hasPrefix(data, "\xff\xd8\xff"):
		return "jpeg"
	case hasPrefix(data, pngMagic):
		return "png"
	case isWebP(data):
		return "webp"
	case hasPrefix(data, "GIF87a"), hasPrefix(data, "GIF89a"):
		return "gif"
	case hasPrefix(data, "BM"):
		return "bmp"
	}
	for _, magic := range tiffMagics {
		if hasPrefix(data, magic) {
			return "tiff"
		}
	}
	return ""
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// The second pair is wrong by the specification, and accepted by Pillow and libtiff; the third is BigTIFF.
var tiffMagics = []string{"MM\x00\x2a", "II\x2a\x00", "MM\x2a\x00", "II\x00\x2a", "MM\x00\x2b", "II\x2b\x00"}

func isWebP(data []byte) bool {
	if len(data) < 16 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return false
	}
	switch string(data[12:16]) {
	case "VP8 ", "VP8L", "VP8X":
		return true
	}
	return false
}

func hasPrefix(data []byte, prefix string) bool {
	return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix
}

// unsupported is the error for bytes of no format that has a reader here; it says what they seem to be.
func unsupported(data []byte, format string) error {
	if format != "" {
		return fmt.Errorf("%w: no reader for %s", ErrFormat, format)
	}
	if len(data) == 0 {
		return fmt.Errorf("%w: the file is empty", ErrFormat)
	}
	if k := kind(data); k != "" {
		return fmt.Errorf("%w: this looks like %s (JPEG, PNG, WebP, GIF, BMP and TIFF are read)", ErrFormat, k)
	}
	n := min(len(data), 8)
	return fmt.Errorf("%w: unknown first bytes % x (JPEG, PNG, WebP, GIF, BMP and TIFF are read)", ErrFormat, data[:n])
}

// A magic is what a kind of file begins with, from offset at on.
type magic struct {
	at   int
	text string
	kind string
}

var magics = []magic{
	{4, "ftypheic", "HEIC"}, {4, "ftypheix", "HEIC"}, {4, "ftyphevc", "HEIC"}, {4, "ftypmif1", "HEIF"},
	{4, "ftypmsf1", "HEIF"}, {4, "ftypavif", "AVIF"}, {4, "ftypavis", "AVIF"}, {4, "ftyp", "an MP4 or QuickTime video"},
	{0, "\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"}, {0, "\xff\x4f\xff\x51", "JPEG 2000"},
	{0, "\xff\x0a", "JPEG XL"}, {0, "\x00\x00\x00\x0cJXL ", "JPEG XL"},
	{0, "8BPS", "Photoshop (PSD)"}, {0, "%PDF-", "PDF"},
	{0, "%!PS", "PostScript"}, {0, "gimp xcf", "GIMP (XCF)"}, {0, "qoif", "QOI"}, {0, "DDS ", "DDS"},
	{0, "\x01\xda", "SGI"}, {0, "v/1\x01", "OpenEXR"}, {0, "#?RADIANCE", "Radiance HDR"}, {0, "SIMPLE  =", "FITS"},
	{0, "\xd7\xcd\xc6\x9a", "Windows metafile (WMF)"}, {0, "PK\x03\x04", "a ZIP archive"}, {0, "\x1f\x8b", "gzip"},
	{0, "Rar!", "a RAR archive"}, {257, "ustar", "a tar archive"}, {0, "PAR1", "Parquet"}, {0, "ARROW1", "an Arrow file"},
	{0, "RIFF", "RIFF of another kind than WebP"}, {0, "\x1aE\xdf\xa3", "Matroska or WebM video"}, {0, "ID3", "MP3"},
	{0, "OggS", "Ogg"}, {0, "\x7fELF", "an ELF program"}, {0, "version https://git-lfs", "a Git LFS pointer, not the file itself"},
}

// kind names well-known files that are not read here.
func kind(data []byte) string {
	for _, m := range magics {
		if len(data) >= m.at && hasPrefix(data[m.at:], m.text) {
			return m.kind
		}
	}
	return textKind(data)
}

// textKind tells markup, portable any-maps, PCX and TGA, whose marks are weak, apart.
func textKind(data []byte) string {
	head := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 1024)], "\xef\xbb\xbf \t\r\n"))
	switch {
	case bytes.HasPrefix(head, []byte("<svg")), bytes.HasPrefix(head, []byte("<?xml")) && bytes.Contains(head, []byte("<svg")):
		return "SVG"
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")), bytes.Contains(head, []byte("<body")):
		return "an HTML page"
	case bytes.HasPrefix(head, []byte("<?xml")):
		return "XML"
	case bytes.HasPrefix(bytes.TrimLeft(data, "\r\n \t"), []byte("\xff\xd8\xff")):
		return "JPEG with white space in front"
	case bytes.HasPrefix(head, []byte("{\"")), bytes.HasPrefix(head, []byte("[{")):
		return "JSON"
	case len(data) > 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7' && (data[2] == '\n' || data[2] == ' ' || data[2] == '\r'):
		return "a portable any-map (PBM, PGM, PPM, PAM)"
	case len(data) > 128 && data[0] == 10 && data[1] <= 5 && data[2] == 1:
		return "PCX"
	case isIcon(data):
		return "a Windows icon or cursor (ICO, CUR)"
	case isTGA(data):
		return "TGA"
	case len(data) >= 40 && binary.LittleEndian.Uint32(data) == 40 && data[12] == 1 && data[13] == 0:
		return "a bitmap without its file header (DIB)"
	}
	return ""
}

// isIcon also looks at the number of pictures, because TGA files may begin with the same bytes.
func isIcon(data []byte) bool {
	return len(data) >= 6 && data[0]|data[1]|data[3] == 0 && (data[2] == 1 || data[2] == 2) && data[4] > 0 && data[5] == 0
}

func isTGA(data []byte) bool {
	if len(data) < 18 || data[1] > 1 {
		return false
	}
	switch data[2] {
	case 1, 2, 3, 9, 10, 11:
	default:
		return false
	}
	switch data[16] {
	case 8, 16, 24, 32:
		return data[12]|data[13] != 0 && data[14]|data[15] != 0
	}
	return false
}
