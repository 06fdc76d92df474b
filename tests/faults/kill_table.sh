#!/bin/bash
# `leat table build`, `merge` and `publish` are killed with SIGKILL at random moments: the old table goes on answering, or the
# new one does, whole; nothing in between, and the next try succeeds. Usage: kill_table.sh LEAT [KILLS OF EACH]
leat=$(realpath "${1:-build/leat}") kills=${2:-${LEAT_KILLS:-20}}
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
check() { # TEXT COMMAND...
  local text=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $text"; fi
}
"$leat" generate churn --rows 120000 --seed 3 | awk 'NR == 1 { print "id," $0; next } { print "k" NR "," $0 }' >new.csv
head -n 110001 new.csv >old.csv
"$leat" train old.csv --target churn --ignore id --seed 1 -o old.leat -q >/dev/null || exit 1
"$leat" train old.csv --target churn --ignore id --seed 1 --set l2=0.5 -o new.leat -q >/dev/null || exit 1
build() { "$leat" table build "$1" "$2" --key id -o "$3" --set created_ns=5 "${@:4}"; }
build old.leat old.csv old.ltab -q >/dev/null && build new.leat new.csv new.ltab -q >/dev/null || exit 1
for i in 0 1 2; do build new.leat new.csv s$i.ltab --shard $i/3 -q >/dev/null || exit 1; done
"$leat" store S add new.leat >/dev/null && "$leat" table publish old.ltab --store S --name t >/dev/null || exit 1

# killed MILLISECONDS COMMAND...: at a random moment before; 0 when it was still at work
killed() {
  local most=$1 pid
  shift
  "$@" >/dev/null 2>errors &
  pid=$!
  sleep "$(awk -v t="$most" -v r=$RANDOM 'BEGIN { printf "%.3f", t / 1000 * r / 32768 }')"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  [ $? -eq 137 ]
}
took() { # COMMAND...: milliseconds
  local begin
  begin=$(date +%s%N)
  "$@" >/dev/null 2>errors || { cat errors; exit 1; }
  echo $((($(date +%s%N) - begin) / 1000000 + 1))
}
file() { # WHAT COMMAND...: writes out.ltab, which is old.ltab or new.ltab after every kill
  local what=$1 n=0 tries=0 new=0 most
  shift
  most=$(took "$@")
  check "$what is new.ltab" cmp -s out.ltab new.ltab
  while [ $n -lt "$kills" ] && [ $tries -lt $((kills * 10)) ]; do
    cp old.ltab out.ltab
    tries=$((tries + 1))
    killed "$most" "$@" && n=$((n + 1))
    if cmp -s out.ltab new.ltab; then new=$((new + 1)); else check "$what, kill $n: neither the old table nor the new one" cmp -s out.ltab old.ltab; fi
    "$leat" table get out.ltab k7 >answer 2>&1
    check "$what, kill $n: $(cat answer)" grep -q '^k7	HIT' answer
  done
  "$@" >/dev/null 2>errors
  check "$what after $n kills: $(cat errors)" cmp -s out.ltab new.ltab
  rm -f out.ltab.tmp-*
  echo "$what: $n kills in $tries runs, $new of them had put the new table there"
}
# not by the function: of that a subshell would be killed, and leat would go on
new=("$leat" table build new.leat new.csv --key id -o out.ltab --set created_ns=5 -q)
file build "${new[@]}"
file 'build in little memory' "${new[@]}" --set memory_bytes=1048576
file merge "$leat" table merge s0.ltab s1.ltab s2.ltab -o out.ltab

generation() { "$leat" table published --store S --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["tables"][0]["newest"])'; }
n=0 tries=0 made=0
was=$(generation)
most=$(took "$leat" table publish new.ltab --store S --name t --force)
while [ $n -lt "$kills" ] && [ $tries -lt $((kills * 10)) ]; do
  was=$(generation)
  tries=$((tries + 1))
  killed "$most" "$leat" table publish $([ $((tries % 2)) = 0 ] && echo new || echo old).ltab --store S --name t --force && n=$((n + 1))
  now=$(generation)
  check "publish, kill $n: generation $was, then $now" [ "$now" = "$was" -o "$now" = $((was + 1)) ]
  made=$((made + now - was))
  "$leat" table get t k7 --store S >answer 2>&1
  check "publish, kill $n: $(cat answer)" grep -q '^k7	HIT' answer
  if [ $((n % 5)) -eq 0 ]; then
    "$leat" store S verify >answer 2>&1
    check "publish, kill $n: verify: $(cat answer)" [ $? -eq 0 ]
    "$leat" table rollback t --store S >answer 2>&1
    check "publish, kill $n: rollback: $(cat answer)" [ $? -eq 0 ]
    "$leat" store S gc >/dev/null
  fi
done
"$leat" store S gc >/dev/null
check "leftovers: $(ls S/tables)" [ "$(ls S/tables | grep -vc '^t-[0-9]*.ltab$')" = 1 ]
echo "publish: $n kills in $tries runs, $made of them had made a generation"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
