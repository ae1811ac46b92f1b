package executor

import (
	"context"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
)

// gpuCandidates are the sessions on a GPU to compare with a reference in that precision.
func gpuCandidates(reference imgvec.Precision) []candidate {
	if reference == imgvec.INT8 {
		return []candidate{{gpu.TensorRT, imgvec.INT8}, {gpu.CUDA, imgvec.INT8}}
	}
	return []candidate{{gpu.TensorRT, imgvec.FP16}, {gpu.CUDA, imgvec.FP16}, {gpu.CUDA, imgvec.FP32}}
}

// measureGPU measures the first GPU. Whatever fails there is skipped with the reason, for the CPU's part is of use
// without it; on most machines that is one line.
func (v *verification) measureGPU(ctx context.Context, reference imgvec.Precision) error {
	report := v.gpus.look(v.opts.LibraryDir)
	switch {
	case !report.Usable:
		v.skip(candidate{provider: gpu.CUDA}, report.Error)
		return nil
	case report.Simulated:
		v.skip(candidate{provider: gpu.CUDA}, "the driver is the simulated one, whose figures say nothing")
		return nil
	}
	names, err := v.gpus.devices(nil)
	if err != nil {
		v.skip(candidate{provider: gpu.CUDA}, err.Error())
		return nil
	}
	for _, c := range gpuCandidates(reference) {
		if c.provider == gpu.TensorRT && !report.TensorRT.Usable {
			v.skip(c, report.TensorRT.Error)
			continue
		}
		if err := v.measureOn(ctx, names[0], c); err != nil {
			return err
		}
	}
	return nil
}

// measureOn runs the pictures through one session on a GPU. Its batch is the executor's, so that an engine that is built
// for it is the one that the executor needs.
func (v *verification) measureOn(ctx context.Context, device string, c candidate) error {
	backend, err := v.gpus.open(ctx, v.m.Path, v.m.Spec, gpu.Options{
		Device: device, Precision: c.precision, Provider: c.provider, Streams: 1, LibraryDir: v.opts.LibraryDir,
		CacheDir: v.opts.CacheDir, Log: v.opts.Log,
	})
	var features []float32
	var info gpu.Info
	if err == nil {
		info = backend.Info()
		features, err = v.features(ctx, backend, info.Batch)
	}
	switch {
	case ctx.Err() != nil:
		return cause(ctx)
	case err != nil:
		v.skip(c, err.Error())
		return nil
	}
	return v.add(features, model.Cosine{Provider: c.provider, Version: info.Versions[versionKeys[c.provider]], Precision: info.Precision})
}

// versionKeys are the libraries in gpu.Info.Versions that the providers belong to.
var versionKeys = map[string]string{gpu.TensorRT: "TensorRT", gpu.CUDA: "ONNX Runtime"}

func (v *verification) skip(c candidate, reason string) {
	v.report.Skipped = append(v.report.Skipped, VerifySkip{c.provider, c.precision, firstLine(reason)})
}
