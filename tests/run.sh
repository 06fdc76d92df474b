#!/bin/bash
# The quick tier: from nothing on a bare Debian 12 (as root or with sudo) to one line of numbers, in at most 20 minutes
# on two cores. Usage: tests/run.sh [STEP...]; steps: gcc unit conformance opencl lint abi consumer cli serve examples python
# clang asan tsan fuzz faults (all by default, in this order). Logs: build/logs/STEP.log. Exit status 1 when anything failed.
# LEAT_DATA_DIR names a folder with the real data sets; tests that need them are skipped without it.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=${LEAT_JOBS:-$(nproc)}
logs=$PWD/build/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
start=$SECONDS
packages="build-essential cmake pkg-config libblis-pthread-dev libzstd-dev libxxhash-dev libcmocka-dev libjansson-dev libevent-dev
zlib1g-dev clang libclang-rt-14-dev abigail-tools universal-ctags python3 zstd
ocl-icd-opencl-dev opencl-headers pocl-opencl-icd oclgrind"

install_packages() {
  local missing="" name sudo=""
  for name in $packages; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
  done
  [ -z "$missing" ] && return 0
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing:$missing" | tee /dev/stderr
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  $sudo apt-get install -y --no-install-recommends $missing ||
    { $sudo apt-get update && $sudo apt-get install -y --no-install-recommends $missing; }
}

# step NAME COMMAND...: one line. A command that prints "N passed, N failed, N skipped" is counted by its last such
# line, any other as one test (exit status 77: skipped).
step() {
  local name=$1 begin=$SECONDS rc p f s sum word
  shift
  "$@" >"$logs/$name.log" 2>&1
  rc=$?
  sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$logs/$name.log" | tail -1)
  if [ -n "$sum" ]; then
    read -r p f s <<<"$(echo "$sum" | tr -dc '0-9 ' )"
    [ $rc -ne 0 ] && [ $rc -ne 77 ] && [ "$f" -eq 0 ] && f=1
  elif [ $rc -eq 0 ]; then p=1 f=0 s=0
  elif [ $rc -eq 77 ]; then p=0 f=0 s=1
  else p=0 f=1 s=0; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  word=ok
  [ "$s" -gt 0 ] && [ "$p" -eq 0 ] && word=skip
  [ "$f" -gt 0 ] && word=FAIL
  printf '%-5s %-12s %4d s  %d passed, %d failed, %d skipped\n' "$word" "$name" $((SECONDS - begin)) "$p" "$f" "$s"
  if [ "$f" -gt 0 ]; then
    echo "      log: $logs/$name.log"
    grep -E 'error:|FAIL|FAILED|ERROR: |warning:|runtime error|No such' "$logs/$name.log" | head -5 | sed 's/^/      /'
  fi
  [ "$f" -eq 0 ]
}

# build FOLDER COMPILER OPTIONS...
build() {
  local folder=$1 compiler=$2 launcher=""
  shift 2
  command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
  cmake -S . -B "$folder" -DCMAKE_C_COMPILER="$compiler" $launcher -DLEAT_TESTS=ON -DLEAT_PROGRAMS=ON "$@" &&
    cmake --build "$folder" -j"$jobs" ${targets:+--target} ${targets:-} -- -k
}

# units FOLDER PATTERN: runs the unit tests of a build side by side, each for at most ten minutes.
units() {
  local folder=$1 pattern=$2 rc=0 out p=0 f=0 s=0 run="" name n
  mkdir -p "$folder/unit-logs"
  rm -f "$folder"/unit-logs/*
  case $folder in *tsan*) setarch "$(uname -m)" -R true 2>/dev/null && run="setarch $(uname -m) -R" ;; esac
  for source in tests/unit/test_*.c; do # a test that did not build has failed
    name=$(basename "$source" .c)
    [[ $name =~ $pattern ]] || continue
    echo "$name"
  done | xargs -P "$jobs" -I{} sh -c "
    timeout 600 $run ./$folder/{} >$folder/unit-logs/{}.log 2>&1; echo \$? >$folder/unit-logs/{}.rc"
  for out in "$folder"/unit-logs/*.rc; do
    [ -e "$out" ] || { echo "no test matches $pattern"; return 77; }
    name=$(basename "$out" .rc)
    rc=$(cat "$out")
    count() { sed -nE "s/^\[  $1 +\] ([0-9]+) test\(s\).*/\1/p" "${out%.rc}.log" | awk '{ n += $1 } END { print n + 0 }'; }
    n=$(count FAILED)
    [ "$rc" -ne 0 ] && [ "$n" -eq 0 ] && n=1
    p=$((p + $(count PASSED))) f=$((f + n)) s=$((s + $(count SKIPPED)))
    echo "$name: exit $rc"
    if [ "$rc" -ne 0 ]; then
      echo "FAIL $name"
      tail -60 "${out%.rc}.log"
    fi
  done
  echo "$p passed, $f failed, $s skipped"
  [ "$f" -eq 0 ]
}

