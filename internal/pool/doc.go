// Package pool hands out a fixed number of things, each to one caller at a time, until it is closed: the streams of a
// backend.
package pool
