// Package flattable reads FlatBuffers tables field by field, without believing what they say.
//
// What describes an Arrow message or file is such a table. Arrow's own reader takes memory by the lengths that stand in
// it, before it looks whether there is so much: a hundred bytes of a damaged message could end the process, and no
// recover would help. Here a number is only ever compared. A place outside of the table is a panic, which the callers
// make an error of.
package flattable