# Fuzz targets as plain programs: a fixed, small number of made-up inputs under the sanitizers.
fuzz() {
  local source name p=0 f=0
  for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || return 77
    name=$(basename "$source" .c)
    if LEAT_QUICK=1 timeout 300 ./build-asan/"$name" "${LEAT_FUZZ_RUNS:-2000}"; then p=$((p + 1))
    else f=$((f + 1)); echo "FAIL $name"; fi
  done
  echo "$p passed, $f failed, 0 skipped"
  [ "$f" -eq 0 ]
}

# The C examples, compiled as a stranger would, on generated data.
examples() {
  local root=$PWD work source p=0 f=0
  work=$(mktemp -d)
  build/leat generate churn --rows 3000 --seed 1 -o "$work/churn.csv" || return 1
  for source in examples/*.c; do
    [ -e "$source" ] || return 77
    if gcc -std=c99 -Wall -Wextra -Werror -Iinclude "$source" -o "$work/example" -Lbuild -lleat -Wl,-rpath,"$root/build" &&
      (cd "$work" && case $source in *online.c) ./example store ;; *) ./example churn.csv ;; esac); then p=$((p + 1))
    else f=$((f + 1)); echo "FAIL $source"; fi
  done
  # the device plug-in too, without libleat; it must pass the conformance suite
  if gcc -std=c99 -Wall -Wextra -Werror -O2 -shared -fPIC -Iinclude examples/plugin/tiny_device.c -o "$work/libleat-tiny.so" \
    -lm && build/leat-conformance --quiet "$work/libleat-tiny.so"; then p=$((p + 1))
  else f=$((f + 1)); echo "FAIL examples/plugin/tiny_device.c"; fi
  rm -rf "$work"
  echo "$p passed, $f failed, 0 skipped"
  [ "$f" -eq 0 ]
}

thread_tests='pool|thread|predictor|trainer|runtime'
wanted=${*:-gcc unit conformance opencl lint abi consumer cli serve examples python clang asan tsan fuzz faults}
want() { case " $wanted " in *" $1 "*) return 0 ;; esac; return 1; }
any() { local x; for x in "$@"; do want "$x" && return 0; done; return 1; }
export LEAT_DATA_DIR=${LEAT_DATA_DIR:-}
[ -n "$LEAT_DATA_DIR" ] || unset LEAT_DATA_DIR
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

step packages install_packages
any gcc unit conformance opencl abi consumer cli serve examples python faults && step gcc build build gcc -DLEAT_SANITIZE= -DLEAT_FUZZ=OFF -DLEAT_BENCH=ON
want unit && step unit units build .
want conformance && step conformance tests/conformance/run.sh build
want opencl && step opencl tests/opencl/run.sh build
want lint && step lint tests/lint/run.sh
want abi && step abi tests/abi/run.sh build
want consumer && step consumer tests/consumer/run.sh build
want cli && { if [ -x tests/cli/run.sh ]; then step cli tests/cli/run.sh build; else step cli sh -c "exit 77"; fi; }
want serve && step serve tests/serve/run.sh build
want examples && step examples examples
want python && step python examples/ffi/python/test.sh build
want python && step spark examples/spark/test.sh build
want clang && step clang build build-clang clang -DLEAT_BENCH=ON
any asan fuzz faults && step asan-build build build-asan gcc -DLEAT_SANITIZE=address,undefined -DLEAT_PROGRAMS=OFF
want asan && step asan env LEAT_QUICK=1 bash -c "$(declare -f units); jobs=$jobs; units build-asan ."
want asan && step asan-devices env LEAT_QUICK=1 tests/conformance/run.sh build-asan
want tsan && targets=$(cd tests/unit && ls test_*.c | sed 's/\.c$//' | grep -E "$thread_tests") \
  step tsan-build build build-tsan gcc -DLEAT_SANITIZE=thread -DLEAT_PROGRAMS=OFF
want tsan && step tsan env LEAT_QUICK=1 bash -c "$(declare -f units); jobs=$jobs; units build-tsan '$thread_tests'"
want fuzz && step fuzz fuzz
want faults && step faults tests/faults/run.sh build build-asan

echo
echo "$((SECONDS - start)) seconds"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
