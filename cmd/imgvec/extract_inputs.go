package main

import "github.com/spf13/pflag"

// inputFlags say how tables and archives are read, and what of them goes to the output.
type inputFlags struct{}

func (f *inputFlags) add(*pflag.FlagSet) {}

func (f *inputFlags) check() error { return nil }
