// Package serve answers other processes: images come in over a socket or a pipe as Arrow record batches, feature
// vectors go back the same way, and the rows of all connections run through one executor.
package serve
