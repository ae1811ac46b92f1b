package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// stdio is the command stdio.
func (a *app) stdio(cmd *cobra.Command, f *serveFlags) error {
	if err := f.check(cmd.Flags(), a.args); err != nil {
		return err
	}
	s, err := a.newService(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	s.cancel = cancel
	return s.end(s.answer(ctx))
}

// answer is the life of a server of one connection.
func (s *service) answer(ctx context.Context) error {
	err := s.open(ctx)
	if err == nil {
		s.stop.onTerm(func() { s.drain(ctx, "SIGTERM") })
		err = s.server.ServeConn(ctx, &pipes{s.stdin, s.out})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// pipes are standard input and output as one connection.
type pipes struct {
	io.Reader
	out *os.File
}

// Write writes to standard output.
func (p *pipes) Write(b []byte) (int, error) { return p.out.Write(b) }

// Close closes both. A read of standard input that is under way goes on; the process ends without it.
func (p *pipes) Close() error {
	err := p.out.Close()
	if in, ok := p.Reader.(io.Closer); ok {
		err = errors.Join(err, in.Close())
	}
	return err
}
