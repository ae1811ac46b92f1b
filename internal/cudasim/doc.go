// Package cudasim is the tests' hand on the simulated GPU driver (csrc/sim): it sets up machines, makes them fail, and
// reads what they saw. Nothing but tests imports it, and nothing in it talks to a real GPU.
//
// A test calls Load, then Reset with the number of devices that it wants, runs what it tests, and ends with
// Sim.Check. The driver is one for the whole process, as a real one is: tests that use it don't run in parallel.
package cudasim
