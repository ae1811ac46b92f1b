package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/imgvec/imgvec"
)

// Executor runs one model on all devices that it was opened with. It is safe for concurrent use; several can live in
// one process.
type Executor struct {
	spec          imgvec.Spec
	batch         int // images a batch holds
	nworkers      int
	deterministic bool
	normalize     bool          // on the host
	patience      time.Duration // of Close with a device that may be gone
	delay         time.Duration // how long a claim waits for more images
	log           *slog.Logger

	devices *devices
	ring    *ring
	workers chan *worker // the free ones
	totals  totals
	about   Stats // what does not change

	// life ends when the executor is closed or its last device is lost; its cause is the error of all calls then.
	life context.Context
	kill context.CancelCauseFunc

	mu        sync.Mutex
	quiet     *sync.Cond    // signalled when running gets 0
	running   int           // goroutines that use workers, batches or devices
	since     time.Time     // since when running is over 0
	wall      time.Duration // how long it was, before
	notes     []string
	abandoned []abandoned
	closing   bool

	closed   chan struct{} // when Close is through
	closeErr error
}

// config is what an executor is made of, after devices and models have been opened.
type config struct {
	spec          imgvec.Spec
	batch         int
	workers       int
	deterministic bool
	normalize     bool
	delay         time.Duration
	maxRead       int64
	log           *slog.Logger
	instances     []*instance
	decoder       func() decoder
	about         Stats
	notes         []string
	told          []string // notes that have been logged already
}

// assemble makes an executor of its parts. It owns the instances from here on, also where it fails.
func assemble(c config) (*Executor, error) {
	e := &Executor{
		spec: c.spec, batch: c.batch, nworkers: c.workers, deterministic: c.deterministic, normalize: c.normalize,
		patience: closePatience, delay: c.delay, log: c.log, devices: newDevices(c.instances),
		workers: make(chan *worker, c.workers), about: c.about, closed: make(chan struct{}),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.notes = append(c.told, c.notes...)
	for _, n := range c.notes {
		e.log.Info("imgvec: " + n)
	}
	for _, in := range c.instances {
		e.about.Devices = append(e.about.Devices, in.name)
	}
	e.quiet = sync.NewCond(&e.mu)
	e.life, e.kill = context.WithCancelCause(context.Background())
	var err error
	if e.ring, err = newRing(c.spec, c.batch, c.workers); err != nil {
		_, closeErr := e.closeInstances()
		return nil, errors.Join(err, closeErr)
	}
	for b := range e.ring.all {
		e.register(b)
	}
	for range c.workers {
		e.workers <- &worker{dec: c.decoder(), maxRead: c.maxRead}
	}
	return e, nil
}

// Spec says what the model expects and what it returns.
func (e *Executor) Spec() imgvec.Spec { return e.spec }

// note keeps a line for Stats and logs it: something happened that a person should know of.
func (e *Executor) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	e.log.Warn("imgvec: " + line)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.notes) < maxNotes {
		e.notes = append(e.notes, line)
	}
}

// maxNotes bounds the lines that Stats keeps; the log gets all.
const maxNotes = 64

// call is one Extract or Stream under way.
type call struct {
	parent context.Context // the caller's
	life   context.Context // the executor's
	ctx    context.Context // ends with the caller's, with the executor's life, and at the first fatal error
	cancel context.CancelCauseFunc
	detach func() bool
}

// begin opens a call that n goroutines will work for; each of them ends with leave.
func (e *Executor) begin(ctx context.Context, n int) (*call, error) {
	if ctx.Err() != nil {
		return nil, cause(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := context.Cause(e.life); err != nil {
		return nil, err
	}
	if e.running == 0 {
		e.since = time.Now()
	}
	e.running += n
	c := &call{parent: ctx, life: e.life}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.detach = context.AfterFunc(e.life, func() { c.cancel(context.Cause(e.life)) })
	return c, nil
}

// err is why the call cannot go on, nil where it can.
func (c *call) err() error {
	if c.parent.Err() != nil {
		return cause(c.parent)
	}
	return context.Cause(c.ctx)
}

// givenUp tells whether the caller does not want the rest: its ctx is done, or it closed the executor.
func (c *call) givenUp() bool {
	return c.ctx.Err() != nil && (c.parent.Err() != nil || errors.Is(context.Cause(c.life), imgvec.ErrClosed))
}

// cause is the error of a context that is done: its own, and the one it was cancelled with where that is another.
func cause(ctx context.Context) error {
	err, why := ctx.Err(), context.Cause(ctx)
	if errors.Is(why, err) {
		return why
	}
	return fmt.Errorf("%w: %w", err, why)
}

// end frees what the call's contexts hold.
func (c *call) end() {
	c.detach()
	c.cancel(errEnded)
}

// errEnded is the cause of a call's context after it has ended well.
var errEnded = errors.New("imgvec: call ended")

// leave says that one of a call's goroutines is done with workers, batches and devices.
func (e *Executor) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running--; e.running == 0 {
		e.wall += time.Since(e.since)
		e.quiet.Broadcast()
	}
}

// process turns the items, which start at position first of their input, into results.
func (e *Executor) process(ctx context.Context, items []imgvec.Item, first int, out []imgvec.Result) error {
	start := time.Now()
	w, err := e.takeWorker(ctx)
	if err != nil {
		return err
	}
	defer e.giveWorker(w)
	buf, err := e.ring.take(ctx)
	if err != nil {
		return err
	}
	w.busy.add(stageQueue, time.Since(start), len(items))
	err = w.fill(ctx, buf.Batch, items, first, out)
	if err == nil && len(w.rows) > 0 {
		buf, err = e.run(ctx, buf, len(w.rows), &w.busy)
	}
	if err == nil {
		e.handOut(w, buf, out)
	}
	if buf != nil {
		e.ring.give(buf)
	}
	return err
}

// handOut gives each row's features memory of its own. One allocation for the whole batch would save a microsecond an
// image, but a caller who keeps one row of many would keep all of them alive.
func (e *Executor) handOut(w *worker, buf *buffer, out []imgvec.Result) {
	for k, i := range w.rows {
		row := make([]float32, e.spec.Dim)
		copy(row, buf.Feature(k))
		if e.normalize {
			normalize(row)
		}
		out[i].Features = row
	}
	e.totals.done.Add(int64(len(out)))
	e.totals.failed.Add(int64(len(out) - len(w.rows)))
	if len(w.rows) > 0 {
		e.totals.batches.Add(1)
	}
}

func (e *Executor) takeWorker(ctx context.Context) (*worker, error) {
	select {
	case w := <-e.workers:
		return w, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (e *Executor) giveWorker(w *worker) {
	e.totals.flush(&w.busy)
	e.workers <- w
}
