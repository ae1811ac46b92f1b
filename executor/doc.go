// Package executor turns encoded images into feature vectors on every core and device of one machine.
//
//	ex, err := executor.Open(ctx, executor.Options{})
//	if err != nil { ... }
//	defer ex.Close()
//	results, err := ex.Extract(batch) // batch is [][]byte
//
// # How it works
//
// A worker takes a ticket (the sequence numbers of the images that it claims) and a free batch from the ring, decodes
// its images straight into the batch, runs the batch on a free stream of any device, and hands the rows out in the
// order of the input. On a CPU there are as many streams as workers, so each worker decodes its own batch and runs it
// in the same goroutine; on a GPU the same code has many decoders and few streams. Nothing queues between the steps:
// when no batch is free, decoders wait.
//
// # Memory
//
// It does not grow with the length of a stream. In flight are at most: one batch a worker (outside the Go heap,
// Stats.BatchBytes), the encoded images of the claimed tickets and of the read-ahead (bounded by number and by bytes),
// the decoders' budget (preprocess.Options.DecodeMemory), and the finished rows between the oldest unfinished image
// and the newest: twice as many tickets as the ring has batches, so a slow image or a slow reader of the results holds
// the workers up instead of piling up rows.
//
// # Failures
//
// An image that cannot be read or decoded fails alone: its Result holds an *imgvec.ImageError, and it takes no place
// in a batch. A batch that fails on a device is run once more, on another device where there is one. A device that is
// gone, does not answer (Options.DeviceTimeout), or has no memory even for one image leaves the rotation; its batches are
// run by the others, and Stats.Reasons says why. Only when no device is left, or the same batch fails twice, does the
// whole call fail.
//
// # Signals
//
// This package never touches signals. A host that computes in bf16 on a CPU with AMX should have signal.Notify for
// SIGINT, SIGTERM and SIGHUP in place before the first inference: without it, Go's default action on such a signal
// ends the process with a segmentation fault, because a frame with AMX state does not fit the runtime's signal stack.
package executor
