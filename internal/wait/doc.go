// Package wait sleeps between tries.
package wait
