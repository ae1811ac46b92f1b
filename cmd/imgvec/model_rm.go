package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/model"
)

func (a *app) modelRemove() *cobra.Command {
	var cache, dry bool
	cmd := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove installed models, or what downloads and cut models have left",
		Long: `Remove installed models from the home folder. Nothing is asked. Only what imgvec put there is removed: never a path, a folder
with other files in it, or a model that you put there yourself. A process that uses the model goes on with it.

--cache removes what can be downloaded or made again: downloaded weights, downloads and installations that were not
finished, and the parts that were cut out of ONNX files given by their paths. The native libraries' downloads stay:
imgvec setup mends a library from them.`,
		Example:           "  imgvec model rm resnet50-random\n  imgvec model rm --cache --dry-run",
		ValidArgsFunction: installedModels,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !cache {
				return usagef("model rm needs the NAME of a model (imgvec model list --installed shows them), or --cache")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return errors.Join(a.removeModels(args, dry), a.removeCache(cmd.Context(), cache, dry))
		},
	}
	cmd.Flags().BoolVar(&cache, "cache", false, "what can be downloaded or made again")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be removed")
	return cmd
}

func (a *app) removeModels(names []string, dry bool) error {
	var all []error
	for _, name := range names {
		if dry {
			if l := listing(name); l.DiskBytes > 0 {
				a.log(fmt.Sprintf("would remove %s (%s)", l.Dir, bytesText(l.DiskBytes)))
			} else {
				a.log(fmt.Sprintf("%s is not installed", name))
			}
			continue
		}
		freed, err := model.Remove(name, model.OpenOptions{})
		if err != nil {
			all = append(all, err)
			continue
		}
		a.log(fmt.Sprintf("removed %s: %s free again", name, bytesText(freed)))
	}
	return errors.Join(all...)
}

func (a *app) removeCache(ctx context.Context, wanted, dry bool) error {
	if !wanted {
		return nil
	}
	total, verb := int64(0), "removed"
	if dry {
		verb = "would remove"
	}
	var all []error
	for _, l := range model.Leftovers(model.OpenOptions{}) {
		freed := l.Bytes
		if !dry {
			var err error
			if freed, err = model.RemoveLeftover(ctx, l); err != nil {
				all = append(all, err)
				continue
			}
		}
		total += freed
		a.log(fmt.Sprintf("%s %s: %s (%s)", verb, l.Path, l.What, bytesText(freed)))
	}
	switch {
	case dry:
		a.log(fmt.Sprintf("%s would be free again", bytesText(total)))
	default:
		a.log(fmt.Sprintf("%s free again", bytesText(total)))
	}
	return errors.Join(all...)
}
