package preprocess

import (
	"strings"

	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// DecoderInfo is what decodes one format here, for doctor.
type DecoderInfo struct {
	Format  string `json:"format"`            // "jpeg"
	Library string `json:"library"`           // "libjpeg-turbo", or the Go package that does it
	Version string `json:"version,omitempty"` // of the library; empty for Go code
	Path    string `json:"path,omitempty"`    // of the shared object; empty for Go code
	WhyNot  string `json:"why_not,omitempty"` // why the native library is not used, with every path tried; empty where it is, or none is needed
	Fault   string `json:"fault,omitempty"`   // what ails the Pillow wheel's library where it was wanted and another or Go code stands in: "damaged"
}

// Decoders tells what decodes each format with the default options. It opens the libraries.
func Decoders() []DecoderInfo { return decodersOf(openJPEG(codecsAuto), codecsAuto) }

func decodersOf(jpeg jpegLibrary, codecs string) []DecoderInfo {
	infos := []DecoderInfo{jpeg.info()}
	for _, i := range codec.Infos(codecs) {
		infos = append(infos, DecoderInfo(i))
	}
	return infos
}

func (l jpegLibrary) info() DecoderInfo {
	if l.lib == nil {
		return DecoderInfo{Format: "jpeg", Library: "image/jpeg (Go)", WhyNot: l.err.Error(), Fault: l.fault}
	}
	return DecoderInfo{Format: "jpeg", Library: "libjpeg-turbo", Version: l.lib.Version(), Path: l.lib.Path(), Fault: l.fault}
}

// Decoder names the decoders in one line, for a summary and for a file's metadata:
// "libjpeg-turbo 3.2.0, libwebp 1.6.0, libtiff 4.7.2 (Pillow 13.0.0)". The Go code that stands in for a library that is
// missing is named in its place.
func (p *Preprocessor) Decoder() string {
	var names []string
	for _, d := range decodersOf(p.jpeg, p.opts.Codecs) {
		if d.Path == "" && d.WhyNot == "" {
			continue // Go code by choice, the same on every machine
		}
		name := d.Library
		if d.Version != "" {
			name += " " + d.Version
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if p.jpeg.pillow {
		text += " (" + pillowVersion + ")"
	}
	return text
}

// pillowVersion is the wheel that the codecs of HOME come from.
const pillowVersion = "Pillow 13.0.0"
