package onnx

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// foreign names what a file is that is no ONNX file, as far as its first bytes tell; "" where they do not.
func foreign(r io.ReaderAt, size int64) string {
	if size == 0 {
		return "empty"
	}
	head := make([]byte, min(size, 512))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch {
	case kind == "text/html":
		return "a web page (HTML)"
	case strings.HasPrefix(kind, "text/"):
		return "text"
	case strings.HasPrefix(kind, "image/"):
		return "a picture (" + strings.ToUpper(strings.TrimPrefix(kind, "image/")) + ")"
	case kind == "application/zip":
		return "a ZIP archive"
	}
	return ""
}
