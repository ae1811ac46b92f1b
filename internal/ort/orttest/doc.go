// Package orttest is for tests only: it lets the OpenVINO plugin work on CPUs of other makers.
package orttest
