package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zlib"
)

// Pillow's limits on texts and profiles: one inflated chunk, and all of them.
const (
	maxPNGText   = 1 << 20
	maxPNGTexts  = 64 << 20
	rawProfile   = "Raw profile type exif"
	xmpTextField = "XML:com.adobe.xmp"
)

// pngText holds the metadata of a PNG file that tell its orientation.
type pngText struct {
	exif       []byte // of eXIf, or of a text named exif
	rawProfile []byte // as ImageMagick writes it, in hexadecimal
	xmp        []byte // as text
	xmpBytes   []byte // of the iTXt chunk, whatever its encoding
	total      int
}

func (t *pngText) orientation() int {
	exif, xmp := t.exif, t.xmp
	if exif == nil && t.rawProfile != nil {
		exif = decodeRawProfile(t.rawProfile)
	}
	if len(xmp) == 0 {
		xmp = t.xmpBytes
	}
	return orientation(exif, xmp)
}

// decodeRawProfile reads ImageMagick's form: empty line, name, length, then hexadecimal lines.
func decodeRawProfile(text []byte) []byte {
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) < 4 {
		return nil
	}
	raw, err := hex.DecodeString(strings.Join(strings.Fields(lines[3]), ""))
	if err != nil {
		return nil
	}
	return raw
}

// add takes one text.
func (t *pngText) add(key string, value []byte) error {
	switch key {
	case "":
		return nil
	case "exif":
		t.exif = value
	case rawProfile:
		t.rawProfile = value
	case xmpTextField:
		t.xmp = value
	}
	t.total += len(value)
	if t.total > maxPNGTexts {
		return fmt.Errorf("over %d bytes in text chunks", maxPNGTexts)
	}
	return nil
}

func (t *pngText) plain(s []byte) error {
	key, value, _ := bytes.Cut(s, []byte{0})
	return t.add(string(key), value)
}

func (t *pngText) compressed(s []byte) error {
	key, value, _ := bytes.Cut(s, []byte{0})
	if len(value) > 0 {
		if value[0] != 0 {
			return fmt.Errorf("unknown compression method %d in zTXt chunk", value[0])
		}
		value = value[1:]
	}
	text, err := inflateText(value)
	if err != nil {
		return err
	}
	return t.add(string(key), text)
}

func (t *pngText) international(s []byte) error {
	key, rest, ok := bytes.Cut(s, []byte{0})
	if !ok || len(rest) < 2 {
		return nil
	}
	packed, method, rest := rest[0], rest[1], rest[2:]
	parts := bytes.SplitN(rest, []byte{0}, 3)
	if len(parts) < 3 || packed != 0 && method != 0 {
		return nil
	}
	value := parts[2]
	if packed != 0 {
		text, err := inflateText(value)
		if err != nil || text == nil {
			return err
		}
		value = text
	}
	if string(key) == xmpTextField {
		t.xmpBytes = value
	}
	return t.add(string(key), value)
}

// profile drops a colour profile, after Pillow's checks.
func (t *pngText) profile(s []byte) error {
	i := bytes.IndexByte(s, 0) + 1
	if i >= len(s) {
		return errors.New("truncated iCCP chunk")
	}
	if s[i] != 0 {
		return fmt.Errorf("unknown compression method %d in iCCP chunk", s[i])
	}
	_, err := inflateText(s[i+1:])
	return err
}

// inflateText inflates at most maxPNGText bytes; nil where the data are damaged, an error where they are too many.
func inflateText(s []byte) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(s))
	if err != nil {
		return nil, nil // Pillow drops a damaged text
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxPNGText+1))
	if len(text) > maxPNGText {
		return nil, fmt.Errorf("decompressed data too large: a text or profile inflates to over %d bytes", maxPNGText)
	}
	if err != nil && !errors.Is(err, errUnexpectedEOF) {
		return nil, nil
	}
	return text, nil
}
