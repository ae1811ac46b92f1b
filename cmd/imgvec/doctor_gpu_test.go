package main

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/imgvec/imgvec/internal/measure"
)

// gpuLines is what doctor prints of a report, with single spaces.
func gpuLines(t *testing.T, g measure.GPU) string {
	t.Helper()
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	printGPU(w, g)
	must(t, w.Flush())
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

func TestDoctorOnGPUs(t *testing.T) {
	none := measure.GPU{Error: "imgvec: start the GPU driver: no such device: no NVIDIA driver; install one"}
	if got := gpuLines(t, none); got != "GPU not usable: start the GPU driver: no such device: no NVIDIA driver; install one" {
		t.Errorf("without a GPU: %s", got)
	}
	g := measure.GPU{
		Usable: true, Driver: "CUDA 13.0", DriverPath: "/lib/libcuda.so.580.1", Provider: "cuda", Precision: "fp16",
		TensorRT: measure.GPUProvider{Error: "imgvec: TensorRT is not there:\n- libnvinfer.so.10: not found"},
		CUDA:     measure.GPUProvider{Usable: true, Path: "/ort/cuda.so", Versions: map[string]string{"cuDNN": "9.1", "CUDA": "13.0"}},
	}
	g.Devices = append(g.Devices, measure.GPUDevice{
		Name: "cuda:0", Model: "NVIDIA H100", UUID: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", PCI: "0000:3b:00.0",
		Memory: 85e9, Capability: "9.0", SMs: 132, NUMANode: 1,
	})
	want := `GPU driver for CUDA 13.0, /lib/libcuda.so.580.1; usable
cuda:0 NVIDIA H100, GPU-8932f937, PCI 0000:3b:00.0, 85.0 GB, compute capability 9.0, 132 SMs, NUMA node 1
TensorRT not usable: TensorRT is not there:
- libnvinfer.so.10: not found
CUDA CUDA 13.0, cuDNN 9.1, /ort/cuda.so`
	if got := gpuLines(t, g); got != want {
		t.Errorf("with a GPU:\n%s\nwant\n%s", got, want)
	}
	// What stands in the way of everything is told once.
	g.CUDA = measure.GPUProvider{Error: "cuDNN is missing"}
	g.Usable, g.Error, g.Devices[0].NUMANode = false, g.CUDA.Error, -1
	if got := gpuLines(t, g); strings.Count(got, "cuDNN is missing") != 1 || !strings.Contains(got, "CUDA not usable, see GPU") || strings.Contains(got, "NUMA") {
		t.Errorf("with a piece missing:\n%s", got)
	}
}

func TestProviderOptions(t *testing.T) {
	f := engineFlags{device: "auto", providerOptions: []string{"use_tf32=1", "cuda.gpu_mem_limit=a=b", "empty="}, provider: "tensorrt"}
	must(t, f.checkGPU())
	o := f.options()
	if len(o.Session) != 3 || o.Session["use_tf32"] != "1" || o.Session["cuda.gpu_mem_limit"] != "a=b" || o.Session["empty"] != "" || o.Provider != "tensorrt" {
		t.Errorf("%+v", o)
	}
}
