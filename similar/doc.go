// Package similar finds the nearest neighbours of feature vectors in the outputs of imgvec, exactly: every vector of the
// output is compared with every query.
//
//	v, err := dataset.OpenVectors("features.parquet", dataset.VectorsOptions{})
//	found, err := similar.Search(ctx, v, []similar.Query{{Vector: vector, Exclude: similar.None}}, similar.Options{})
//	for _, n := range found.Neighbours[0] {
//		fmt.Println(n.Row, n.Score)
//	}
//
// The output streams through memory; what is held are the queries, their neighbours and one batch a core. The result
// does not depend on the number of cores, the batches or the machine: products have the same bits everywhere (package
// csrc), and rows of the same score are ordered by their number.
package similar
