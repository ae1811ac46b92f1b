//go:build !(cgo && linux)

package cudasim

// The twin for builds that can't open the library: Load ends every test, so that nothing else is called.

func load(string) string { return "it needs Linux and cgo" }

func reset(int) string   { return "" }
func fail(Fault)         {}
func hang(int, int)      {}
func release()           {}
func capturing(bool)     {}
func slowCopies(int64)   {}
func lag(int64)          {}
func memory(int64)       {}
func settle() bool       { return true }
func counters() Counters { return Counters{} }
func violations() string { return "" }
func clearViolations()   {}
func calls(string) int64 { return 0 }
