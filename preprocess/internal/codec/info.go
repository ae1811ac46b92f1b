package codec

// Info is what decodes one format here, for doctor.
type Info struct {
	Format  string // "webp"
	Library string // "libwebp", or the Go package
	Version string
	Path    string // of the shared object; empty for Go code
	WhyNot  string // why the native library is not used: every path tried; empty where it is
}
