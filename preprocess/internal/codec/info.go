package codec

// Info is what decodes one format here, for doctor.
type Info struct {
	Format  string // "webp"
	Library string // "libwebp", or the Go package that does it
	Version string // of the library; empty for Go code
	Path    string // of the shared object; empty for Go code
	WhyNot  string // why the native library is not used, with every path tried; empty where it is, or none is needed
	Fault   string // what ails the Pillow wheel's library where it was wanted and another or Go code stands in: "damaged"
}

// The faults of a library of the Pillow wheel. One that needs a damaged library is Unusable, with that one's name.
const (
	Missing  = "not installed"
	Damaged  = "damaged"
	Unusable = "not usable"
)

// Infos tells what decodes each format but JPEG (see the package's doc), for the value codecs of Limits.Codecs. It
// opens the libraries.
func Infos(codecs string) []Info {
	return []Info{
		{Format: "png", Library: "imgvec (Go)"},
		libwebp.info("webp", codecs, "golang.org/x/image/vp8, vp8l"),
		libtiff.info("tiff", codecs, "imgvec (Go; no JPEG, LZMA or WebP compression, no YCbCr)"),
		{Format: "gif", Library: "imgvec (Go)"},
		{Format: "bmp", Library: "imgvec (Go)"},
	}
}
