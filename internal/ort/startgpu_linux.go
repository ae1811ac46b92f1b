//go:build cgo && linux

package ort

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// simulatedSymbol is what only the simulated driver exports.
const simulatedSymbol = "imgvec_sim_version"

// StartGPU makes sure that the process's environment can use a provider: it finds the provider beside the core and opens
// what that needs, in the right order, each file checked before. dir is as for Start, which must have succeeded. The error
// is an *Unusable that names every missing or mismatched piece, the version needed and how to get it; the libraries that
// were found are told all the same. Host needs nothing. A success is kept for the process. Safe for concurrent use.
func StartGPU(p GPUProvider, dir string) (GPULibraries, error) {
	process.Lock()
	defer process.Unlock()
	if !process.started {
		return GPULibraries{}, errors.New("imgvec: BUG: GPU before ONNX Runtime")
	}
	environment := process.environment
	if p == Host {
		return GPULibraries{Provider: "ONNX Runtime " + environment.Version + ", CPU (simulated GPU)", Path: environment.Path}, nil
	}
	if kept, ok := process.gpu[p]; ok {
		kept.Versions = maps.Clone(kept.Versions)
		return kept, nil
	}
	s := starter{provider: p, near: nearCore(environment), libraries: GPULibraries{Versions: map[string]string{"ONNX Runtime": environment.Version}}}
	if err := s.start(environment); err != nil {
		return s.libraries, err
	}
	if process.gpu == nil {
		process.gpu = map[GPUProvider]GPULibraries{}
	}
	process.gpu[p] = s.libraries
	return s.libraries, nil
}

// starter opens what a provider needs.
type starter struct {
	provider  GPUProvider
	near      []string
	libraries GPULibraries
	problems  []problem
}

func (s *starter) start(environment Environment) error {
	parts, files := partsOf(s.provider)
	s.findFiles(environment, files)
	for _, one := range parts {
		s.openPart(one)
	}
	s.libraries.Provider = s.words()
	if len(s.problems) > 0 {
		return lacks(s.provider, s.problems, s.libraries.Tried)
	}
	if err := try(s.provider); err != nil { // only now: a provider whose parts are missing may end the process
		short := "ONNX Runtime's " + s.provider.words() + " provider does not start"
		return unusable(short, fmt.Errorf("imgvec: %s: %w: %w", short, imgvec.ErrNoRuntime, native("start provider", err)))
	}
	return nil
}

// words say what is used, for people.
func (s *starter) words() string {
	words := "ONNX Runtime " + s.libraries.Versions["ONNX Runtime"]
	for _, name := range []string{"TensorRT", "CUDA", "cuDNN"} {
		if version := s.libraries.Versions[name]; version != "" {
			words += ", " + name + " " + version
		}
	}
	return words
}

// findFiles looks for the provider's own files, which ONNX Runtime opens itself, from the folder of its core and nowhere
// else. Where the host program opened ONNX Runtime, that is not known, and try tells.
func (s *starter) findFiles(environment Environment, files []string) {
	if environment.Path == "" {
		return
	}
	dir := filepath.Dir(environment.Path)
	var missing []string
	for _, file := range files {
		path := filepath.Join(dir, file)
		s.tried(path)
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, file)
		} else if err := home.Check(path); err != nil {
			s.problems = append(s.problems, problem{file, err.Error(), getGPU})
		} else {
			s.libraries.Path = path // the provider's own is the last
		}
	}
	if len(missing) > 0 {
		why := strings.Join(missing, ", ") + " not beside the core that is in use, " + environment.Path
		s.problems = append(s.problems, problem{"ONNX Runtime for GPUs", why, getCore(environment)})
	}
}

// getCore is the remedy where the core in use has no providers for GPUs.
func getCore(environment Environment) string {
	if nearCore(environment) != nil {
		return fmt.Sprintf("that is the build for the CPU, named by %s: name the one for GPUs, or name none and %s", environment.By, getGPU)
	}
	if found, ok := findGPUCore(); ok {
		return "the build for GPUs is there (" + found.Path + ") and is used from the next start on, where there is a driver"
	}
	return getGPU
}

// tried notes a path, once.
func (s *starter) tried(paths ...string) {
	for _, path := range paths {
		if !slices.Contains(s.libraries.Tried, path) {
			s.libraries.Tried = append(s.libraries.Tried, path)
		}
	}
}

// openPart opens one library and notes its version, or what is wrong.
func (s *starter) openPart(p part) {
	lib, err := s.find(p)
	if err != nil {
		if !p.may {
			s.problems = append(s.problems, problem{p.name + " (" + p.file + ")", err.Error(), p.get})
		}
		return
	}
	if p.instead == DriverVariable && lib.has(simulatedSymbol) {
		s.problems = append(s.problems, problem{p.name, "the driver is the simulated one, which can't carry CUDA's libraries", getDriver})
		return
	}
	version, ok := lib.version(p.tell)
	if ok && p.key != "" {
		s.libraries.Versions[p.key] = p.tell.words(version)
		if why := p.fits(version); why != "" {
			s.problems = append(s.problems, problem{p.name + " (" + lib.path + ")", why, p.get})
		}
	}
	s.problems = append(s.problems, p.besides(lib.path)...)
}

// find opens a part: the one that is in the process, one that a variable or the core's place names, HOME's, the loader's,
// or one of the system's folders. One that is damaged or does not open is an error: another one would hide it.
func (s *starter) find(p part) (library, error) {
	if lib, ok := openedLibrary(p.file); ok {
		s.tried(lib.path)
		return lib, nil
	}
	if path := os.Getenv(p.instead); p.instead != "" && path != "" {
		return s.open(p, path)
	}
	if p.kind != "" {
		found, err := p.search(s.near)
		s.tried(found.Tried...)
		if err == nil {
			return s.open(p, found.Path)
		}
	}
	if p.kind != "" && !home.SystemLibraries() {
		return library{}, home.ErrSystemHidden
	}
	s.tried(p.file + " (by the system's loader)")
	lib, err := openLibrary(p.file)
	if err == nil {
		return lib, nil
	}
	if paths := p.inSystem(); len(paths) > 0 {
		s.tried(paths[0])
		return s.open(p, paths[0])
	}
	s.tried(systemFolders...)
	return library{}, notThere(err)
}

// notThere leaves out what the loader says of a file that is nowhere.
func notThere(err error) error {
	if strings.Contains(err.Error(), "No such file") {
		return errors.New("not found")
	}
	return err
}

// open opens a file that was found, and before it those beside it that it looks for by their sonames.
func (s *starter) open(p part, path string) (library, error) {
	if err := home.Check(path); err != nil {
		return library{}, err
	}
	if p.before != "" {
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), p.before))
		for _, file := range files {
			if err := home.Check(file); err != nil {
				return library{}, err
			}
			if _, err := openLibrary(file); err != nil {
				return library{}, err
			}
		}
	}
	return openLibrary(path)
}

// try makes ONNX Runtime open the provider. That ONNX Runtime lists a provider says nothing: it lists what it was built for.
func try(p GPUProvider) error {
	if p == TensorRT {
		options, err := onnxruntime_go.NewTensorRTProviderOptions()
		if err != nil {
			return err
		}
		return errors.Join(options.Update(map[string]string{keyDevice: "0"}), options.Destroy(), try(CUDA))
	}
	options, err := onnxruntime_go.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	return errors.Join(options.Update(map[string]string{keyDevice: "0"}), options.Destroy())
}
