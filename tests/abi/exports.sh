#!/bin/bash
# What the libraries show and need. Usage: tests/abi/exports.sh BUILD
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build}
. tests/abi/common.sh
need nm readelf strip stat gcc
so=$build/libleat.so a=$build/libleat.a
[ -e "$so" ] || { fail "$so is not there"; finish; }
[ -e "$a" ] || { fail "$a is not there"; finish; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
same() { # WHAT FILE FILE
  if diff "$2" "$3" >"$work/diff"; then pass "$1"; else fail "$1"; cat "$work/diff"; fi
}
exported_names | sort >"$work/headers"
sed -nE 's/^ +(leat_[a-z0-9_]+);$/\1/p' lib/leat.map | sort >"$work/map"
nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' | sort >"$work/so-versioned"
sed 's/@.*//' "$work/so-versioned" >"$work/so"
nm --defined-only -g "$a" | awk 'NF == 3 { print $3 }' | sort >"$work/a"
[ "$(wc -l <"$work/headers")" -gt 50 ] && pass "$(wc -l <"$work/headers") functions in the headers" ||
  fail "the headers could not be read"
same "lib/leat.map lists what the headers declare" "$work/headers" "$work/map"
same "libleat.so exports what the headers declare" "$work/headers" "$work/so"
same "libleat.a shows what the headers declare" "$work/headers" "$work/a"
if grep -v '@@LEAT_' "$work/so-versioned"; then fail "a symbol has no version"; else pass "every symbol has a version"; fi
[ "$(nm "$a" 2>/dev/null | grep -c '^$\|:$')" -le 2 ] && pass "libleat.a is one object" || fail "libleat.a is not one object"
soname=$(readelf -d "$so" | sed -nE 's/.*SONAME.*\[(.*)\]/\1/p')
[ "$soname" = libleat.so.0 ] && pass "soname $soname" || fail "soname '$soname', libleat.so.0 is right"
for name in $(readelf -d "$so" | sed -nE 's/.*NEEDED.*\[(.*)\]/\1/p'); do
  case $name in
    libc.so.*|libm.so.*|libpthread.so.*|libblis.so.*|libzstd.so.*|libxxhash.so.*|ld-linux*) pass "needs $name" ;;
    *) fail "needs $name: only libc, libm, libpthread, libblis, libzstd, libxxhash are allowed" ;;
  esac
done
readelf -d "$so" | grep -q TEXTREL && fail "text relocations" || pass "no text relocations"
readelf -lW "$so" | grep -q 'GNU_STACK.*RWE' && fail "executable stack" || pass "no executable stack"
strip -o "$work/stripped" "$so"
size=$(stat -c %s "$work/stripped")
[ "$size" -lt 1572864 ] && pass "stripped: $size bytes" || fail "stripped: $size bytes, 1572864 are the limit"
# What a library must not call, as the linker sees it (what the sources say is the lint's).
nm -D --undefined-only "$so" | awk '{ sub(/@.*/, "", $2); print $2 }' >"$work/undefined"
for name in printf fprintf puts putchar abort exit _exit getenv secure_getenv setlocale signal sigaction system atof \
  fopen rand __assert_fail; do
  if grep -qx "$name" "$work/undefined"; then fail "libleat.so calls $name"; fi
done
pass "calls looked at"
finish
