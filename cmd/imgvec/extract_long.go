package main

import "github.com/spf13/pflag"

// longFlags are for runs of hours: shards, and going on after an interruption.
type longFlags struct{}

func (f *longFlags) add(*pflag.FlagSet) {}

func (f *longFlags) check() error { return nil }
