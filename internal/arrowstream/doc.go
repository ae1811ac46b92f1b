// Package arrowstream writes Arrow IPC streams whose schema goes out before the first rows.
package arrowstream
