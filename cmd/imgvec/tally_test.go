package main

import "testing"

// TestFailuresAreNamedOnce holds that the line of a failure says the image's name once, wherever its error has it.
func TestFailuresAreNamedOnce(t *testing.T) {
	for want, f := range map[string]failure{
		`1 other: a.tar: can't be read on`:        {Reason: "other", Count: 1, ID: "a.tar", Error: "a.tar: can't be read on"},
		`1 no such file: s3://b/x.jpg: no object`: {Reason: "no such file", Count: 1, ID: "s3://b/x.jpg", Error: "no object: s3://b/x.jpg"},
		`1 no such file: x.jpg`:                   {Reason: "no such file", Count: 1, ID: "x.jpg", Error: "no such file: x.jpg"},
		`2 not decodable: first x.jpg: truncated`: {Reason: "not decodable", Count: 2, ID: "x.jpg", Error: "truncated"},
	} {
		if got := f.line(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
