// Package hub gets files from model hubs over HTTP, from mirrors and from folders, to the byte: a download that broke off
// is gone on with, and no file appears under its final name before its SHA-256 is right.
//
// It decides nothing about where a file may come from: [Get] takes a list of places and tries them in order.
package hub
