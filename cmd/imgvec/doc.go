// Command imgvec turns images into feature vectors.
//
//	imgvec extract photos/ -o features.parquet
//
// `imgvec help` lists the commands; each has an example in its --help. What a person reads goes to standard error,
// data to standard output only where asked for.
//
// Exit status: 0 done, 1 could not do the job, 2 wrong usage, 3 done but with more failed images than allowed, 69 and
// 70 of servers (no device is left; an image hung), 130 (129, 143) ended by SIGINT (SIGHUP, SIGTERM).
package main
