package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	parquetfile "github.com/apache/arrow-go/v18/parquet/file"
)

// successName is the empty file that says that a folder of shards is complete, as Hadoop and Spark have it.
const successName = "_SUCCESS"

// succeed puts _SUCCESS into the folder.
func (p *Parts) succeed() error {
	f, err := createFile(filepath.Join(p.final, successName), true)
	if err != nil {
		return err
	}
	return errors.Join(f.finish(), f.abort())
}

// ShardFormat is the format of a folder of shards: asked for, or by the extension of the folder's name, else Parquet.
func ShardFormat(folder, asked string) (Format, error) {
	switch f := Format(asked); f {
	case Parquet, ArrowFile, ArrowStream, NPY, JSONLines:
		return f, nil
	case "":
		if byName, err := FormatOf(filepath.Clean(folder)); err == nil {
			return byName, nil
		}
		return Parquet, nil
	}
	return "", usagef("imgvec: format %q of shards is unknown (parquet, arrow, arrows, npy, jsonl)", asked)
}

// CheckShards tells whether OpenShards could begin, without leaving anything behind. CheckParts does for OpenParts.
// Like CheckOutput they are cheap.
func CheckShards(folder string, opts PartsOptions) error {
	_, final, err := checkShards(folder, opts)
	if err != nil {
		return err
	}
	return checkLeft(folder, final, opts)
}

// CheckParts is CheckShards for OpenParts.
func CheckParts(output string, opts PartsOptions) error {
	if err := checkParts(output, opts); err != nil {
		return err
	}
	final, err := finalPath(output)
	if err != nil {
		return err
	}
	return checkLeft(output, final, opts)
}

// checkLeft refuses where an interrupted run has left parts and nothing says what is to become of them, and where a run
// is going on.
func checkLeft(output, final string, opts PartsOptions) error {
	dir := PartsFolder(final)
	if !inParts(final) {
		return nil
	}
	m, err := openManifest(dir, output)
	if err != nil {
		return err
	}
	defer m.close() //nolint:errcheck // nothing was written
	if len(m.parts) > 0 && !opts.Resume && !opts.Force {
		return (&Parts{output: output, man: m}).unfinished()
	}
	return nil
}

// CheckNoParts refuses an output beside which an interrupted run has left parts, for a run without parts.
func CheckNoParts(output string, force bool) error {
	final, err := finalPath(output)
	if err != nil {
		return err
	}
	return checkLeft(output, final, PartsOptions{WriterOptions: WriterOptions{Force: force}})
}

func checkParts(output string, opts PartsOptions) error {
	if output == "-" {
		return usagef("imgvec: a stream on standard output can't be resumed: name a file")
	}
	final, err := finalPath(output)
	if err != nil {
		return err
	}
	whole := there(final) && opts.Resume && !inParts(final) // OpenParts looks whether it is what this run would write
	return CheckOutput(output, opts.Force || whole || joinedTo(final))
}

