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
// second, where decode and infer are what each does alone on all cores.
package measure
