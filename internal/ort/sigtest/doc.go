// Package sigtest installs a signal handler as careless native libraries do, for tests of those who mend it.
package sigtest