// inParts tells whether a run has begun this output and has not come to its end.
func inParts(final string) bool {
	return there(filepath.Join(PartsFolder(final), manifestName))
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ErrComplete is the error of OpenShards and OpenParts with Resume where the output is complete already, and is what the
// same run has written: there is nothing to do.
var ErrComplete = errors.New("it is complete")

// complete is ErrComplete, or ErrUsage where the output is that of another run. The formats that have metadata tell.
func (p *Parts) complete() error {
	mark := p.final
	if !p.joins {
		mark = filepath.Join(p.final, successName)
	}
	if !there(mark) || !p.opts.Resume || p.opts.Force || inParts(p.final) {
		return nil
	}
	v, err := OpenVectors(p.final, VectorsOptions{})
	if err == nil && p.meta.Run != "" && v.Meta().Run == p.meta.Run {
		return fmt.Errorf("imgvec: %s: nothing is left to do: %w (--force without --resume begins anew)", p.output, ErrComplete)
	}
	return usagef("imgvec: output %q is complete, and does not say that the same options, model and inputs made it: use --force without --resume to begin anew, or another name",
		p.output)
}

// joinedTo tells whether the file under the final name is what an interrupted run has joined, and only its parts are
// still there.
func joinedTo(final string) bool {
	data, err := os.ReadFile(filepath.Join(PartsFolder(final), manifestName))
	if err != nil {
		return false
	}
	m := &manifest{}
	for text := range bytes.Lines(data) {
		if !bytes.HasSuffix(text, []byte("\n")) || !m.take(text) {
			break
		}
	}
	return m.joined != nil && m.joined.is(final)
}

func checkShards(folder string, opts PartsOptions) (format Format, final string, err error) {
	if folder == "-" {
		return "", "", usagef("imgvec: shards are files in a folder: name the folder, not -")
	}
	if format, err = ShardFormat(folder, string(opts.Format)); err != nil {
		return "", "", err
	}
	folder = filepath.Clean(folder)
	if final, err = finalPath(folder); err != nil {
		return "", "", err
	}
	info, err := os.Stat(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return format, final, checkFolder(folder, filepath.Dir(final))
	case err != nil:
		return "", "", fmt.Errorf("imgvec: output: %w", err)
	case !info.IsDir():
		return "", "", usagef("imgvec: output %q is a file: shards go into a folder: choose another name", folder)
	}
	return format, final, errors.Join(checkFolder(folder, final), checkFolder(folder, filepath.Dir(final)), checkContent(folder, final, opts))
}

// checkContent looks at what is in the folder already.
func checkContent(folder, final string, opts PartsOptions) error {
	entries, err := os.ReadDir(final)
	if err != nil {
		return fmt.Errorf("imgvec: output: %w", err)
	}
	begun := inParts(final) // the parts are those of a run that was interrupted; its manifest tells
	var others []string
	success := false
	for _, e := range entries {
		path := filepath.Join(final, e.Name())
		success = success || e.Name() == successName
		if e.Name() != successName && !isTempOfPart(e.Name()) && (!isPartName(e.Name()) || !begun && !isPartOfOurs(path)) {
			others = append(others, e.Name())
		}
	}
	switch {
	case len(others) > 0:
		return usagef("imgvec: output folder %q holds what imgvec did not write (%s): choose another folder", folder, words(others))
	case len(entries) == 0 || begun || opts.Force:
		return nil
	case opts.Resume && success:
		return nil // OpenShards looks whether it is what this run would write
	case opts.Resume:
		return usagef("imgvec: output folder %q holds shards but %q is missing, so nothing can be gone on with: use --force without --resume to begin anew, or another folder",
			folder, filepath.Join(PartsFolder(folder), manifestName))
	}
	return usagef("imgvec: output folder %q exists: use --force to replace what is in it, or another folder", folder)
}

// clearFolder makes the folder, or empties it of an older run. _SUCCESS goes first.
func (p *Parts) clearFolder() error {
	if err := os.Mkdir(p.final, 0o777); err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Remove(filepath.Join(p.final, successName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("imgvec: %w", err)
	}
	return removeParts(p.final)
}

var (
	partPattern = regexp.MustCompile(`^part-[a-z]?[0-9]{5}\.(parquet|arrow|arrows|jsonl|npy|npy\.ids\.jsonl)$`)
	tempPattern = regexp.MustCompile(`^\.(part-[a-z]?[0-9]{5}\.[a-z.]+|_SUCCESS)\.imgvec-[0-9]+\.tmp$`)
)

func isPartName(name string) bool   { return partPattern.MatchString(name) }
func isTempOfPart(name string) bool { return tempPattern.MatchString(name) }

// isPartOfOurs tells whether a file with the name of a part is one that we wrote: by what stands in it, as far as its
// format says who did.
func isPartOfOurs(path string) bool {
	switch {
	case strings.HasSuffix(path, ".parquet"):
		r, err := parquetfile.OpenParquetFile(path, false)
		if err != nil {
			return false
		}
		defer r.Close() //nolint:errcheck // only read
		return strings.HasPrefix(r.MetaData().GetCreatedBy(), "imgvec ")
	case strings.HasSuffix(path, ".npy"):
		_, err := os.Stat(idsOf(path))
		return err == nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head, _ := bufio.NewReader(io.LimitReader(f, 64<<10)).Peek(64 << 10)
	if strings.HasSuffix(path, ".jsonl") {
		return bytes.HasPrefix(head, []byte(`{"id":`))
	}
	return bytes.Contains(head, []byte("imgvec.version"))
}
