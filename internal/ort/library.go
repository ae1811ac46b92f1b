package ort

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// The version that onnxruntime_go asks for: API 29. Later 1.x keep older APIs.
const (
	wantMajor = 1
	wantMinor = 30
)

// Want is the version needed, for people.
const Want = "ONNX Runtime 1.30 or later"

const kind = "onnxruntime"

// byLoader is Found.By of a library that the system's loader knows.
const byLoader = "loader"

// LibraryVariables are the environment variables that name the library or its folder, best first.
var LibraryVariables = []string{"ONNXRUNTIME_SHARED_LIBRARY_PATH", "ONNXRUNTIME_LIB_PATH", "ORT_DYLIB_PATH"}

// soname is what the system's loader is asked for last; coreFiles are the library's names on this system, best first.
var soname, coreFiles = namesOn(runtime.GOOS)

func namesOn(system string) (soname string, files []string) {
	if system == "darwin" {
		return "libonnxruntime.1.dylib", []string{"libonnxruntime.1.30.0.dylib", "libonnxruntime*.dylib"}
	}
	return "libonnxruntime.so.1", []string{"libonnxruntime.so.1.30.0", "libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.so.*"}
}

// pluginFile is the OpenVINO execution provider; pluginNeeds are what it opens, from its own folder.
const pluginFile = "libonnxruntime_providers_openvino_plugin.so"

var pluginNeeds = []string{"libopenvino.so.*", "libopenvino_intel_cpu_plugin.so", "libopenvino_onnx_frontend.so.*", "libtbb.so.12"}

// findCore looks for the library in dir (a file or folder that an option names; "" for none), the environment's
// variables and the usual folders. Where it is in none, Path is the soname, for the loader to try. Where nothing is named
// and this machine may have a GPU, the build for GPUs comes before the CPU's, otherwise after it.
func findCore(dir string) (home.Found, error) {
	if dir != "" || named() {
		return findCPUCore(dir)
	}
	gpu, ok := findGPUCore()
	first := gpuPossible(driverFiles)
	if first && ok {
		return gpu, nil
	}
	cpu, err := findCPUCore("")
	if ok && !onDisk(cpu, err) {
		gpu.Tried = append(cpu.Tried, gpu.Tried...)
		return gpu, nil
	}
	if first {
		cpu.Tried = append(gpu.Tried, cpu.Tried...)
	}
	return cpu, err
}

// onDisk tells whether a search ended with a file, and not with an error or a guess for the loader.
func onDisk(found home.Found, err error) bool { return err == nil && found.By != byLoader }

func findCPUCore(dir string) (home.Found, error) {
	found, err := coreSearch(dir).Find()
	if err == nil {
		err = home.Check(found.Path)
		if err != nil && slices.Contains(LibraryVariables, found.By) { // setup alone would not help
			err = fmt.Errorf("imgvec: open the library that $%s names (correct or unset it): %w", found.By, err)
		}
		return found, err
	}
	if dir != "" || named() || !home.SystemLibraries() {
		return found, err
	}
	found.Tried = append(found.Tried, soname+" (by the system's loader)")
	found.Path, found.By = soname, byLoader
	return found, nil
}

func coreSearch(dir string) home.Search {
	return home.Search{Kind: kind, Files: coreFiles, Explicit: dir, Env: LibraryVariables, Want: Want}
}

// notLoaded is the error for a library that the system's loader refuses: for one that nobody has, as for one not found.
func notLoaded(found home.Found, cause error) error {
	if found.By == byLoader && strings.Contains(cause.Error(), "No such file") {
		return coreSearch("").Missing(found)
	}
	return fmt.Errorf("imgvec: open ONNX Runtime %q: %w (%s needed): %w; run \"imgvec setup\"; tried:\n  %s",
		found.Path, imgvec.ErrNoRuntime, Want, cause, strings.Join(found.Tried, "\n  "))
}

func named() bool {
	for _, name := range LibraryVariables {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// findPlugin looks for the OpenVINO plugin beside the core, then in the usual folders, and checks it and all that it
// opens: it loads its own parts later, where a damaged or missing one kills the process or leaves no device.
func findPlugin(core, dir string) (home.Found, error) {
	search := home.Search{Kind: kind, Files: []string{pluginFile}, Want: "the OpenVINO plugin " + pluginFile}
	var found home.Found
	var err error
	if filepath.IsAbs(core) {
		search.Explicit = filepath.Dir(core)
		found, err = search.Find()
	}
	if found.Path == "" && dir != "" && filepath.Base(filepath.Dir(core)) == kindGPU {
		tried := found.Tried
		search.Explicit = filepath.Join(filepath.Dir(core), "..", kind) // our own layout, named as a whole
		found, err = search.Find()
		found.Tried = append(tried, found.Tried...)
	}
	if found.Path == "" {
		tried := found.Tried
		search.Explicit = dir
		found, err = search.Find()
		found.Tried = append(tried, found.Tried...)
	}
	if err := sound(pluginFile, found.Path, err); err != nil {
		return found, err
	}
	for _, file := range pluginNeeds {
		need := home.Search{Kind: kind, Files: []string{file}, Explicit: filepath.Dir(found.Path), Want: file + ", which the OpenVINO plugin needs beside it"}
		part, err := need.Find()
		if err := sound(file, part.Path, err); err != nil {
			return found, err
		}
	}
	return found, nil
}

// sound checks a part of OpenVINO that was found at path, or missed by err.
func sound(file, path string, err error) error {
	if err != nil {
		return unusable(file+` is missing; run "imgvec setup"`, err)
	}
	if err := home.Check(path); err != nil {
		return unusable(file+` is damaged; run "imgvec setup"`, err)
	}
	return nil
}

// checkVersion refuses a library that is too old, or of a major version that nobody knows.
func checkVersion(path, version string, tried []string) error {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA == nil && errB == nil && a == wantMajor && b >= wantMinor {
		return nil
	}
	return fmt.Errorf("imgvec: open ONNX Runtime %q: %w: version %s found, %s needed; run \"imgvec setup\" or name another by $%s; tried:\n  %s",
		path, imgvec.ErrNoRuntime, version, Want, LibraryVariables[0], strings.Join(tried, "\n  "))
}
