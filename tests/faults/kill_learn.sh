#!/bin/bash
# `leat learn` is killed with SIGKILL at random moments and resumed, again and again: every acknowledged record is in, none is
# in twice, and what it ends with equals the unbroken run's, byte for byte. Usage: kill_learn.sh LEAT [KILLS]
leat=$(realpath "${1:-build/leat}") kills=${2:-${LEAT_KILLS:-20}}
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check() { # TEXT COMMAND...
  local text=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $text"; fi
}
mkdir "$work/all" "$work/part"
"$leat" generate churn --rows 60000 --seed 3 --drift-at 30000 >"$work/plain.csv" || exit 1
# some records that cannot be read, some with absurd numbers
awk 'NR > 1 && NR % 997 == 0 { print "junk"; next } { print }' "$work/plain.csv" >"$work/all/data.csv"
rows=$(($(wc -l <"$work/all/data.csv") - 1))
options=(data.csv --target churn --threads 2 --quiet --set guard_window=500)
learn() { # STORE OPTIONS...: in the folder we are in
  local store=$1
  shift
  "$leat" learn "${options[@]}" --store "$store" "$@"
}
# all of the result but what is of the run itself
result() { python3 -c 'import json,sys; d=json.load(sys.stdin); d.pop("run"); print(json.dumps(d,sort_keys=True))'; }
cd "$work/all" || exit 1
begin=$(date +%s%N)
learn "$work/whole" --json >"$work/whole.json" || exit 1
took=$((($(date +%s%N) - begin) / 1000000))
result <"$work/whole.json" >"$work/whole.txt"
n=0 runs=0
while [ $n -lt "$kills" ]; do
  rm -rf "$work/cut"
  runs=$((runs + 1))
  end=0
  while [ $end -eq 0 ] && [ $n -lt "$kills" ]; do
    "$leat" learn "${options[@]}" --store "$work/cut" --resume --ack >"$work/ack" 2>"$work/errors" & # not through a subshell: it is to be killed
    pid=$!
    sleep "$(awk -v t=$took -v r=$RANDOM 'BEGIN { printf "%.3f", t / 1000 * (0.02 + 0.5 * r / 32768) }')"
    if kill -9 $pid 2>/dev/null; then
      wait $pid 2>/dev/null
      n=$((n + 1))
    else
      wait $pid || { check "a resumed run failed: $(cat "$work/errors")" false; break; }
      end=1
    fi
    acked=$(grep -oE '[0-9]+' "$work/ack" | tail -1)
    if [ "${acked:-0}" -gt 0 ] && [ $((n % 4)) -eq 0 ]; then # a source that ends where it was acknowledged has nothing left to learn
      head -n $((acked + 1)) data.csv >"$work/part/data.csv"
      more=$(cd "$work/part" && learn "$work/cut" --resume --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["run"]["rows"])')
      check "after kill $n: $acked were acknowledged, $more of them were taken again" [ "$more" = 0 ]
    fi
  done
  learn "$work/cut" --resume --json 2>"$work/errors" | result >"$work/cut.txt"
  check "run $runs after $n kills is not the unbroken one: $(diff "$work/whole.txt" "$work/cut.txt" | head -c 600) $(cat "$work/errors")" cmp -s "$work/whole.txt" "$work/cut.txt"
  "$leat" store "$work/cut" verify >/dev/null 2>"$work/errors"
  check "verify after run $runs: $(cat "$work/errors")" [ $? -eq 0 ]
done
check "$rows rows went in" grep -q "\"rows\": $rows" "$work/whole.txt"
echo "$n kills in $runs runs"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
