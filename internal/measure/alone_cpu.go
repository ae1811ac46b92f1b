package measure

import (
	"context"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/cpu"
)

func openCPU(ctx context.Context, o Options, s settings) (*alone, error) {
	b, err := cpu.Open(ctx, o.Model.Path, o.Model.Spec, cpu.Options{Precision: s.precision, Streams: s.streams, LibraryDir: o.Executor.LibraryDir})
	if err != nil {
		return nil, err
	}
	info := b.Info()
	return &alone{
		backends: []imgvec.Backend{b}, batch: s.batch, pools: map[int]*pool{},
		about: map[string]string{"device": info.Device, "provider": info.Provider, "precision": string(info.Precision)},
		steps: func() map[string]time.Duration {
			normalize, session := b.Busy()
			return map[string]time.Duration{"normalize": normalize, "session": session}
		},
	}, nil
}
