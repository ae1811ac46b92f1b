package dataset

import "io"

// File is any other file that is written whole or not at all: a report, a list of neighbours.
type File interface {
	io.Writer
	// Finish syncs the file and gives it its final name.
	Finish() error
	// Abort drops it. After Finish it does nothing, so it can be deferred.
	Abort() error
	// Discard is as Writer's.
	Discard() (whole bool)
}

// CreateFile begins a file under a temporary name in the folder of its final one; its content is the caller's affair.
func CreateFile(output string, force bool) (File, error) {
	f, err := createFile(output, force)
	if err != nil {
		return nil, err
	}
	return wholeFile{f}, nil
}

// CheckFile tells whether CreateFile could begin this file, as CheckOutput does for outputs.
func CheckFile(output string, force bool) error {
	_, err := checkPath(output, force)
	return err
}

type wholeFile struct{ *atomicFile }

func (f wholeFile) Write(p []byte) (int, error) {
	n, err := f.atomicFile.Write(p)
	return n, f.explain(err)
}

func (f wholeFile) Finish() error         { return f.finish() }
func (f wholeFile) Abort() error          { return f.abort() }
func (f wholeFile) Discard() (whole bool) { return f.discard() }
