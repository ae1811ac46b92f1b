// Package dataset reads what a run takes in and writes what it puts out: paths, folders, patterns, lists, tar archives,
// Parquet and Arrow files and URLs become a stream of [imgvec.Item]; rows go to Parquet, Arrow, NPY or JSON lines.
//
//	src, err := dataset.Open([]string{"photos/"}, dataset.SourceOptions{})
//	w, err := dataset.Create("features.parquet", meta, dataset.WriterOptions{})
//	defer w.Abort() // leaves nothing behind unless Finish was reached
//	for r, err := range ex.Stream(ctx, src.Items(ctx)) {
//		err = w.Write(dataset.Row{Result: r})
//	}
//	err = w.Finish()
//
// # Memory
//
// Both directions stream. A source holds the names of one folder a level, one part of a table, and what it reads ahead; a
// writer one row group. Tables are taken for damaged until they have shown otherwise: no memory is taken by their own
// claims, and a panic of a library that reads them is an error.
//
// # Whole or absent
//
// A writer works under a temporary name in the folder of its output, and Finish syncs and renames. Whenever the
// process dies, the output is whole or not there. What a killed run leaves is removed by the next one with the same
// output.
//
// NumPy's format has a second file for the ids. It gets its name first, so that no array stands without what explains
// it, and loses it again where the array can't get its own.
//
// # Long runs
//
// [OpenShards] and [OpenParts] write an output part by part, each whole or absent, and note in a manifest beside it what is
// finished. Whatever ends the process, another one goes on behind that. [OpenMending] runs the failed rows of an output
// again, and [Retry] reads again what failed for a passing reason.
package dataset
