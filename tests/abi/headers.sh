#!/bin/bash
# Each public header compiles alone, as C99, C11, C17 and C++, without a warning; no struct has padding.
cd "$(dirname "$0")/../.." || exit 1
. tests/abi/common.sh
need gcc g++ clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
try() { # WHAT COMMAND...
  local what=$1
  shift
  if "$@" >"$work/log" 2>&1; then pass "$what"; else fail "$what"; cat "$work/log"; fi
}
for header in leat/leat.h leat/backend.h leat/conformance.h; do
  printf '#include "%s"\nint use_header(void);\nint use_header(void) { return 0; }\n' "$header" >"$work/h.c"
  cp "$work/h.c" "$work/h.cc"
  for std in c99 c11 c17; do
    for cc in gcc clang; do
      try "$header $cc -std=$std" $cc -std=$std -pedantic-errors -Wall -Wextra -Wconversion -Wstrict-prototypes -Werror \
        -Iinclude -c "$work/h.c" -o "$work/h.o"
    done
  done
  for std in c++11 c++17; do
    try "$header g++ -std=$std" g++ -std=$std -pedantic-errors -Wall -Wextra -Wconversion -Werror -Iinclude \
      -c "$work/h.cc" -o "$work/h.o"
  done
done
# clang looks for padding only in structs whose size is used.
{
  echo '#include "leat/backend.h"'
  declarations include | sed -nE 's/^typedef struct (\w+)\{$/\1/p; s/^typedef struct (\w+) \{$/\1/p' |
    awk '{ print "_Static_assert(sizeof(" $1 ") > 0, \"\");" }'
} >"$work/pad.c"
[ "$(wc -l <"$work/pad.c")" -gt 10 ] && pass "$(($(wc -l <"$work/pad.c") - 1)) structs" || fail "no structs found"
try "no padding" clang -std=c11 -Wpadded -Werror -Iinclude -fsyntax-only "$work/pad.c"
finish
