package serve

import (
	"log/slog"
	"time"
)

// Defaults of Config. DefaultQueueDelay is for the options of the executor: see the package's documentation.
const (
	DefaultStall          = 2 * time.Minute
	DefaultIO             = time.Minute
	DefaultHello          = 10 * time.Second
	DefaultIdleConnection = time.Hour
	DefaultWindowBatches  = 256
	DefaultWindowBytes    = 1 << 30
	DefaultQueueDelay     = 2 * time.Millisecond
)

// Config is what a server is made of. Zero durations and a zero window take their defaults.
type Config struct {
	About   About             // what the server says of itself
	Options map[string]string // its flags without dashes -> their values; a client's must be equal
	Window  Window            // the most that a client may ask for

	Stall          time.Duration // see ErrStalled
	IO             time.Duration // for the next bytes of a message that has begun, and for lines
	Hello          time.Duration // for a client's first line
	IdleConnection time.Duration // between a client's messages, and for a client that does not take its answers
	Logger         *slog.Logger
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value  *time.Duration
		normal time.Duration
	}{{&c.Stall, DefaultStall}, {&c.IO, DefaultIO}, {&c.Hello, DefaultHello}, {&c.IdleConnection, DefaultIdleConnection}} {
		if *d.value <= 0 {
			*d.value = d.normal
		}
	}
	if c.Window.Batches <= 0 {
		c.Window.Batches = DefaultWindowBatches
	}
	if c.Window.Bytes <= 0 {
		c.Window.Bytes = DefaultWindowBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.About = c.about()
	return c
}

// about fills in what serve itself knows.
func (c Config) about() About {
	a := c.About
	a.Options, a.MaxWindow = c.Options, c.Window
	if a.Options == nil {
		a.Options = map[string]string{}
	}
	if a.Devices == nil {
		a.Devices = []string{}
	}
	pid, start := process()
	if a.PID == 0 {
		a.PID = pid
	}
	if a.StartTime == 0 {
		a.StartTime = start
	}
	return a
}
