//go:build !unix

package home

import "io/fs"

// Elsewhere the mode does not tell who may write.
func writableByAll(fs.FileInfo) bool { return false }

func owner(fs.FileInfo) (uid int, known bool) { return 0, false }
