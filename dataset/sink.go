package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// sink is where the bytes of an output go.
type sink interface {
	io.Writer
	flush() error            // hands on what is buffered, where somebody may be waiting for it
	finish() error           // gives the output its final name; synced
	abort() error            // removes the output; nothing after finish
	discard() (whole bool)   // as Writer's Discard
	explain(err error) error // err in words about this output; nil for nil
}

func createSink(output string, opts WriterOptions) (sink, error) {
	if output != "-" {
		return createFile(output, opts.Force)
	}
	if opts.Stdout != nil {
		return &stream{w: opts.Stdout}, nil
	}
	return &stream{w: os.Stdout}, nil
}

// onlyWriter hides a sink's other methods: Arrow's writers close what can be closed.
type onlyWriter struct{ io.Writer }

// stream is an output that others read while it is written.
type stream struct {
	w    io.Writer
	done bool
}

// Write ends the stream where it fails: nothing more is written, and the failure is told once.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.done = s.done || err != nil
	return n, err
}

func (s *stream) flush() error  { return nil }
func (s *stream) finish() error { s.done = true; return nil }

// abort ends the stream in the middle of a message. Arrow's readers take a stream that just stops for a whole one.
func (s *stream) abort() error {
	if !s.done {
		s.done = true
		_, err := s.w.Write([]byte{0xff, 0xff, 0xff, 0xff, 0x40, 0, 0, 0})
		return s.explain(err)
	}
	return nil
}

// discard has nothing to remove. It stays away from what the writing goroutine may hold.
func (s *stream) discard() bool { return false }

func (s *stream) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("imgvec: write standard output: its reader is gone: %w", bare(err))
	}
	return fmt.Errorf("imgvec: write standard output: %w", bare(err))
}
