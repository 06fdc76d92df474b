#!/bin/bash
# `leat refresh` is killed with SIGKILL: the store is whole, production is the old model or the new one, the history says the
# same, and the next try succeeds. With strace (where it is and may trace) at each
# fsync and rename, one after the other, with LEAT_SOAK also at each write, open and unlink; then at random moments.
# Usage: kill_refresh.sh LEAT [KILLS AT RANDOM]
leat=$(realpath "${1:-build/leat}") kills=${2:-${LEAT_KILLS:-10}}
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
check() { # TEXT COMMAND...
  local text=$1
  shift
  if "$@" >said 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $text: $(head -3 said)"; fi
}
"$leat" generate churn --rows 4000 --seed 4 -o old.csv -q && "$leat" generate churn --rows 4000 --seed 6 --drift-at 1 -o new.csv -q || exit 1
"$leat" train old.csv --target churn --key customer_id -o m.leat -q >/dev/null || exit 1
"$leat" store whole add m.leat -q >/dev/null && "$leat" store whole promote 1 --stage production >/dev/null || exit 1
refresh=("$leat" refresh --store S new.csv --threads 1 --quiet)
whole() { # what is there after a kill: production, the versions and the history fit together
  "$leat" store S verify && "$leat" store S status --json >status && "$leat" store S log --json >log && python3 - <<'PY'
import json, sys
s = json.load(open("status"))
log = [json.loads(line) for line in open("log")]
log = log[0].get("events", log) if len(log) == 1 else log
production = s["stages"]["production"]
versions = [v["version"] for v in s["versions"]]
if production not in (1, 2) or production not in versions: sys.exit("production %s of %s" % (production, versions))
promoted = [e for e in log if e["kind"] == "stage" and e["version"] == 2]
if bool(promoted) != (production == 2): sys.exit("the history says otherwise: %s" % log)
PY
}
after() { # WHAT: the killed store, then the next try
  check "$1: the store is whole" whole
  check "$1: production predicts" "$leat" store S export "$(python3 -c 'import json; print(json.load(open("status"))["stages"]["production"])')" -o p.leat
  [ "$2" = again ] || return
  check "$1: the next try succeeds" "${refresh[@]}"
  check "$1: and the new model is production" sh -c "'$leat' store S status --json | python3 -c 'import json,sys; sys.exit(json.load(sys.stdin)[\"stages\"][\"production\"] < 2)'"
  check "$1: the store is whole after it" "$leat" store S verify
}
points=0
if command -v strace >/dev/null && strace -o trace true 2>/dev/null; then
  for call in fsync rename ${LEAT_SOAK:+fdatasync pwrite64 write unlink openat}; do
    for ((k = 1; k <= 60; k++)); do
      rm -rf S && cp -r whole S
      { # the shell would tell of each
      strace -f -o trace -e trace="$call" -e inject="$call:signal=SIGKILL:when=$k" "${refresh[@]}" >out 2>err
      } 2>/dev/null
      grep -q 'killed by SIGKILL' trace || break
      points=$((points + 1))
      after "$call $k" again
    done
  done
  [ $points -ge 4 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "FAIL only $points points to kill at"; }
fi
rm -rf S && cp -r whole S
begin=$(date +%s%N)
"${refresh[@]}" >out || exit 1
most=$((($(date +%s%N) - begin) / 1000000 + 1))
n=0 tries=0
while [ $n -lt "$kills" ] && [ $tries -lt $((kills * 10)) ]; do
  rm -rf S && cp -r whole S
  tries=$((tries + 1))
  "${refresh[@]}" >out 2>err &
  pid=$!
  sleep "$(awk -v t="$most" -v r=$RANDOM 'BEGIN { printf "%.3f", t / 1000 * r / 32768 }')"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  [ $? -eq 137 ] || continue
  n=$((n + 1))
  after "kill $n" "$([ $((n % 5)) -eq 0 ] && echo again)"
done
check 'some were killed' [ $n -gt 0 ]
echo "$points points, $n kills at random in $tries runs"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
