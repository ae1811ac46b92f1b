package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/serve"
)

// service is one run of serve or stdio.
type service struct {
	*app
	flags  *serveFlags
	out    *os.File // standard output; the process's own has become standard error
	words  *lastWords
	log    *slog.Logger
	socket atomic.Pointer[socket] // nil before READY, and in stdio; a signal may come at any time
	ex     *executor.Executor
	server *serve.Server

	cancel  context.CancelCauseFunc
	ending  sync.Once
	drained chan error // gets the outcome of a drain
}

// errOwnerGone is why a server ends whose owner is dead.
var errOwnerGone = errors.New("the owner is gone")

func (a *app) newService(f *serveFlags) (*service, error) {
	s := &service{app: a, flags: f, drained: make(chan error, 1)}
	var err error
	if s.words, err = openLastWords(f.lastWords); err != nil {
		return nil, err
	}
	if s.out, err = ownStdout(); err != nil {
		return nil, err
	}
	// The file comes first: a reader of standard error that is gone must not keep the words from it.
	s.log = slog.New(slog.NewTextHandler(io.MultiWriter(s.words, a.stderr), nil))
	a.stop.atExit(s.tidy)
	return s, nil
}

// open makes the server ready to answer. ctx ends with the owner.
func (s *service) open(ctx context.Context) error {
	s.flags.useCores()
	s.watchOwner(ctx)
	if s.flags.fetch {
		s.fetch(ctx)
	}
	start := time.Now()
	m, err := model.Open(s.flags.model, model.OpenOptions{Output: s.flags.modelOutput})
	if err != nil {
		return err
	}
	options := s.flags.options()
	options.Logger, options.MaxQueueDelay = s.log, serve.DefaultQueueDelay
	if options.DeviceTimeout == 0 {
		options.DeviceTimeout = s.flags.stall / 2 // a GPU that hangs is lost before the whole server is
	}
	if s.ex, err = executor.OpenModel(ctx, m, options); err != nil {
		return err
	}
	cfg := s.flags.config()
	cfg.About, cfg.Logger = about(s.ex.Spec().Dim, s.ex.Stats()), s.log
	s.server = serve.New(s.ex, cfg)
	stats := s.ex.Stats()
	s.log.Info("model loaded", "model", stats.Model, "device", stats.Device, "provider", stats.Provider, "precision", stats.Precision,
		"workers", stats.Workers, "streams", stats.Streams, "seconds", time.Since(start).Seconds())
	return nil
}

func about(dim int, stats executor.Stats) serve.About {
	return serve.About{
		Version: version, Model: stats.Model, SHA256: stats.SHA256, Dim: dim, Device: stats.Device, Devices: stats.Devices,
		Provider: stats.Provider, Precision: stats.Precision, Decoder: stats.Decoder, PID: os.Getpid(),
		StartTime: startTime(os.Getpid()), CUDAVisibleDevices: visibleDevices(), Loads: len(stats.Devices),
	}
}

// watchOwner ends the service with its owner, whatever it is doing: loading a model may take minutes.
func (s *service) watchOwner(ctx context.Context) {
	if s.flags.owner.pid == 0 {
		return
	}
	s.flags.owner.pin()
	go func() {
		why := s.flags.owner.watch(ctx)
		if why == "" {
			return
		}
		s.log.Info("the owner is gone: ending", "why", why)
		s.cancel(errOwnerGone)
		time.Sleep(patience)
		s.tidy()
		os.Exit(exitOK)
	}()
}

// drain ends the service in good order: what was read is answered.
func (s *service) drain(ctx context.Context, why string) {
	s.ending.Do(func() {
		s.log.Info(why + ": answering what was read, then ending")
		s.socket.Load().remove()
		ctx, cancel := context.WithTimeout(ctx, s.flags.drain)
		defer cancel()
		err := s.server.Drain(ctx)
		if err != nil {
			err = fmt.Errorf("%s: not everything was answered within --drain %v: %w", why, s.flags.drain, err)
		}
		s.drained <- err
	})
}

// serveMetrics answers HTTP requests for the counters.
func (s *service) serveMetrics() error {
	if s.flags.metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", s.flags.metrics)
	if err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.server.Metrics())
	s.log.Info("metrics", "url", "http://"+l.Addr().String()+"/metrics")
	go func() {
		web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		s.log.Warn("metrics end", "error", web.Serve(l))
	}()
	return nil
}

// end closes what is open, in a bounded time: the process ends with it. It returns how the service ended. A stuck server
// can't be closed, and one whose only client is gone owes nobody a wait for an image that may be stuck.
func (s *service) end(err error) error {
	s.socket.Load().remove()
	if !errors.Is(err, serve.ErrStalled) && !errors.Is(err, serve.ErrClientGone) {
		done := make(chan struct{})
		go func() { s.close(); close(done) }()
		select {
		case <-done:
		case <-time.After(patience):
		}
	}
	_, signalled := s.stop.code()
	if errors.Is(err, errOwnerGone) {
		err = nil
	}
	if err == nil || signalled {
		s.tidy()
	} else {
		fmt.Fprintln(s.words, "imgvec:", plain(err.Error()))
	}
	return err
}

func (s *service) close() {
	if s.server != nil {
		if err := s.server.Close(); err != nil {
			s.log.Warn("closing the server", "error", err)
		}
	}
	if s.ex != nil {
		if err := s.ex.Close(); err != nil {
			s.log.Warn("closing the model", "error", err)
		}
	}
}

// tidy removes the files of a server that ends cleanly.
func (s *service) tidy() {
	s.socket.Load().remove()
	s.words.remove()
}
