#!/bin/bash
# The OpenCL kernels under Oclgrind's memory and race checks: tests/opencl/run.sh [BUILD [full]]. The reduced set of shapes
# takes about half a minute, the full one hours. Prints "N passed, N failed, N skipped".
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build} log=$(mktemp) p=0 f=0
POCL_CACHE_DIR=$(mktemp -d)
export POCL_CACHE_DIR
trap 'rm -rf "$log" "$POCL_CACHE_DIR"' EXIT
command -v oclgrind >/dev/null && [ -e "$build/libleat-opencl.so" ] || { echo "no oclgrind or no plug-in"; exit 77; }
ok() { p=$((p + 1)); }
bad() { f=$((f + 1)); echo "FAIL $1"; head -20 "$log"; }

# The checks are awake: a kernel that races and writes outside is found.
(cd tests/opencl && oclgrind-kernel --data-races broken.sim) >"$log" 2>&1
if grep -q 'Invalid write' "$log" && grep -q 'data race' "$log"; then ok; else bad "oclgrind does not see a broken kernel"; fi

# The kernels for boards, from source: on the installed driver, and here.
: >"$log"
if "$build/board_kernels" opencl/fpga/dense.cl >"$log" 2>&1; then ok; else bad "board kernels"; fi
: >"$log"
if oclgrind --data-races --check-api --log "$log" "$build/board_kernels" opencl/fpga/dense.cl && [ ! -s "$log" ]; then ok
else bad "board kernels under oclgrind"; fi

[ "${2:-}" = full ] || export LEAT_OPENCL_SMALL=1
: >"$log"
if timeout "${LEAT_OCLGRIND_SECONDS:-14400}" oclgrind --data-races --check-api --log "$log" "$build/test_device_opencl"; then ok
else bad "test_device_opencl under oclgrind"; fi
if [ -s "$log" ]; then bad "oclgrind has complaints"; else ok; fi
echo "$p passed, $f failed, 0 skipped"
[ "$f" -eq 0 ]
