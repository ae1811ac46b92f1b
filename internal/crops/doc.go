// Package crops turns a stream of images into the pixels that a model would see, on all cores and in order, without
// running a model: what `imgvec preprocess` shows. With a model the executor does this.
package crops
