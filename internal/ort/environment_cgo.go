//go:build cgo && !windows

package ort

import (
	"fmt"
	"os"
	"strings"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
)

// Start makes the process's environment, or returns the one that there is. dir is a folder or file that an option
// names, "" for the usual search; it counts at the first Start only. Where the host program has initialised
// onnxruntime_go, its environment is used as it is. Errors wrap imgvec.ErrNoRuntime. Safe for concurrent use.
func Start(dir string) (Environment, error) {
	process.Lock()
	defer process.Unlock()
	if process.started {
		return process.environment, nil
	}
	environment, err := start(dir)
	process.environment = environment
	process.started = err == nil
	return environment, err
}

func start(dir string) (Environment, error) {
	if onnxruntime_go.IsInitialized() {
		return Environment{Version: onnxruntime_go.GetVersion(), By: "host program"}, nil
	}
	if err := os.Setenv(telemetryVariable, "1"); err != nil {
		return Environment{}, fmt.Errorf("imgvec: turn off ONNX Runtime's telemetry: %w", err)
	}
	found, err := findCore(dir)
	environment := Environment{Path: found.Path, By: found.By, Tried: found.Tried}
	if err != nil {
		return environment, err
	}
	version, path, err := libraryVersion(found.Path)
	if err != nil {
		return environment, notLoaded(found, err)
	}
	environment.Version, environment.Path = version, path
	if err := checkVersion(path, version, found.Tried); err != nil {
		return environment, err
	}
	onnxruntime_go.SetSharedLibraryPath(path)
	_, level := logLevel()
	if err := onnxruntime_go.InitializeEnvironment(level); err != nil {
		return environment, fmt.Errorf("imgvec: start ONNX Runtime %q: %w: %w", path, imgvec.ErrNoRuntime, err)
	}
	return environment, nil
}

// native makes an error of ONNX Runtime ours.
func native(op string, err error) error {
	text := err.Error()
	wrapped := error(&imgvec.NativeError{Lib: "onnxruntime", Op: op, Msg: text})
	if strings.Contains(text, "bad_alloc") || strings.Contains(text, "Failed to allocate memory") || strings.Contains(text, "bad allocation") {
		return fmt.Errorf("%w: %w", imgvec.ErrOutOfMemory, wrapped)
	}
	return wrapped
}
