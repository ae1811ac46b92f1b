package ort

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec/internal/nvidia"
)

// noMemory are the words for memory that is spent: of the allocator, its arena under a limit, CUDA and its libraries.
var noMemory = []string{
	"bad_alloc", "bad allocation", "Failed to allocate memory", "out of memory", "cudaErrorMemoryAllocation",
	"is smaller than requested bytes", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
}

func outOfMemory(text string) bool {
	return slices.ContainsFunc(noMemory, func(words string) bool { return strings.Contains(text, words) })
}

// cudaCode finds CUDA's own code in "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; ...".
var cudaCode = regexp.MustCompile(`(?i)cuda (?:failure|error)(?: code)? (\d+)`)

func deviceLost(text string) bool {
	match := cudaCode.FindStringSubmatch(text)
	if match == nil {
		return false
	}
	code, err := strconv.Atoi(match[1])
	return err == nil && nvidia.Lost(code)
}
