// Package testdata finds what tests need and a fresh clone may lack: the folder of real photos, models and reference
// vectors, and the native libraries.
//
// A test that lacks something skips and says so, except where the environment variable IMGVEC_REQUIRE (a list with
// commas: testdata, ort, openvino, codecs, gpu, sim) names it: then it fails, so that a machine that is meant to have it
// can't pass by skipping.
package testdata
