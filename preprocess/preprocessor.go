package preprocess

import (
	"fmt"

	"golang.org/x/sync/semaphore"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

// Preprocessor knows how one model wants its pictures. It is safe for concurrent use; the work is done by its Workers.
type Preprocessor struct {
	preset imgvec.Preset
	opts   Options
	level  csrc.Level
	jpeg   jpegLibrary
	axes   axisCache
	budget *semaphore.Weighted // bytes of decodes in flight
}

// New makes a Preprocessor. It fails where the preset can't be applied, an option is unknown, Options.Codecs names
// libraries that are not there ("auto" and "go" need none), or IMGVEC_SIMD asks for instructions that this CPU lacks.
func New(preset imgvec.Preset, opts Options) (*Preprocessor, error) {
	if err := preset.Check(); err != nil {
		return nil, fmt.Errorf("imgvec: new preprocessor: %w", err)
	}
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	level, err := csrc.Choose()
	if err != nil {
		return nil, err
	}
	library := openJPEG(opts.Codecs)
	if library.lib == nil && (opts.Codecs == codecsPillow || opts.Codecs == codecsSystem) {
		return nil, fmt.Errorf("imgvec: new preprocessor: codecs %q: %w: %w", opts.Codecs, imgvec.ErrNoRuntime, library.err)
	}
	return &Preprocessor{preset: preset, opts: opts, level: level, jpeg: library,
		budget: semaphore.NewWeighted(opts.DecodeMemory)}, nil
}
