// Package backendtest is the acceptance suite of imgvec.Backend: what every implementation must pass before an executor
// may use it.
package backendtest
