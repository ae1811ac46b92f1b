#!/bin/sh
# A C compiler for `go build` that links against glibc 2.28, whatever this machine has: zig cc, found by $ZIG.
# The arithmetic is that of every other build: no fused multiply-add where C says two roundings, no checks of zig's own.
# gorgonia.org/cu names this machine's own folders of headers and libraries, which belong to another glibc: they go.
set -eu
for arg in "$@"; do
	shift
	case $arg in
	-I/usr/include | -L/usr/* | -L/opt/*) ;;
	*) set -- "$@" "$arg" ;;
	esac
done
exec "$ZIG" cc -target x86_64-linux-gnu.2.28 -ffp-contract=off -fno-sanitize=all "$@"
