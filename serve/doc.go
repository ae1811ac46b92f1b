// Package serve answers other processes: images come in over a socket or a pipe as Arrow record batches, feature
// vectors go back the same way, and the rows of all connections run through one executor.
//
//	ex, err := executor.Open(ctx, executor.Options{MaxQueueDelay: serve.DefaultQueueDelay})
//	s := serve.New(ex, serve.Config{About: serve.About{Model: "resnet50", Dim: ex.Spec().Dim, Loads: 1}})
//	defer s.Close()
//	err = s.Serve(ctx, listener)
//
// # Protocol 1
//
// A connection is a Unix socket, or the two pipes of a child process. Each side sends one line of JSON (UTF-8, at most
// 64 KiB, ended by \n), then an Arrow IPC stream; the server adds one line at the end. Keys that a side does not know
// are ignored.
//
// 1. The client says what it wants ([Hello]):
//
//	{"protocol":1,"request":"extract","version":"0.1.0",
//	 "options":{"model":"resnet50","precision":"auto"},
//	 "model_sha256":"...","input":"binary",
//	 "window":{"batches":8,"bytes":33554432},
//	 "task":{"app":"...","stage":3,"partition":7,"attempt":0}}
//
// options are flags of the server, without dashes; each must have the same value there. model_sha256, where given, must
// be the server's. input is "binary" (encoded images) or "path". window is how much the client will leave unanswered at
// one time. task and version are for logs. The request may be "about" or "metrics" instead, and needs nothing else.
//
// 2. The server answers ([Reply]) with what it is ([About]), or with a refusal, after which it closes:
//
//	{"protocol":1,"ok":true,"about":{"version":...,"max_window":{"batches":256,"bytes":1073741824}}}
//	{"protocol":1,"ok":false,"code":"options","error":"the server runs with --model \"a\", not \"b\": ..."}
//
// The codes of refusals are protocol, request, options, model, window, input and stopping. To "about" the line is all.
// To "metrics" {"protocol":1,"ok":true} comes first, then Prometheus' text to the connection's end.
//
// 3. The client sends an Arrow stream with one column of any name: binary or large_binary, or for paths string or
// large_string. A batch has at most 16,384 rows and is not compressed; its size is bounded by the server's largest
// window. A path is absolute, or a file: URI of this machine. The server answers with a stream of [Schema]:
//
//	features: list<element: float32>, error: string, width: int32, height: int32      (all nullable)
//
// Its schema comes at once. Batch i of the answers is for batch i of the client, with as many rows in their order, also
// if these are none. A row has features or an error: a null, an empty value, a file that can't be read, what can't be
// decoded. width and height are of the decoded picture, after its orientation; null where they are not known.
//
// 4. When the client has ended its stream (Arrow's end mark; it may then end its side of the socket) and all is
// answered, the server ends its own, sends a [Trailer] and closes:
//
//	{"ok":true,"rows":2000,"failed":3}
//	{"ok":false,"rows":512,"failed":0,"code":"stopping","error":"the server is stopping: ..."}
//
// The codes of streams that the server breaks off are:
//
//   - stopping: it is to end, or nothing came for long; every batch that it took is answered. What is not is for
//     another server.
//   - window: the client has exceeded the window that it asked for.
//   - batch: what came can't be read, or is larger than the server takes.
//   - device: no device is left. What is not answered never will be.
//   - internal: a mistake of the server's.
//
// rows is what was answered. A client that is told no in the middle of a write is read on for 5 seconds, so that it
// comes to read why; a client should look for the trailer also when a write fails.
//
// A connection that ends without Arrow's end mark, on either side, means that the other process is dead. The server
// then forgets that client's rows at once: those that it has not begun are not computed.
//
// # The window
//
// The server reads whatever the window allows without waiting for anything, so a client may write its whole window
// before it reads a byte, and a window of any size that was granted can't lead to both sides waiting for each other. A
// batch counts from its arrival until its answer begins to go out, by the bytes of its values (for large messages with
// little in them, by the message). One batch that is larger than the window may come while nothing else is unanswered.
//
// Memory is bounded by it: for each connection the batches of its window and as many bytes of answers, and one batch
// more. Of a client that does not read its answers, no more rows are computed. A body's memory is taken as its bytes
// come, and used again for later batches.
//
// # Order and fairness
//
// Rows are taken from all connections in turn, one at a time. The executor hands results out in the order in which it
// took the rows; so one slow image holds up the results of others, by as much as the executor looks ahead, but never
// for longer than it takes itself.
//
// The executor's stream waits Options.MaxQueueDelay for a batch to fill. Its default, 20 ms, is for slow disks. Here the
// rows of a batch come together, and a client with a small window waits for the answer before it sends more: give it
// [DefaultQueueDelay].
//
// # Time
//
// Every read and write has a deadline, where the connection knows deadlines (pipes need not): a client has 10 s for its
// line, 60 s for the next bytes of a message that it has begun, and an hour between messages, if nothing is owed to it.
// It has an hour as well to take an answer: a Spark task takes features when it has a use for them. A client that died
// is noticed at once, by the end of its socket; one that had sent all, by a look at the socket four times a second.
//
// The watchdog ends the server with [ErrStalled] when rows are with the executor and none has come out for Config.Stall.
// There is no way to end a thread that hangs in a library, so the process has to go; clients know what to do about a
// server that is dead. The log names the rows that were in work.
//
// # One goroutine each
//
// A connection has a reader and a writer; the server has one goroutine that runs the executor's stream, one that feeds
// it, and the watchdog. What they share is in one queue under one lock, which nobody holds while they wait for a socket.
//
// # Faults
//
// In builds with the tag imgvec_faults, and no others, marks in an image's bytes do harm in the worker that opens it:
// IMGVEC-FAULT-CRASH (a segmentation fault), IMGVEC-FAULT-HANG, IMGVEC-FAULT-EXIT:N and IMGVEC-FAULT-SLEEP:MS.
package serve
