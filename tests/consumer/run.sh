#!/bin/bash
# Installs a build into a folder, moves that folder, and builds one host in every way a host may be built: pkg-config
# shared and static, find_package, add_subdirectory. Usage: tests/consumer/run.sh BUILD
cd "$(dirname "$0")/../.." || exit 1
root=$PWD build=${1:-build}
. tests/abi/common.sh
need cmake gcc pkg-config ldd
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_LIBRARY_PATH

cmake --install "$build" --prefix "$work/first" >"$work/log" 2>&1 || { cat "$work/log"; fail "install"; finish; }
mv "$work/first" "$work/moved"
tree=$work/moved
for file in include/leat/leat.h include/leat/backend.h lib/libleat.so lib/libleat.so.0 lib/libleat.a \
  include/leat/conformance.h lib/libleat-conformance.a lib/pkgconfig/leat-conformance.pc \
  lib/pkgconfig/leat.pc lib/cmake/leat/leatConfig.cmake lib/cmake/leat/leatConfigVersion.cmake share/doc/leat/LICENSE; do
  [ -e "$tree/$file" ] && pass "installs $file" || fail "does not install $file"
done
if [ -x "$build/leat" ]; then
  if "$tree/bin/leat" --help >"$work/log" 2>&1; then pass "the moved leat program runs"
  else fail "the moved leat program does not run"; cat "$work/log"; fi
fi
grep -rl "$work/first\|$root" "$tree/lib/pkgconfig" "$tree/lib/cmake" && fail "a path of the build in the package files" ||
  pass "no path of the build in the package files"

export PKG_CONFIG_PATH=$tree/lib/pkgconfig
runs() { # NAME PROGRAM
  if "$2" >"$work/out" 2>&1 && grep -q ': learned$' "$work/out"; then pass "$1"
  else fail "$1"; cat "$work/out"; fi
}
warnings="-std=c99 -Wall -Wextra -Werror"
# shellcheck disable=SC2046,SC2086
if gcc $warnings tests/consumer/main.c -o "$work/pc-shared" $(pkg-config --cflags --libs leat) -Wl,-rpath,"$tree/lib"; then
  runs "pkg-config, shared" "$work/pc-shared"
  [ "$(readelf -d "$work/pc-shared" | grep -c 'NEEDED.*\(libleat\|libc\)\.')" -eq "$(readelf -d "$work/pc-shared" | grep -c NEEDED)" ] &&
    pass "a shared host needs libleat and libc alone" || fail "a shared host needs more than libleat and libc"
else fail "pkg-config, shared"; fi
# The author of a plug-in: the conformance library alone, without libleat.
# shellcheck disable=SC2046,SC2086
if gcc $warnings tests/consumer/conformance.c -o "$work/conformance" $(pkg-config --cflags --libs leat-conformance) &&
  "$work/conformance" "$build/examples/libleat-tiny.so" >"$work/log" 2>&1 && ! ldd "$work/conformance" | grep -q libleat; then
  pass "a plug-in is tested with pkg-config leat-conformance: $(tail -1 "$work/log")"
else fail "pkg-config leat-conformance"; cat "$work/log"; fi
libs=$(pkg-config --static --libs leat)
for lib in -lleat -lblis -lzstd -lxxhash -lpthread -ldl -lm; do
  case " $libs " in *" $lib "*) pass "pkg-config --static lists $lib" ;; *) fail "pkg-config --static lacks $lib: $libs" ;; esac
done
mkdir "$work/static"
cp -r "$tree/include" "$tree/lib" "$work/static"
rm "$work"/static/lib/libleat.so*
export PKG_CONFIG_PATH=$work/static/lib/pkgconfig
# shellcheck disable=SC2046,SC2086
if gcc $warnings tests/consumer/main.c -o "$work/pc-static" $(pkg-config --static --cflags --libs leat); then
  runs "pkg-config --static" "$work/pc-static"
  ldd "$work/pc-static" | grep -q libleat && fail "the static host needs libleat.so" || pass "the static host has leat inside"
else fail "pkg-config --static"; fi
# shellcheck disable=SC2046,SC2086
if gcc $warnings -static tests/consumer/main.c -o "$work/all-static" $(pkg-config --static --cflags --libs leat) \
  2>"$work/log"; then
  runs "wholly static" "$work/all-static"
else fail "wholly static"; cat "$work/log"; fi

cmake_way() { # NAME OPTIONS...
  local name=$1
  shift
  if cmake -S tests/consumer -B "$work/$name" "$@" >"$work/log" 2>&1 &&
    cmake --build "$work/$name" -j"$(nproc)" --target consumer_shared consumer_static >>"$work/log" 2>&1; then
    runs "$name, shared" "$work/$name/consumer_shared"
    runs "$name, static" "$work/$name/consumer_static"
  else fail "$name"; tail -40 "$work/log"; fi
}
cmake_way find_package -DCMAKE_PREFIX_PATH="$tree"
cmake_way add_subdirectory -DLEAT_SOURCE="$root"
finish
