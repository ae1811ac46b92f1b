package ort

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// lostCodes end a context or a device: nothing that this process asks of it works any more. CUDA's runtime and its driver
// number them alike.
var lostCodes = []int{46, 100, 101, 214, 215, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 802, 999}

func deviceLost(text string) bool {
	match := cudaCode.FindStringSubmatch(text)
	if match == nil {
		return false
	}
	code, err := strconv.Atoi(match[1])
	return err == nil && slices.Contains(lostCodes, code)
}
