// Package fake is a Backend without a model or a device, for the tests of what stands above backends: it is as fast as
// its hash, or slow, or fails, hangs, runs out of memory or loses its device when told to.
package fake
