// Package leaktest ends a package's tests with a look for goroutines that were left behind.
package leaktest
