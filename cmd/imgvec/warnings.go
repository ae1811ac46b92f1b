package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// warnings is a log handler that shows what happens while it happens; what was known before stands in the summary. While
// the model is loaded it is what takes long, an engine that is built for a GPU, and that a GPU is there and is not used.
type warnings struct {
	slog.Handler
	to func() io.Writer

	mu    sync.Mutex
	lines []string // printed until they were taken
	over  bool
}

// Enabled takes warnings and worse.
func (w *warnings) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle prints one line.
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	text := strings.TrimPrefix(r.Message, "imgvec: ")
	w.mu.Lock()
	if !w.over {
		w.lines = append(w.lines, text)
	}
	w.mu.Unlock()
	_, err := fmt.Fprintln(w.to(), "imgvec: "+oneLine(plain(text)))
	return err
}

// taken returns what was printed so far, as it stands in the executor's reasons. Later lines are not kept.
func (w *warnings) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	return w.lines
}
