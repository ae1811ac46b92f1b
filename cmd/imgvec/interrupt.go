package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// patience is how long a command may take to end after a signal; then it is ended. The promise is two seconds.
const patience = 1500 * time.Millisecond

// grace is how long it may then take to find out how far it has come.
const grace = 300 * time.Millisecond

// interrupt is the person's wish to stop, which comes as a signal.
//
// The handlers stay installed to the end of the process. Code that uses AMX makes frames of 11 KiB on Go's signal
// stack; Go's default action for a signal raises it again on top of that, overflows the stack, and the process dies of
// SIGSEGV. So every end here is os.Exit.
type interrupt struct {
	ctx context.Context

	mu     sync.Mutex
	signal syscall.Signal // 0: none yet
	far    func() string  // how far the command has come
	drain  func()         // what SIGTERM starts in place of the end; nil: it ends the command like the others
	tidy   func()         // what an end that can't wait for the command still does
}

// catchSignals installs the handlers. A signal that the process was started to ignore, as nohup does with SIGHUP, stays
// ignored.
func catchSignals(stderr io.Writer) *interrupt {
	i := &interrupt{}
	ctx, cancel := context.WithCancel(context.Background())
	i.ctx = ctx
	signals := make(chan os.Signal, 4)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	// A reader that goes away and a file that may not grow are errors of the write that meets them.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ)
	go i.wait(signals, cancel, stderr)
	return i
}

// wait ends the command on the first signal (on the second, where the first only began a drain): gently, and where that
// takes too long or another signal comes, at once.
func (i *interrupt) wait(signals <-chan os.Signal, cancel func(), stderr io.Writer) {
	s := (<-signals).(syscall.Signal)
	if s == syscall.SIGTERM && i.startDrain() {
		s = (<-signals).(syscall.Signal)
	}
	i.set(s)
	cancel()
	select {
	case s := <-signals:
		i.exit(128 + int(s.(syscall.Signal)))
	case <-time.After(patience):
		i.giveUp(stderr)
		code, _ := i.code()
		i.exit(code)
	}
}

// onTerm sets what SIGTERM starts in place of ending the command, which then ends by itself in its own time.
func (i *interrupt) onTerm(drain func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.drain = drain
}

func (i *interrupt) startDrain() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.drain == nil {
		return false
	}
	go i.drain()
	return true
}

// atExit sets what every end does that can't wait for the command: take its socket out of the way.
func (i *interrupt) atExit(tidy func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tidy = tidy
}

// exit ends the process.
func (i *interrupt) exit(code int) {
	i.mu.Lock()
	tidy := i.tidy
	i.mu.Unlock()
	if tidy != nil {
		tidy()
	}
	os.Exit(code)
}

// giveUp says how far the command has come. To know that may take a disk that does not answer: then it is not said.
func (i *interrupt) giveUp(stderr io.Writer) {
	text := make(chan string, 1)
	go func() { text <- i.summary() }()
	select {
	case line := <-text:
		fmt.Fprintln(stderr, "\nimgvec:", line)
	case <-time.After(grace):
		fmt.Fprintln(stderr, "\nimgvec: interrupted while the disk did not answer")
	}
}

func (i *interrupt) set(s syscall.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.signal = s
}

// code is the exit status for the signal that came; false where none did.
func (i *interrupt) code() (int, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return 128 + int(i.signal), i.signal != 0
}

// report sets what says how far the command has come.
func (i *interrupt) report(far func() string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.far = far
}

// summary is the line for a person who has interrupted the command.
func (i *interrupt) summary() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.far == nil {
		return "interrupted"
	}
	return "interrupted " + i.far()
}
