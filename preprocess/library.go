package preprocess

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/imgvec/imgvec/csrc"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/preprocess/internal/codec"
)

// jpegLibrary is a libjpeg-turbo, or why there is none.
type jpegLibrary struct {
	lib    *csrc.JPEG
	pillow bool   // it is the Pillow wheel's
	fault  string // DecoderInfo.Fault
	err    error
}

// openJPEG gives the libjpeg-turbo that codecs allows, best first. A library is opened once in a process.
func openJPEG(codecs string) jpegLibrary {
	var places []func() jpegLibrary
	switch codecs {
	case codecsAuto:
		places = []func() jpegLibrary{pillowJPEG, systemJPEG}
	case codecsPillow:
		places = []func() jpegLibrary{pillowJPEG}
	case codecsSystem:
		places = []func() jpegLibrary{systemJPEG}
	}
	var why []string
	fault := ""
	for _, open := range places {
		found := open()
		if fault == "" {
			fault = found.fault
		}
		if found.lib != nil {
			found.fault = fault
			return found
		}
		why = append(why, found.err.Error())
	}
	if len(why) == 0 {
		why = append(why, fmt.Sprintf("codecs are set to %q", codecs))
	}
	return jpegLibrary{fault: fault, err: errors.New("libjpeg-turbo is not used: " + strings.Join(why, "; "))}
}

var pillowJPEG = sync.OnceValue(func() jpegLibrary {
	found, err := home.Search{Kind: "codecs", Files: []string{"libjpeg-*.so.62*"}, Want: "libjpeg-turbo of the Pillow wheel"}.Find()
	if err != nil {
		return jpegLibrary{fault: codec.Missing, err: err}
	}
	if err := home.Check(found.Path); err != nil {
		return jpegLibrary{fault: codec.Damaged, err: err}
	}
	lib, err := csrc.OpenJPEG(found.Path)
	if err != nil {
		return jpegLibrary{fault: codec.Unusable, err: fmt.Errorf("%s: %w", found.Path, err)}
	}
	return jpegLibrary{lib: lib, pillow: true}
})

var systemJPEG = sync.OnceValue(func() jpegLibrary {
	const name = "libjpeg.so.62"
	if !home.SystemLibraries() {
		return jpegLibrary{err: home.ErrSystemHidden}
	}
	lib, err := csrc.OpenJPEG(name)
	if err != nil {
		return jpegLibrary{err: fmt.Errorf("the system has none (%s): %w", name, err)}
	}
	return jpegLibrary{lib: lib}
})
