#!/bin/bash
# Rewrites the goldens of the ABI gate from the tree: lib/leat.map, leat-0.cdef, offsets.c and, from a library that was
# built with that map, leat-0.abi; with --freeze also the headers in v0_1/. Run it with intent: the difference in git is what users of the library will meet, and a reviewer reads it.
# Usage: tests/abi/update.sh [--freeze] [BUILD], or tests/abi/update.sh map: lib/leat.map only
cd "$(dirname "$0")/../.." || exit 1
freeze=0
[ "${1:-}" = --freeze ] && { freeze=1; shift; }
build=${1:-build}
. tests/abi/common.sh
need gcc abidw python3
set -e
if [ "$freeze" = 1 ] || [ "$build" = map ]; then # one node so far: it may change until 0.1 is released
  {
    sed -n '1,/global:/p' lib/leat.map
    exported_names | sed 's/.*/    &;/'
    printf '  local: *;\n};\n'
  } >lib/leat.map.new
  mv lib/leat.map.new lib/leat.map
  [ "$build" = map ] && exit 0
fi
declarations include >tests/abi/leat-0.cdef
python3 tests/abi/offsets.py >tests/abi/offsets.c
{ tools_text; abi_xml "$build/libleat.so"; } >tests/abi/leat-0.abi
if [ $freeze = 1 ]; then
  mkdir -p tests/abi/v0_1/leat
  cp include/leat/leat.h include/leat/backend.h tests/abi/v0_1/leat/
fi
git --no-pager diff --stat -- tests/abi || true
