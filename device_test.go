package imgvec_test

import (
	"slices"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestParseDevices(t *testing.T) {
	for in, want := range map[string]imgvec.Devices{
		"":                               {Kind: imgvec.DeviceAuto},
		"auto":                           {Kind: imgvec.DeviceAuto},
		"cpu":                            {Kind: imgvec.DeviceCPU},
		"cuda":                           {Kind: imgvec.DeviceCUDA},
		"cuda:0":                         {Kind: imgvec.DeviceCUDA, IDs: []string{"0"}},
		"cuda:0, 2":                      {Kind: imgvec.DeviceCUDA, IDs: []string{"0", "2"}},
		"cuda:GPU-8932f937,MIG-1":        {Kind: imgvec.DeviceCUDA, IDs: []string{"GPU-8932f937", "MIG-1"}},
		"cuda:0000:3b:00.0,0000:3c:00.0": {Kind: imgvec.DeviceCUDA, IDs: []string{"0000:3b:00.0", "0000:3c:00.0"}},
		"cuda:3b:00.0":                   {Kind: imgvec.DeviceCUDA, IDs: []string{"3b:00.0"}},
		"cuda:00000000:3B:00.0":          {Kind: imgvec.DeviceCUDA, IDs: []string{"00000000:3B:00.0"}},
		"cuda:3b:00,1":                   {Kind: imgvec.DeviceCUDA, IDs: []string{"3b:00", "1"}},
		"cuda:gpu-89":                    {Kind: imgvec.DeviceCUDA, IDs: []string{"gpu-89"}},
	} {
		got, err := imgvec.ParseDevices(in)
		if err != nil || got.Kind != want.Kind || !slices.Equal(got.IDs, want.IDs) {
			t.Errorf("ParseDevices(%q) = %v, %v, want %v", in, got, err, want)
			continue
		}
		again, err := imgvec.ParseDevices(got.String())
		if err != nil || again.String() != got.String() {
			t.Errorf("%q: its String %q is read as %v, %v", in, got, again, err)
		}
	}
}

func TestParseDevicesRefuses(t *testing.T) {
	for _, in := range []string{"gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:99999", "cuda:0,0", "cuda:0,", "cpu:0", "auto:1", " cpu", "cuda 0",
		"cuda:0:", "cuda::0", "cuda:3b:00.", "cuda:3b:00.00", "cuda:3b:xy.0", "cuda:1:2:3:4", "cuda:0000:3b:000.0"} {
		if got, err := imgvec.ParseDevices(in); err == nil {
			t.Errorf("ParseDevices(%q) = %v, want an error", in, got)
		}
	}
}

func TestParsePrecision(t *testing.T) {
	for in, want := range map[string]imgvec.Precision{"": imgvec.PrecisionAuto, "auto": imgvec.PrecisionAuto, "fp32": imgvec.FP32,
		"bf16": imgvec.BF16, "fp16": imgvec.FP16, "int8": imgvec.INT8} {
		if got, err := imgvec.ParsePrecision(in); err != nil || got != want {
			t.Errorf("ParsePrecision(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"float32", "FP32", "half", " "} {
		if got, err := imgvec.ParsePrecision(in); err == nil {
			t.Errorf("ParsePrecision(%q) = %q, want an error", in, got)
		}
	}
}
