package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (-X main.version=v0.1.0), else it is that of the module or the commit.
var version string

func init() {
	if version == "" {
		version = builtVersion()
	}
}

func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if commit := setting(info, "vcs.revision"); commit != "" {
		return "devel-" + commit[:min(len(commit), 12)]
	}
	return "devel"
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the commit and the libraries built in",
		Example: "  imgvec version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(a.stdout, "imgvec", version)
			if info, ok := debug.ReadBuildInfo(); ok {
				a.printBuild(info)
			}
			fmt.Fprintln(a.stdout, "what is opened at run time: imgvec doctor")
			return nil
		},
	}
}

func (a *app) printBuild(info *debug.BuildInfo) {
	if commit := setting(info, "vcs.revision"); commit != "" {
		changed := ""
		if setting(info, "vcs.modified") == "true" {
			changed = ", changed since"
		}
		fmt.Fprintf(a.stdout, "commit %s of %s%s\n", commit, setting(info, "vcs.time"), changed)
	}
	fmt.Fprintf(a.stdout, "%s, %s/%s, cgo %s\n", info.GoVersion, runtime.GOOS, runtime.GOARCH, map[string]string{"1": "on"}[setting(info, "CGO_ENABLED")])
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/yalue/onnxruntime_go", "github.com/apache/arrow-go/v18":
			fmt.Fprintln(a.stdout, dep.Path, dep.Version)
		}
	}
}
