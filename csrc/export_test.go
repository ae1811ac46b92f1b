package csrc

// RandomAxis is for the tests outside the package.
var RandomAxis = randomAxis
