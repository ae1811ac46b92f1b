package main

import (
	"context"
	"strings"

	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

// fetch gets what the model needs where it is missing, as setup and model pull do. Several servers of a machine may do
// it at once: the home folder is locked. What can't be had is only logged: the libraries may lie elsewhere, and if they
// don't, opening the model says what is missing.
func (s *service) fetch(ctx context.Context) {
	tell := func(line string) { s.log.Info(line) }
	// A GPU that was asked for by name needs its libraries, 1.2 GB; for auto, or with no GPU there, that is too much to
	// fetch unasked.
	gpu := strings.HasPrefix(s.flags.device, "cuda") && measure.RealGPU()
	if !fetch.Whole(home.Dir(), gpu) {
		if err := fetch.Setup(ctx, fetch.Options{GPU: gpu, Log: tell}); err != nil {
			s.log.Warn("the native libraries can't be fetched: " + oneLine(plain(err.Error())))
		}
	}
	if _, known := model.Find(s.flags.model); !known {
		return
	}
	if err := s.fetchModel(ctx, tell); err != nil {
		s.log.Warn("the model can't be fetched: " + oneLine(plain(err.Error())))
	}
}

// fetchModel installs a model of the registry that is not there, and measures its precisions, by which auto goes, where
// that has not been done.
func (s *service) fetchModel(ctx context.Context, tell func(string)) error {
	if m, err := model.Open(s.flags.model, model.OpenOptions{}); err == nil && measure.Verified(m) {
		return nil
	}
	unlock, err := fetch.Lock(ctx, home.Dir(), tell)
	if err != nil {
		return err
	}
	defer unlock()
	return s.install(ctx, s.flags.model, tell)
}
