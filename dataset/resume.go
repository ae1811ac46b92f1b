package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// OpenShards begins, or goes on with, a folder of files of opts.Rows rows each: part-00000.parquet and so on, in the
// order of the rows, and the empty file _SUCCESS when all are there. Nothing else is in the folder then, so it is one
// data set to whatever reads folders of Parquet.
//
// With Force a folder is emptied first, if all in it is an earlier run's; what is not stays, and is ErrUsage.
func OpenShards(ctx context.Context, folder string, meta Meta, opts PartsOptions) (*Parts, error) {
	format, final, err := checkShards(folder, opts)
	if err != nil {
		return nil, err
	}
	p := &Parts{opts: opts, output: folder, final: final, dir: final, meta: meta, format: format}
	return p, p.open(ctx, p.clearFolder)
}

// OpenParts begins, or goes on with, an output that is one file, as Create writes it. Its parts stand in OUT.parts until
// Finish.
func OpenParts(ctx context.Context, output string, meta Meta, opts PartsOptions) (*Parts, error) {
	if err := checkParts(output, opts); err != nil {
		return nil, err
	}
	format, err := FormatOf(output)
	if err != nil {
		return nil, err
	}
	final, err := finalPath(output)
	if err != nil {
		return nil, err
	}
	p := &Parts{opts: opts, output: output, final: final, dir: PartsFolder(final), meta: meta, format: format, joins: true}
	return p, p.open(ctx, func() error { return removeParts(p.dir) })
}

// open takes the lock and finds what is there already; empty makes room for a run that begins anew.
func (p *Parts) open(ctx context.Context, empty func() error) (err error) {
	if p.opts.DType, err = ParseDType(string(p.opts.DType)); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	if p.man, err = openManifest(PartsFolder(p.final), p.output); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.man.close())
		}
	}()
	old := len(p.man.parts) > 0
	if old && p.opts.Resume {
		return p.resume(ctx)
	}
	if old && !p.opts.Force {
		return p.unfinished()
	}
	if err := p.man.keep(0); err != nil {
		return err
	}
	return empty()
}

// resume goes on behind the last part that is as it was.
func (p *Parts) resume(ctx context.Context) error {
	if err := p.compare(ctx); err != nil {
		return err
	}
	parts := p.man.parts
	if m := p.man.joined; m != nil && p.joins && m.is(p.final) {
		return p.goOn(parts) // the parts have done their work, some may be gone
	}
	good := 0
	for good < len(parts) && parts[good].whole(p.dir, good == len(parts)-1) {
		good++
	}
	if good < len(parts) {
		p.before.Redone = filepath.Join(p.dir, p.partFiles(good)[0])
		if err := p.man.keep(good); err != nil {
			return err
		}
	}
	return p.goOn(parts[:good])
}

func (p *Parts) goOn(parts []part) error {
	for i := range parts {
		p.count(&parts[i])
		if parts[i].State != nil {
			p.before.States = append(p.before.States, parts[i].State)
		}
		parts[i].State = nil // it is in the file; of thousands of parts it would fill the memory
	}
	p.before.Parts, p.before.Items, p.before.Rows = p.Done()
	return nil
}

// compare refuses to go on with a run whose rows would be others. The error says what differs.
func (p *Parts) compare(ctx context.Context) error {
	head := p.man.head
	for _, old := range head.Run {
		i := slices.IndexFunc(p.opts.Run, func(s Setting) bool { return s.Name == old.Name })
		switch {
		case i < 0:
			return p.differs("%s was %s and is not known to this version of imgvec", old.Name, old.Value)
		case p.opts.Run[i].Value != old.Value:
			return p.differs("%s was %s and is %s now", old.Name, orNone(old.Value), orNone(p.opts.Run[i].Value))
		}
	}
	for _, s := range p.opts.Run {
		if !slices.ContainsFunc(head.Run, func(old Setting) bool { return s.Name == old.Name }) {
			return p.differs("%s is %s now and was not known to the version of imgvec that began", s.Name, orNone(s.Value))
		}
	}
	if head.Inputs == "" {
		return p.differs("its inputs came from standard input or a pipe, which can't be read twice")
	}
	inputs, err := p.opts.Inputs(ctx)
	switch {
	case err != nil:
		return err
	case inputs == head.Inputs:
		return nil
	case !slices.Equal(head.Given, p.opts.Given):
		return p.differs("its inputs were %s and are %s now", words(head.Given), words(p.opts.Given))
	}
	return p.differs("files have come, gone or changed in %s since then", words(head.Given))
}

func (p *Parts) differs(format string, args ...any) error {
	return usagef("imgvec: output %q: can't resume: %s: give what the interrupted run was begun with, or --force without --resume to begin anew",
		p.output, fmt.Sprintf(format, args...))
}

func orNone(s string) string {
	if s == "" {
		return "not given"
	}
	return s
}

func words(args []string) string {
	const most = 3
	text := strings.Join(args[:min(len(args), most)], " ")
	if len(args) > most {
		text += fmt.Sprintf(" and %d more", len(args)-most)
	}
	return text
}

// unfinished tells that an interrupted run has left parts.
func (p *Parts) unfinished() error {
	var items int64
	for _, part := range p.man.parts {
		items += part.Items
	}
	return usagef("imgvec: output %q: an interrupted run has left %s with %d images done: go on with --resume, or begin anew with --force",
		p.output, counted(len(p.man.parts), "finished part"), items)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// removeParts empties a folder of parts of all that we write there but the manifest, which is locked and goes last.
func removeParts(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("imgvec: %w", err)
	}
	for _, e := range entries {
		if !isPartName(e.Name()) && !isTempOfPart(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("imgvec: %w", err)
		}
	}
	return nil
}

// DropParts removes what an interrupted run of an output has left beside it, for a run that writes the output anew
// without parts. It is ErrUsage where the run still goes on.
func DropParts(output string) error {
	final, err := finalPath(output)
	if err != nil {
		return err
	}
	dir := PartsFolder(final)
	if !inParts(final) {
		return nil
	}
	m, err := openManifest(dir, output)
	if err != nil {
		return err
	}
	return errors.Join(removeParts(dir), m.remove())
}
