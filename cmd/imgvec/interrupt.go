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
	go func() {
		i.set((<-signals).(syscall.Signal))
		cancel()
		select {
		case s := <-signals:
			os.Exit(128 + int(s.(syscall.Signal)))
		case <-time.After(patience):
			i.giveUp(stderr)
			code, _ := i.code()
			os.Exit(code)
		}
	}()
	return i
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
