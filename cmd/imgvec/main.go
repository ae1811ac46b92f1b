package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/imgvec/imgvec/dataset"
	"github.com/imgvec/imgvec/store"
)

// app is what the commands share: the streams, and the person's wish to stop.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	stop           *interrupt
	args           []string            // of the whole command line, without the program
	objects        dataset.ObjectStore // what reads URLs; it connects to nothing before it is asked
}

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program but for its end.
func run(args []string) int {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, args: args, objects: store.New()}
	a.stop = catchSignals(a.stderr)
	root := a.root()
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// Where the command is misspelt, its flags are unknown too; the misspelling is what matters.
		if cmd == root && !strings.HasPrefix(args[0], "-") {
			return noCommand(cmd, args)
		}
		return usageError{flagError(err)}
	})
	cmd, err := root.ExecuteContextC(a.stop.ctx)
	if err == nil {
		return exitOK
	}
	if code, ok := a.stop.code(); ok {
		fmt.Fprintln(a.stderr, "imgvec:", a.stop.summary())
		return code
	}
	a.report(cmd, err)
	return exitCode(err)
}

// flagError says what is wrong with a flag's value once, and not in the words of the library.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, errors.Unwrap(invalid))
	case errors.As(err, &missing):
		kind, _ := pflag.UnquoteUsage(missing.GetFlag())
		return fmt.Errorf("--%s needs a value (%s)", missing.GetFlag().Name, kind)
	}
	return err
}

// report prints an error as the person who typed the command needs it.
func (a *app) report(cmd *cobra.Command, err error) {
	fmt.Fprintf(a.stderr, "imgvec: %s\n", plain(err.Error()))
	if exitCode(err) == exitUsage {
		fmt.Fprintf(a.stderr, "Try '%s --help'.\n", cmd.CommandPath())
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "imgvec",
		Short: "Turn images into feature vectors",
		Long: `imgvec turns images into feature vectors: it decodes, resizes and crops each image as the model's
authors did, runs the model, and writes one row an image.`,
		Example:       "  imgvec extract photos/ -o features.parquet",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(a.extractCommand(), a.preprocessCommand(), a.modelCommand(), a.doctorCommand(), a.benchCommand(),
		a.similarCommand(), a.reportCommand(),
		a.serveCommand(), a.stdioCommand(), a.setupCommand(), a.versionCommand())
	wrapArgs(root)
	return root
}

// noCommand refuses a command that does not exist, with the nearest ones.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2 // letters that may differ
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return usagef("%s", text)
}

// wrapArgs makes errors about the number of arguments wrong usage, for every command.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}
