package onnx

import (
	"strings"
	"testing"
)

func TestParseSaysWhatTheFileIs(t *testing.T) {
	for text, want := range map[string]string{
		"": "it is empty", "<!DOCTYPE html><html></html>": "web page", "\x89PNG\r\n\x1a\n": "PNG", "\xff\xd8\xff\xe0\x00\x10JFIF": "JPEG",
		"version https://git-lfs": "it is text",
	} {
		_, err := Parse(strings.NewReader(text), int64(len(text)))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "not an ONNX file") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
