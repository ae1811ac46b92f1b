package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/model"
)

func (a *app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "model",
		Short:   "List, install, import, verify and remove models",
		Long:    "List, install, import, verify and remove models.",
		Example: "  imgvec model list\n  imgvec model pull resnet50",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.modelList(), a.modelInfo(), a.modelPull(), a.modelImport(), a.modelPresets(), a.modelVerify(), a.modelQuantize(), a.modelRemove())
	return cmd
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// one takes exactly one argument: the what ("NAME") of something.
func one(what, of string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		name := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
		switch len(args) {
		case 0:
			return usagef("%s needs the %s of %s", name, what, of)
		case 1:
			return nil
		}
		return usagef("%s takes one %s, not %d", name, what, len(args))
	}
}

// modelNames completes the names of models in a shell.
func modelNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := model.Installed()
	for _, e := range model.Registry() {
		if !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}

// installedModels completes the names of those that are on this machine.
func installedModels(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return model.Installed(), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) printPairs(pairs [][2]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		if p[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", p[0], p[1])
		}
	}
	return w.Flush()
}

func (a *app) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, string(text))
	return err
}

// log prints a line for a person.
func (a *app) log(line string) { fmt.Fprintln(a.stderr, line) }
