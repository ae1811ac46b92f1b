package ort

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/imgvec/imgvec"
)

// Options are those of a session on the CPU.
type Options struct {
	OpenVINO  bool             // else ONNX Runtime's own CPU provider
	Precision imgvec.Precision // FP32 or BF16; OpenVINO only
	Streams   int              // calls of Run that compute at the same time
	Threads   int              // all streams together
	Fold      bool             // turn stored int8 weights into float32 while loading; not for models that compute in int8
}

// foldKey lets ONNX Runtime fold DequantizeLinear of weights as any other constant. Without it OpenVINO dequantises them
// itself, and with more than one stream gets garbage (seen with plugin 1.8.1 on ResNet-50 in every process, never with one
// stream). The session is wrong from its first run on, in the same way in every run, also where runs come one after
// another: it is the graphs of the streams that are made wrongly. ONNX Runtime's own provider dequantises again in every
// run.
const foldKey = "session.disable_quant_qdq"

// hints are OpenVINO's names of precisions. There is no default: OpenVINO's own is bf16 wherever the CPU can, also where
// that is emulated and slower.
var hints = map[imgvec.Precision]string{imgvec.FP32: "f32", imgvec.BF16: "bf16"}

// loadConfig is the provider option load_config. Pinning is off: two sessions would be pinned to the same core.
func (o Options) loadConfig() (string, error) {
	hint, ok := hints[o.Precision]
	if !ok {
		return "", fmt.Errorf("imgvec: BUG: OpenVINO in precision %q", o.Precision)
	}
	config, err := json.Marshal(map[string]map[string]string{"CPU": {
		"INFERENCE_PRECISION_HINT": hint,
		"INFERENCE_NUM_THREADS":    strconv.Itoa(o.Threads),
		"NUM_STREAMS":              strconv.Itoa(o.Streams),
		"ENABLE_CPU_PINNING":       "NO",
	}})
	return string(config), err
}
