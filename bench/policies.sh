#!/bin/bash
# The table of docs/drift.md: every answer to drift, with every detector, on streams that change.
#   bench/policies.sh BENCH_GUARD NAME=STREAM[,OPTION...] ...
# BENCH_GUARD: build/bench_guard. STREAM: a file it reads; OPTION: what it takes beside (damage=xor, from=500000, learner=coin, ...).
# Prints a Markdown table: the mean loss of all predictions, each made before its record was learned, and restarts and alarms.
bench=$1
shift
printf '| response | detector |'
for s in "$@"; do printf ' %s |' "${s%%=*}"; done
printf '\n|---|---|'
for s in "$@"; do printf -- '---|'; done
echo
row() {
  local response=$1 detector=$2
  printf '| %s | %s |' "$response" "$detector"
  for s in "${@:3}"; do
    local rest=${s#*=}
    IFS=, read -ra words <<<"$rest"
    local arm="guarded" set=("drift_response=$response" "detector=$detector")
    [ "$response" = none ] && set=() && arm=unguarded
    if [ "$response" = none ]; then
      out=$("$bench" "${words[@]}" guard=false alone=1 quiet=1 2>&1 | grep '^guarded')
    else
      out=$("$bench" "${words[@]}" "${set[@]}" alone=1 quiet=1 2>&1 | grep "^$arm")
    fi
    loss=$(awk '{for (i = 1; i < NF; i++) if ($i == "loss") print $(i + 1)}' <<<"$out")
    swaps=$(awk '{n = 0; for (i = 1; i < NF; i++) if ($i ~ /^(rollback|restart|pin|undo)$/) n += $(i + 1); print n}' <<<"$out")
    printf ' %s (%s) |' "$loss" "$swaps"
  done
  echo
}
row none - "$@"
row guard adwin "$@"
for d in ddm hddm_a hddm_w page_hinkley cusum kswin eddm; do row guard $d "$@"; done
for r in reset faster; do
  for d in adwin ddm hddm_a hddm_w page_hinkley cusum kswin eddm; do row $r $d "$@"; done
done
row alert adwin "$@"
