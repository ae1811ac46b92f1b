// Package report makes one page of HTML that shows what an output of imgvec holds: what made it, a map of its images,
// the nearest neighbours of some, near-duplicates, failures and distributions, with thumbnails of the images that are
// still found under their ids.
//
//	v, err := dataset.OpenVectors("features.parquet", dataset.VectorsOptions{})
//	page, err := report.Build(ctx, v, report.Options{})
//	err = page.Write(w)
//
// The page has everything in it: it loads nothing, and its content security policy forbids it to. The same output and
// options give the same page. Ids are strangers' text: they are escaped, cut where they are very long, and what would
// turn text round or hide in it is shown by number.
//
// # What is exact
//
// Neighbours are (package similar). So are near-duplicates: every pair whose cosine reaches the threshold is found, among
// all vectors or, of outputs with more than [MaxPairRows], a sample; see near.go for how pairs are ruled out cheaply. The
// map is a principal component analysis by the covariance of the vectors at length 1.
package report
