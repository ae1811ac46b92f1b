package main

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/serve"
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
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the commit and the libraries built in",
		Example: "  imgvec version\n  imgvec version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo()
			b := buildOf(info)
			if asJSON {
				return a.printJSON(b)
			}
			fmt.Fprint(a.stdout, b.text())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// build is what this program was made of.
type build struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit,omitempty"`
	Time     string            `json:"commit_time,omitempty"`
	Modified bool              `json:"modified,omitempty"` // since the commit
	Go       string            `json:"go"`
	System   string            `json:"system"` // "linux/amd64"
	CGO      bool              `json:"cgo"`
	GPU      bool              `json:"gpu_support"`
	Faults   bool              `json:"faults,omitempty"`  // images can ask for crashes: a build for tests
	Modules  map[string]string `json:"modules,omitempty"` // the versions of those that a file or a feature may depend on
}

// buildOf reads what the Go tool has written into the program; info may be nil.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, GPU: measure.GPUBuilt, Faults: serve.Faults, Modules: map[string]string{}}
	if info == nil {
		return b
	}
	b.Commit, b.Time, b.Modified = setting(info, "vcs.revision"), setting(info, "vcs.time"), setting(info, "vcs.modified") == "true"
	b.CGO = setting(info, "CGO_ENABLED") == "1"
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/yalue/onnxruntime_go", "github.com/apache/arrow-go/v18":
			b.Modules[dep.Path] = dep.Version
		}
	}
	return b
}

func (b build) text() string {
	var t strings.Builder
	fmt.Fprintln(&t, "imgvec", b.Version)
	if b.Commit != "" {
		fmt.Fprintf(&t, "commit %s of %s%s\n", b.Commit, b.Time, map[bool]string{true: ", changed since"}[b.Modified])
	}
	fmt.Fprintf(&t, "%s, %s, cgo %s\n", b.Go, b.System, map[bool]string{true: "on", false: "off"}[b.CGO])
	if b.GPU {
		fmt.Fprintln(&t, "GPU support: yes")
	} else {
		fmt.Fprintln(&t, "GPU support: no (build with -tags cuda, on Linux and with cgo)")
	}
	if b.Faults {
		fmt.Fprintln(&t, "BUILT WITH FAULTS, for tests: images can crash it")
	}
	for _, path := range slices.Sorted(maps.Keys(b.Modules)) {
		fmt.Fprintln(&t, path, b.Modules[path])
	}
	fmt.Fprintln(&t, "what is opened at run time: imgvec doctor")
	return t.String()
}
