//go:build cgo && !windows

package ort

import (
	"os"

	"github.com/yalue/onnxruntime_go"
)

// LogVariable names how much ONNX Runtime and its providers write to standard error: verbose, info, warning, error. By default
// nothing: errors come back as values.
const LogVariable = "IMGVEC_ORT_LOG"

// logLevel is what LogVariable asks for.
func logLevel() (onnxruntime_go.LoggingLevel, onnxruntime_go.EnvironmentOption) {
	switch os.Getenv(LogVariable) {
	case "verbose":
		return onnxruntime_go.LoggingLevelVerbose, onnxruntime_go.WithLogLevelVerbose()
	case "info":
		return onnxruntime_go.LoggingLevelInfo, onnxruntime_go.WithLogLevelInfo()
	case "warning":
		return onnxruntime_go.LoggingLevelWarning, onnxruntime_go.WithLogLevelWarning()
	case "error":
		return onnxruntime_go.LoggingLevelError, onnxruntime_go.WithLogLevelError()
	}
	return onnxruntime_go.LoggingLevelFatal, onnxruntime_go.WithLogLevelFatal()
}
