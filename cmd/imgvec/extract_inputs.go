package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/imgvec/imgvec/dataset"
)

// inputFlags say how tables and archives are read, and what of them goes to the output.
type inputFlags struct {
	imageColumn, idColumn string
	keepColumns           []string
	readAhead             sizeOrNone
}

// sizeOrNone is a size that may be 0.
type sizeOrNone struct{ size }

// Set reads the flag.
func (s *sizeOrNone) Set(text string) error {
	if text == "0" {
		s.size = 0
		return nil
	}
	return s.size.Set(text)
}

// addColumns adds the flags that a command has which only wants the images.
func (f *inputFlags) addColumns(flags *pflag.FlagSet) {
	flags.StringVar(&f.imageColumn, "image-column", "", "`column` of tables that holds the images or their paths; of tar archives the extension of the images, such as jpg;png (default found by name and type)")
	f.readAhead.size = 64 << 20
	flags.Var(&f.readAhead, "read-ahead", "encoded `bytes` that are read before a decoder asks for them; 0 reads none ahead")
}

func (f *inputFlags) add(flags *pflag.FlagSet) {
	f.addColumns(flags)
	flags.StringVar(&f.idColumn, "id-column", "", "`column` of tables that holds the ids (default the row's number, or its path)")
	flags.StringSliceVar(&f.keepColumns, "keep-columns", nil, "`columns` of tables that go on to the output with their types, such as label,url, or '*' for all; of tar archives the extensions of members, such as json,txt")
}

func (f *inputFlags) check() error {
	for i, name := range f.keepColumns {
		f.keepColumns[i] = strings.TrimSpace(name)
	}
	return nil
}

// sourceOptions are what dataset.Open needs to know of the flags.
func (f *inputFlags) sourceOptions(maxBytes size) dataset.SourceOptions {
	opts := dataset.SourceOptions{
		ImageColumn: f.imageColumn, IDColumn: f.idColumn, KeepColumns: f.keepColumns, MaxBytes: int64(maxBytes), ReadAhead: int64(f.readAhead.size),
	}
	if f.readAhead.size == 0 {
		opts.ReadAhead = -1
	}
	return opts
}
