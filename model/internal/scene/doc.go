// Package scene draws pictures that resemble photos to a neural network: smooth shapes, edges and textures whose
// energy falls with frequency as that of photographs does. A picture depends on its number only, and is computed in
// integers, so that it is the same on every machine.
package scene
