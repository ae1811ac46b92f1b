package csrc

// RandomAxis is for the tests outside the package.
var RandomAxis = randomAxis

// Lo is where window i begins.
func Lo(a *Axis, i int) int { return a.windows[i].Lo }

// Weights are those of window i.
func Weights(a *Axis, i int) []int32 { return a.windows[i].Weights }
