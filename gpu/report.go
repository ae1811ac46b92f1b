package gpu

import (
	"fmt"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/ort"
)

// Report is what this machine has for the GPU backend.
type Report struct {
	Usable     bool             `json:"usable"`
	Present    bool             `json:"present"`          // a GPU or its driver is there, whether it can be used or not
	Error      string           `json:"error,omitempty"`  // why not
	Driver     string           `json:"driver,omitempty"` // the newest CUDA that it can run: "CUDA 13.0"
	DriverPath string           `json:"driver_path,omitempty"`
	Simulated  bool             `json:"simulated,omitempty"` // the driver is the simulated one of the tests
	Devices    []Device         `json:"devices,omitempty"`
	TensorRT   ProviderReport   `json:"tensorrt"`
	CUDA       ProviderReport   `json:"cuda"`
	Provider   string           `json:"provider,omitempty"`  // that auto takes
	Precision  imgvec.Precision `json:"precision,omitempty"` // what auto is for a model whose accuracy allows it
}

// Device is one GPU.
type Device struct {
	Name       string `json:"name"` // "cuda:0"
	Model      string `json:"model"`
	UUID       string `json:"uuid"`
	PCI        string `json:"pci"`
	Memory     int64  `json:"memory"`     // bytes
	Capability string `json:"capability"` // "9.0"
	SMs        int    `json:"sms"`
	NUMANode   int    `json:"numa_node"`
}

// ProviderReport is one execution provider.
type ProviderReport struct {
	Name     string            `json:"name"`
	Usable   bool              `json:"usable"`
	Path     string            `json:"path,omitempty"`
	Versions map[string]string `json:"versions,omitempty"`
	Tried    []string          `json:"tried,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// Look opens the libraries as Open does (libraryDir is Options.LibraryDir) and tells what came of it. It loads no model.
func Look(libraryDir string) Report {
	r := Report{TensorRT: ProviderReport{Name: "TensorrtExecutionProvider"}, CUDA: ProviderReport{Name: "CUDAExecutionProvider"}}
	if err := r.look(libraryDir); err != nil {
		r.Error = err.Error()
	}
	r.Usable = r.Error == ""
	r.Present = r.DriverPath != "" || traced("/")
	return r
}

func (r *Report) look(libraryDir string) error {
	driver, err := cuda.Start()
	r.DriverPath, r.Simulated = driver.Path, driver.Simulated
	if driver.Version > 0 {
		r.Driver = cudaVersion(driver.Version)
	}
	if driver.Simulated {
		r.Driver += " (simulated)"
	}
	if err != nil {
		return err
	}
	if err := r.lookDevices(); err != nil {
		return err
	}
	if _, err := ort.Start(libraryDir); err != nil {
		return err
	}
	if driver.Simulated {
		r.CUDA.Error, r.TensorRT.Error = onSimulated, onSimulated
		r.Provider, r.Precision = simulatedProvider, imgvec.FP16
		return nil
	}
	withoutTensorRT := r.TensorRT.look(ort.TensorRT, libraryDir)
	if err := r.CUDA.look(ort.CUDA, libraryDir); err != nil {
		return err
	}
	if r.Provider = TensorRT; withoutTensorRT != nil {
		r.Provider = CUDA
	}
	r.Precision = imgvec.FP16
	return nil
}

const onSimulated = "the simulated driver can't carry it"

func (r *Report) lookDevices() error {
	all, err := cuda.Devices()
	if err != nil {
		return err
	}
	for i := range all {
		r.Devices = append(r.Devices, Device{
			Name: fmt.Sprintf("%s%d", prefix, all[i].Ordinal), Model: all[i].Name, UUID: all[i].UUID, PCI: all[i].PCI, Memory: all[i].Memory,
			Capability: fmt.Sprintf("%d.%d", all[i].Major, all[i].Minor), SMs: all[i].SMs, NUMANode: all[i].NUMANode,
		})
	}
	if len(all) == 0 {
		return fmt.Errorf("%w: the driver shows none (CUDA_VISIBLE_DEVICES may hide them)", imgvec.ErrNoDevice)
	}
	return nil
}

func (p *ProviderReport) look(which ort.GPUProvider, libraryDir string) error {
	libraries, err := ort.StartGPU(which, libraryDir)
	p.Path, p.Versions, p.Tried = libraries.Path, libraries.Versions, libraries.Tried
	if p.Usable = err == nil; err != nil {
		p.Error = err.Error()
	}
	return err
}

// cudaVersion is the driver's number as people write it: 13000 is CUDA 13.0.
func cudaVersion(v int) string { return fmt.Sprintf("CUDA %d.%d", v/1000, v%1000/10) }

// ProviderFor is the provider that Open takes for a precision where none is named: TensorRT would compute fp32 in TF32.
// That TensorRT refuses a model turns out when it is opened.
func (r Report) ProviderFor(p imgvec.Precision) string {
	if p == imgvec.FP32 && !r.Simulated {
		return CUDA
	}
	return r.Provider
}
