package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

// lastWords is the file that tells, when the process is dead, what it died of: the log, and Go's report of a crash. It
// is for those who can't read standard error, as a worker of Spark can't read its executor's.
type lastWords struct {
	file *os.File
	path string
}

// openLastWords makes the file anew; nil where path is empty.
func openLastWords(path string) (*lastWords, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // none was asked for
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--last-words: %w", err)
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		f.Close()
		return nil, fmt.Errorf("--last-words: %w", err)
	}
	return &lastWords{f, path}, nil
}

// Write adds to the file. A full disk must not silence standard error: it is no error here.
func (w *lastWords) Write(p []byte) (int, error) {
	if w != nil {
		_, _ = w.file.Write(p)
	}
	return len(p), nil
}

// remove is for a clean end, which needs no words.
func (w *lastWords) remove() {
	if w != nil {
		os.Remove(w.path)
	}
}
