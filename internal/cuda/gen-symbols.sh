#!/bin/sh
# Prints symbols.inc: every driver function that gorgonia.org/cu calls, under the name that it has in the library, which
# depends on the header's version (cuda.h renames cuMemAlloc to cuMemAlloc_v2): the union over the given headers.
# Run it when gorgonia.org/cu changes, or a header that this project wants to compile against:
#   sh gen-symbols.sh FOLDER_OF_CU INCLUDE_OF_11.8 INCLUDE_OF_12.0 INCLUDE_OF_12.9 ... >symbols.inc
# trampoline.c holds cuInit and cuDeviceGetCount itself.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cu=$1
shift
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
{ cat "$cu"/*.go | grep -oE '\bC\.cu[A-Z][A-Za-z0-9]*' | sed 's/^C\.//'; grep -ohE '\bcu[A-Z][A-Za-z0-9]*' "$cu"/batch.c; } | sort -u >"$work/used"
for include in "$@"; do
	{ echo '#include <cuda.h>'; echo MARKER; cat "$work/used"; } >"$work/names.c"
	${CC:-cc} -E -P -I"$here/compat" -I"$include" "$work/names.c" >"$work/all"
	sed '1,/^MARKER/d' "$work/all" | sort -u >"$work/renamed"
	# Only functions that the header declares. The compat header declares some under an assembler name.
	sed '/^MARKER/,$d' "$work/all" | tr -s ' \n' '  ' | tr ';' '\n' >"$work/declared"
	for name in $(cat "$work/renamed"); do
		line=$(grep -E "(^|[ )])CUresult $name ?\(" "$work/declared" | tail -n 1)
		[ -n "$line" ] || continue
		case $line in
		*__asm__*) expr "$line" : '.*__asm__("\([^"]*\)")' ;;
		*) echo "$name" ;;
		esac
	done
done | grep -vxE 'cuInit|cuDeviceGetCount' | sort -u | sed 's/.*/X(&)/'
