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
rm -f "$logs"/*.count
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
# line, any other as one test (exit status 77: skipped). The counts go to a file: steps may run side by side.
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
  echo "$p $f $s" >"$logs/$name.count"
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

# lanes "STEPS" "STEPS": two lists of steps, one beside the other; what is not wanted is left out.
lanes() {
  local lane name
  for lane in "$@"; do
    for name in $lane; do want "${name%.*}" && "step_${name//./_}"; done &
    [ "$jobs" -gt 1 ] || wait
  done
  wait
}

# build FOLDER COMPILER OPTIONS...
build() {
  local folder=$1 compiler=$2 launcher=""
  shift 2
  command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
  cmake -S . -B "$folder" -DCMAKE_C_COMPILER="$compiler" $launcher -DLEAT_TESTS=ON -DLEAT_PROGRAMS=ON "$@" &&
    cmake --build "$folder" -j"$jobs" ${targets:+--target} ${targets:-} -- -k
}

# The unit tests that take longest, first: what is begun last must not be what ends last.
slow="test_parity_linear test_train_threads test_lifecycle_learner test_device_opencl test_base_number test_train_dual test_train_faults test_stats_drift test_lifecycle_folder_crash
test_lifecycle_learner_hold test_device_board test_lifecycle_learner_state test_train_tron test_serve_damage test_train_checkpoint
test_model_package test_lifecycle_quarantine test_lifecycle_guard test_stats_detector test_lifecycle_monitor test_serve_faults
test_serve_table test_train_losses test_train_newton test_train_online_net test_train_online"

# units FOLDER PATTERN: runs the unit tests of a build side by side, each for at most ten minutes.
units() {
  local folder=$1 pattern=$2 rc=0 out p=0 f=0 s=0 run="" name n
  mkdir -p "$folder/unit-logs"
  rm -f "$folder"/unit-logs/*
  case $folder in *tsan*) setarch "$(uname -m)" -R true 2>/dev/null && run="setarch $(uname -m) -R" ;; esac
  { # a test that did not build has failed
    for name in $slow; do [ -e "tests/unit/$name.c" ] && echo "$name"; done
    for source in tests/unit/test_*.c; do basename "$source" .c; done
  } | awk '!seen[$0]++' | grep -E "$pattern" | xargs -P "$jobs" -I{} sh -c "
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
  mkdir -p build-asan/fuzz-logs
  rm -f build-asan/fuzz-logs/*
  for source in tests/fuzz/fuzz_*.c; do basename "$source" .c; done | xargs -P "$jobs" -I{} sh -c "
    LEAT_QUICK=1 timeout 300 ./build-asan/{} ${LEAT_FUZZ_RUNS:-2000} >build-asan/fuzz-logs/{}.log 2>&1; echo \$? >build-asan/fuzz-logs/{}.rc"
  for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    cat "build-asan/fuzz-logs/$name.log"
    if [ "$(cat "build-asan/fuzz-logs/$name.rc")" = 0 ]; then p=$((p + 1))
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
quick() { env LEAT_QUICK=1 slow="$slow" bash -c "$(declare -f units); jobs=$jobs; units $1 '$2'"; }
step_conformance() { step conformance tests/conformance/run.sh build; }
step_opencl() { step opencl tests/opencl/run.sh build; }
step_lint() { step lint tests/lint/run.sh; }
step_abi() { step abi tests/abi/run.sh build; }
step_consumer() { step consumer tests/consumer/run.sh build; }
step_cli() { step cli tests/cli/run.sh build; }
step_serve() { step serve tests/serve/run.sh build; }
step_examples() { step examples examples; }
step_python() { step python examples/ffi/python/test.sh build; }
step_python_spark() { step spark examples/spark/test.sh build; }
step_asan_devices() { step asan-devices env LEAT_QUICK=1 tests/conformance/run.sh build-asan; }
step_fuzz() { step fuzz fuzz; }

any gcc unit conformance opencl abi consumer cli serve examples python faults && step gcc build build gcc -DLEAT_SANITIZE= -DLEAT_FUZZ=OFF -DLEAT_BENCH=ON
want unit && step unit units build .
lanes "conformance opencl lint abi consumer examples" "cli serve python python.spark"
# clang is asked for its warnings and for programs that link; it need not optimise
want clang && step clang build build-clang clang -DLEAT_BENCH=ON -DCMAKE_BUILD_TYPE=None
any asan fuzz faults && step asan-build build build-asan gcc -DLEAT_SANITIZE=address,undefined -DLEAT_PROGRAMS=OFF
want asan && step asan quick build-asan '^test_(api|base|data|device|lifecycle|model|serve|stats|train)_' # parity is of numbers, not of memory
lanes "asan.devices" "fuzz"
want tsan && targets=$(cd tests/unit && ls test_*.c | sed 's/\.c$//' | grep -E "$thread_tests") \
  step tsan-build build build-tsan gcc -DLEAT_SANITIZE=thread -DLEAT_PROGRAMS=OFF
want tsan && step tsan quick build-tsan "$thread_tests"
want faults && step faults tests/faults/run.sh build build-asan

for count in "$logs"/*.count; do
  read -r p f s <"$count"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo
echo "$((SECONDS - start)) seconds"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
