// Package measure is what `imgvec bench` measures: how many images a second the parts of the pipeline and the whole
// can do on this machine, side by side in one process.
//
// # Rounds
//
// A machine is never as fast one minute as the next. So the stages take turns, round after round, and every ratio is
// taken within one round; of the rounds the median counts, and the spread is told.
//
// # The bound
//
// On a CPU the decoders and the model share the cores, so the whole can at best do 1/(1/decode + 1/infer) images a
// second, where decode and infer are what each does alone on all cores. Beside a GPU they share nothing, and the slower
// of the two is the bound.
//
// # Steps of a GPU
//
// With two batches in flight one waits for the other inside its own times. So the steps (h2d, normalize, session, d2h)
// are timed with one batch at a time, and the overlap efficiency is the slowest of them over what the pipeline takes.
package measure
