#!/bin/bash
# The conformance suite on every device of the tree. Usage: tests/conformance/run.sh [BUILD [SEEDS]]; each seed is a run.
# The last line is "N passed, N failed, N skipped".
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build} seeds=${2:-1}
passed=0 failed=0 skipped=0 digest=""
one() { # NAME ARGUMENTS...
  local name=$1 out rc
  shift
  out=$("$build/leat-conformance" --quiet "$@" 2>&1)
  rc=$?
  echo "$name: exit $rc"
  echo "$out"
  digest=$(echo "$out" | sed -n 's/.*digest of its results //p')
  if [ $rc -eq 2 ]; then failed=$((failed + 1)); return; fi
  read -r p f s <<<"$(echo "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' | tail -1 | tr -dc '0-9 ')"
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
  case $name in *tiny*) ;; *) skipped=$((skipped + ${s:-0})) ;; esac # an example may lack what it likes
}
[ -x "$build/leat-conformance" ] || { echo "$build/leat-conformance is not built"; exit 77; }
for ((seed = 1; seed <= seeds; seed++)); do
  one "reference, seed $seed" --seed "$seed" reference
  one "cpu, seed $seed" --seed "$seed" cpu
  alone=$digest
  for threads in ${LEAT_QUICK:+3} $([ -n "${LEAT_QUICK:-}" ] || echo 2 3 7); do # results do not depend on how many there are
    one "cpu with $threads threads, seed $seed" --seed "$seed" --threads $threads cpu
    if [ -n "$digest" ] && [ "$digest" = "$alone" ]; then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "FAIL other bits with $threads threads"; fi
  done
  for plugin in "$build"/examples/libleat-tiny.so "$build"/libleat-opencl.so "$build"/opencl/libleat-opencl.so; do
    [ -e "$plugin" ] && one "$(basename "$plugin"), seed $seed" --seed "$seed" "$plugin"
  done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
