#!/bin/bash
# The fault programs: allocation and I/O torture under the sanitizers, the rest as built; as many at a time as there are cores.
# Usage: run.sh BUILD ASAN-BUILD
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build} asan=${2:-build-asan}
p=0 f=0 s=0 n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
one() { # PROGRAM ARGUMENTS...: in the background, its words to a file
  n=$((n + 1))
  while [ "$(jobs -rp | wc -l)" -ge "${LEAT_JOBS:-$(nproc)}" ]; do wait -n; done
  {
    timeout "${LEAT_FAULT_SECONDS:-400}" "$@" >"$work/$n.out" 2>&1
    echo $? >"$work/$n.rc"
  } &
  echo "$1" >"$work/$n.name"
}
counted() { # NUMBER
  local name sum a b c rc
  name=$(cat "$work/$1.name") rc=$(cat "$work/$1.rc")
  echo "== $name"
  tail -60 "$work/$1.out"
  sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$work/$1.out" | tail -1)
  if [ -z "$sum" ]; then
    echo "FAIL $name ended early with status $rc"
    f=$((f + 1))
    return
  fi
  read -r a b c <<<"$(echo "$sum" | tr -dc '0-9 ')"
  [ "$rc" -ne 0 ] && [ "$rc" -ne 77 ] && [ "$b" -eq 0 ] && { echo "FAIL $name: status $rc"; b=1; }
  p=$((p + a)) f=$((f + b)) s=$((s + c))
}
kills() { echo "${LEAT_KILLS:-$([ -n "${LEAT_SOAK:-}" ] && echo 100 || echo 5)}"; }
one "$asan/fault_alloc_torture"
one "$asan/fault_io_torture"
one "$asan/fault_power_loss"
one tests/faults/kill_learn.sh "$build/leat"
one tests/faults/kill_table.sh "$build/leat" "$(kills)"
one tests/faults/kill_refresh.sh "$build/leat" "$(kills)"
one "$build/fault_interpose"
one "$asan/fault_host"
one "$build/fault_host"
wait
for ((i = 1; i <= n; i++)); do counted $i; done
echo "$p passed, $f failed, $s skipped"
[ $f -eq 0 ]
