#!/bin/bash
# The ABI gate. It fails when it cannot run. Usage: tests/abi/run.sh BUILD (gcc, no sanitizer)
#   headers      compile alone in every dialect, no padding
#   exports      headers = lib/leat.map = exports; NEEDED; size
#   1 cdef       the list of declarations equals tests/abi/leat-0.cdef: names, constants, order
#   2 abixml     the types behind the exports equal tests/abi/leat-0.abi
#   3 abidiff    nothing that an old caller relies on has changed (XML against XML)
#   4 offsets    sizes and offsets of every public struct
#   5 frozen     a host and a plug-in compiled with the headers of 0.1 run with this library
# A change that is meant: tests/abi/update.sh, and read its difference.
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build}
. tests/abi/common.sh
need gcc abidw abidiff readelf diff python3
so=$build/libleat.so
[ -e "$so" ] || { fail "$so is not there"; finish; }
for golden in leat-0.cdef leat-0.abi offsets.c v0_1/leat/leat.h v0_1/leat/backend.h; do
  [ -s tests/abi/$golden ] || { fail "tests/abi/$golden is missing (tests/abi/update.sh)"; finish; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
part() { # NAME COMMAND...: counts a script's own sum
  local name=$1 sum a b c
  shift
  "$@" >"$work/$name" 2>&1 || true
  sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$work/$name" | tail -1)
  cat "$work/$name"
  if [ -z "$sum" ]; then fail "$name ended early"; return; fi
  read -r a b c <<<"$(echo "$sum" | tr -dc '0-9 ')"
  p=$((p + a)) f=$((f + b)) s=$((s + c))
}
part headers tests/abi/headers.sh
part exports tests/abi/exports.sh "$build"

declarations include >"$work/cdef"
[ "$(grep -c '(' "$work/cdef")" -gt 50 ] || fail "the declarations could not be read"
if diff tests/abi/leat-0.cdef "$work/cdef"; then pass "1 cdef"; else fail "1 cdef: the declarations have changed"; fi

if readelf -SW "$so" | grep -q '\.debug_info'; then
  pass "2 debug information is there"
  { tools_text; abi_xml "$so"; } >"$work/abi"
  [ "$(grep -c '<function-decl' "$work/abi")" -ge 50 ] || fail "2 abixml: too few functions in it"
  if [ "$(head -1 "$work/abi")" != "$(head -1 tests/abi/leat-0.abi)" ]; then
    skip "2 abixml: the golden was made with other tools: $(head -1 tests/abi/leat-0.abi)"
  elif diff tests/abi/leat-0.abi "$work/abi" >"$work/abi.diff"; then pass "2 abixml"
  else fail "2 abixml"; head -40 "$work/abi.diff"; fi
  tail -n +2 tests/abi/leat-0.abi >"$work/old.abi"
  tail -n +2 "$work/abi" >"$work/new.abi"
  # Bit 8 ("incompatible") is not set by changes of layout: anything but 0 is a breach.
  if abidiff --no-added-syms "$work/old.abi" "$work/new.abi"; then pass "3 abidiff"; else fail "3 abidiff"; fi
  abidiff --no-added-syms --harmless "$work/old.abi" "$work/new.abi" || true
else
  fail "2 no debug information in $so: types cannot be compared"
fi

if gcc -std=c11 -Wall -Werror -Iinclude -fsyntax-only tests/abi/offsets.c; then pass "4 offsets"; else fail "4 offsets"; fi

flags="-std=c11 -Wall -Wextra -Werror -g"
old=tests/abi/v0_1
# shellcheck disable=SC2086
if gcc $flags -I$old $old/consumer.c -o "$work/consumer" -L"$build" -lleat -Wl,-rpath,"$(realpath "$build")" &&
  gcc $flags -fPIC -shared -fvisibility=hidden -I$old $old/plugin.c -o "$work/plugin.so" &&
  "$work/consumer" "$work/plugin.so"; then pass "5 frozen host and plug-in of 0.1"
else fail "5 frozen host and plug-in of 0.1"; fi
if nm -D --defined-only "$work/plugin.so" 2>/dev/null | awk '{ print $3 }' | grep -qvx leat_backend_query_v1; then
  fail "5 the plug-in exports more than leat_backend_query_v1"
else pass "5 the plug-in exports one function"; fi
finish
