// Package float16 converts between float32 and the bits of IEEE 754 half-precision numbers (binary16).
//
// Arrow's float16 package is not used: it cuts the low bits off instead of rounding, and flushes small numbers to zero.
package float16
