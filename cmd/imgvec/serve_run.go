package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// serve is the command serve.
func (a *app) serve(cmd *cobra.Command, f *serveFlags) error {
	if err := f.check(cmd.Flags(), a.args); err != nil {
		return err
	}
	path, err := socketPath(f.listen)
	if err != nil {
		return err
	}
	var lock *os.File
	if f.lockFD >= 0 {
		if lock, err = inherit(f.lockFD); err != nil {
			return err
		}
	}
	s, err := a.newService(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	s.cancel = cancel
	return s.end(s.run(ctx, path, lock))
}

// run is the life of a server.
func (s *service) run(ctx context.Context, path string, lock *os.File) error {
	if err := vacant(path); err != nil {
		return err // before anything is loaded
	}
	err := s.open(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := s.serveMetrics(); err != nil {
		return err
	}
	socket, err := listen(path)
	if err != nil {
		return err
	}
	s.socket.Store(socket)
	s.stop.onTerm(func() { s.drain(ctx, "SIGTERM") })
	go s.watchIdle(ctx)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx, socket) }()
	s.ready(socket.path, lock)
	if err := <-served; err != nil {
		return err
	}
	return <-s.drained // nothing but a drain ends Serve without an error
}

// ready says that clients may come. That nobody reads it is no error: whoever started the server may be gone, and others
// wait for the lock.
func (s *service) ready(path string, lock *os.File) {
	line, err := json.Marshal(s.server.About())
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
	if _, err := fmt.Fprintf(s.out, "READY %s\n", line); err != nil {
		s.log.Warn("nobody reads READY", "error", err)
	}
	s.out.Close()
	if lock != nil {
		lock.Close()
	}
	s.log.Info("ready", "socket", path)
}

// watchIdle ends a server that nobody has used for a while.
func (s *service) watchIdle(ctx context.Context) {
	if s.flags.idleExit == 0 {
		return
	}
	ticker := time.NewTicker(min(time.Second, s.flags.idleExit/2+1))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s.server.Idle() >= s.flags.idleExit {
				s.drain(ctx, fmt.Sprintf("no client for %v", s.flags.idleExit))
				return
			}
		}
	}
}
