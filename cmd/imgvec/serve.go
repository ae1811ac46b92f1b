package main

import (
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/imgvec/imgvec/serve"
)

// serveFlags are the flags of serve and stdio.
type serveFlags struct {
	engineFlags
	engine []string          // the names of the engine's flags
	values map[string]string // theirs, as clients must ask for them

	listen, metrics, lastWords string
	cores                      int
	owner                      owner
	lockFD                     int
	fetch                      bool
	maxBatches                 int
	maxWindow                  size
	idleExit, stall, drain     time.Duration
	idleConnection, io         time.Duration
}

// newServeFlags holds the defaults of flags that have any.
func newServeFlags() *serveFlags {
	return &serveFlags{
		lockFD: -1, maxBatches: 256, maxWindow: 1 << 30, idleExit: 2 * time.Minute, stall: 2 * time.Minute,
		drain: 30 * time.Second, idleConnection: time.Hour, io: time.Minute,
	}
}

const serveExits = `

Exit status: 0 ended by itself (nobody came for --idle-exit, the owner is gone) or by SIGTERM with everything answered,
1 can't serve or did not drain in time, 2 wrong usage, 69 no device is left, 70 an image hung (--stall-timeout),
130 and 129 by SIGINT and SIGHUP.`

func (a *app) serveCommand() *cobra.Command {
	f := newServeFlags()
	cmd := &cobra.Command{
		Use:   "serve --listen unix:PATH",
		Short: "Answer other programs over a Unix socket",
		Long: `Answer other programs over a Unix socket: images come in as Arrow record batches, feature vectors go back the same
way. The model is loaded once; the rows of all connections run through it together. The Python package imgvec starts
such servers by itself, one an executor of Spark, and joins those that live.

The socket appears under its name, for its owner alone, when the model is loaded; then one line follows on standard
output, READY and what the server is as JSON. Nothing else is ever written there; logs go to standard error. A socket
whose server is dead is replaced. SIGTERM takes no more work and answers what was read; SIGINT and SIGHUP end at once.
The socket is removed at every end but a crash.` + serveExits,
		Example: `  imgvec serve --listen unix:/tmp/imgvec-1000/features.sock --model resnet50 --idle-exit 0
  imgvec serve --listen unix:features.sock --device cuda:0 --metrics localhost:9500
  imgvec serve --listen unix:features.sock --owner-pid $$ --last-words features.log`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.listen, "listen", "", "`unix:PATH` of the socket, at most 107 bytes")
	f.add(flags)
	f.addServing(flags)
	flags.Var(period{&f.idleExit}, "idle-exit", "end when no client was connected for this `time`; 0: never")
	flags.Var(period{&f.drain}, "drain", "`time` that SIGTERM gives what was read to be answered")
	flags.Var(whole{&f.lockFD, 0, 1 << 20}, "lock-fd", "an inherited file `descriptor` that is kept open until READY, with the lock on it")
	flags.StringVar(&f.metrics, "metrics", "", "`HOST:PORT` to answer HTTP requests for /metrics on, in Prometheus' form (default off)")
	return cmd
}

func (a *app) stdioCommand() *cobra.Command {
	f := newServeFlags()
	cmd := &cobra.Command{
		Use:   "stdio",
		Short: "Answer the one program that started it, over standard input and output",
		Long: `Answer the one program that started it, over standard input and output: the protocol of serve without a socket, and
without READY. The end of standard input in mid-stream ends the process at once. Logs go to standard error.` + serveExits,
		Example: "  imgvec stdio --model resnet50 --stall-timeout 30s <requests >answers",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.stdio(cmd, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.add(flags)
	f.addServing(flags)
	return cmd
}

// add defines the engine's flags, all but for the streams and files of extract.
func (f *serveFlags) add(flags *pflag.FlagSet) {
	engine := pflag.NewFlagSet("", pflag.ContinueOnError)
	engine.SortFlags = false
	f.engineFlags.add(engine)
	engine.BoolVar(&f.normalize, "normalize", false, "scale each vector to length 1 (L2)")
	f.engine = flagNames(engine)
	flags.AddFlagSet(engine)
}

// addServing defines what serve and stdio share.
func (f *serveFlags) addServing(flags *pflag.FlagSet) {
	flags.Var(whole{&f.cores, 0, 4096}, "cores", "CPU cores to use, for decoding and for a model on the CPU (default all)")
	flags.BoolVar(&f.fetch, "fetch", false, "first fetch the native libraries and the model where they are missing, as imgvec setup does")
	flags.Var(&f.owner, "owner-pid", "end when this process is dead (START is field 22 of its /proc/PID/stat)")
	flags.StringVar(&f.lastWords, "last-words", "", "`file` that gets the log and Go's report of a crash as well; removed at a clean end")
	flags.Var(period{&f.stall}, "stall-timeout", "end with status 70 when rows wait and none was finished for this `time`")
	flags.Var(whole{&f.maxBatches, 1, 1 << 20}, "max-window-batches", "most batches that a client may leave unanswered")
	flags.Var(&f.maxWindow, "max-window-bytes", "most bytes of image data that a client may leave unanswered")
	flags.Var(period{&f.idleConnection}, "idle-connection", "`time` after which a client that sends nothing, or takes no answers, is dropped")
	flags.Var(period{&f.io}, "io-timeout", "`time` for the rest of a message that has begun")
}

// check finds what is wrong with the flags before anything is loaded.
func (f *serveFlags) check(flags *pflag.FlagSet, args []string) (err error) {
	if f.values, err = given(flags, f.engine, args); err != nil {
		return err
	}
	if f.device == "" {
		return usagef("--device is empty: give auto, cpu or cuda, or leave the flag out")
	}
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	for name, v := range map[string]time.Duration{"idle-exit": f.idleExit, "drain": f.drain} {
		if v < 0 {
			return usagef("--%s %v is negative", name, v)
		}
	}
	for name, v := range map[string]time.Duration{"stall-timeout": f.stall, "idle-connection": f.idleConnection, "io-timeout": f.io} {
		if v <= 0 {
			return usagef("--%s %v is no time to wait: give one above 0", name, v)
		}
	}
	return nil
}

// useCores makes the sizes of everything that goes by cores those of --cores.
func (f *serveFlags) useCores() {
	if f.cores > 0 {
		runtime.GOMAXPROCS(f.cores)
	}
}

// config is what the server is made of, but for what it says of the model.
func (f *serveFlags) config() serve.Config {
	return serve.Config{
		Options: f.values, Window: serve.Window{Batches: f.maxBatches, Bytes: int64(f.maxWindow)},
		Stall: f.stall, IO: f.io, IdleConnection: f.idleConnection,
	}
}

// visibleDevices is CUDA_VISIBLE_DEVICES; nil where it is not set.
func visibleDevices() *string {
	if text, ok := os.LookupEnv("CUDA_VISIBLE_DEVICES"); ok {
		return &text
	}
	return nil
}
