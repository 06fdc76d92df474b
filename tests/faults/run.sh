#!/bin/bash
# The fault programs: allocation and I/O torture under the sanitizers, the rest as built. Usage: run.sh BUILD ASAN-BUILD
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build} asan=${2:-build-asan}
p=0 f=0 s=0
one() { # PROGRAM ARGUMENTS...
  local out sum a b c
  echo "== $1"
  out=$(timeout "${LEAT_FAULT_SECONDS:-400}" "$@" 2>&1)
  local rc=$?
  echo "$out" | tail -60
  sum=$(echo "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' | tail -1)
  if [ -z "$sum" ]; then
    echo "FAIL $1 ended early with status $rc"
    f=$((f + 1))
    return
  fi
  read -r a b c <<<"$(echo "$sum" | tr -dc '0-9 ')"
  [ $rc -ne 0 ] && [ $rc -ne 77 ] && [ "$b" -eq 0 ] && { echo "FAIL $1: status $rc"; b=1; }
  p=$((p + a)) f=$((f + b)) s=$((s + c))
}
one "$asan/fault_alloc_torture"
one "$asan/fault_io_torture"
one "$asan/fault_host"
one "$build/fault_interpose"
one "$build/fault_host"
one "$asan/fault_power_loss"
one tests/faults/kill_learn.sh "$build/leat"
one tests/faults/kill_table.sh "$build/leat" "${LEAT_KILLS:-$([ -n "${LEAT_SOAK:-}" ] && echo 100 || echo 5)}"
one tests/faults/kill_refresh.sh "$build/leat" "${LEAT_KILLS:-$([ -n "${LEAT_SOAK:-}" ] && echo 100 || echo 5)}"
echo "$p passed, $f failed, $s skipped"
[ $f -eq 0 ]
