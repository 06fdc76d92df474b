# leat learn: a stream into a store, resumed, killed, cut in pieces; examples/online.c. Sourced by run.sh.
"$leat" generate churn --rows 12000 --seed 7 --drift-at 7000 -o stream.csv
head -n 4001 stream.csv >part.csv
awk 'NR > 1 && NR % 400 == 0 { print "junk"; next } { print }' stream.csv >dirty.csv
life() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); d.pop("run"); print(json.dumps(d, sort_keys=True))' "$1"; }
same() { if [ "$(life "$2")" = "$(life "$3")" ]; then ok "$1"; else bad "$1" "$(life "$2")" "$(life "$3")"; fi; }

call 0 'Usage: leat learn' 'learn --help' "$leat" learn --help
call 0 'guard_window .*integer' 'learn --help lists the parameters of the learner' "$leat" learn --help
call 2 'name the folder to learn in with --store' 'learn without --store' "$leat" learn stream.csv --target churn
call 2 'no target: name the column' 'learn without --target' "$leat" learn stream.csv --store L0
[ -e L0 ] && bad 'what is refused leaves no store' "$(ls L0)" || ok 'what is refused leaves no store'
call 1 "did you mean 'churn'" 'learn with a mistyped target' "$leat" learn stream.csv --target chrn --store L0
call 2 "did you mean 'guard_window'" 'learn with a mistyped parameter' "$leat" learn stream.csv --target churn --store L0 --set guard_windw=3
call 2 'takes race' 'learn with an unknown learner' "$leat" learn stream.csv --target churn --store L0 --model foo
call 2 'integer from 1' 'learn with chunk 0' "$leat" learn stream.csv --target churn --store L0 --chunk 0

call 0 '^accuracy ' 'learn shows a table of metrics' "$leat" learn stream.csv --target churn --store L1
call 0 '' 'learn --json' "$leat" learn stream.csv --target churn --store L2 --json
cp out whole.json
check 'the keys of the JSON' json whole.json rows learned quarantined metrics.cumulative.accuracy metrics.faded.loss metrics.window.auc \
  baselines.no_change.accuracy baselines.majority.accuracy alerts.0.row alerts.0.kind alerts.0.name alerts.0.value alerts.0.threshold swaps \
  rollbacks snapshots model_checksum run.rows run.rows_per_second run.seconds
[ "$(number whole.json rows) $(number whole.json learned) $(number whole.json run.rows)" = "12000 12000 12000" ] &&
  ok 'all rows are learned' || bad 'all rows are learned' "$(cat whole.json)"
check 'better than both baselines' python3 -c 'import json
d = json.load(open("whole.json")); a = d["metrics"]["cumulative"]["accuracy"]
assert a > d["baselines"]["majority"]["accuracy"] + 0.05 and a > d["baselines"]["no_change"]["accuracy"] + 0.05, d'
call 1 'add --resume' 'a store that is not empty is refused' "$leat" learn stream.csv --target churn --store L2
call 0 '' 'resume with nothing new' "$leat" learn stream.csv --target churn --store L2 --resume --json -q
[ "$(number out run.rows)" = 0 ] && ok 'nothing is learned twice' || bad 'nothing is learned twice' "$(cat out)"
same 'and nothing has changed' whole.json out

# the file grows
cp part.csv grows.csv
call 0 '' 'learn a part' "$leat" learn grows.csv --target churn --store L3 --resume --json
cp stream.csv grows.csv
call 0 '' 'and the rest later' "$leat" learn grows.csv --target churn --store L3 --resume --json -q
[ "$(number out run.rows)" = 8000 ] && ok 'only the rest is read' || bad 'only the rest is read' "$(cat out)"
same 'in two pieces as in one' whole.json out

# killed, again and again; acknowledged records are in
call 0 '' 'learn dirty data' "$leat" learn dirty.csv --target churn --store L4 --json --commit-ms 0
cp out dirty.json
[ "$(number dirty.json quarantined)" = 30 ] && ok 'what cannot be read is held' || bad 'what cannot be read is held' "$(cat dirty.json)"
kills=0 lost=0
for i in 1 2 3 4 5 6 7 8; do
  "$leat" learn dirty.csv --target churn --store L5 --resume --ack --commit-ms 0 -q >ack 2>/dev/null &
  pid=$!
  sleep 0.0$((i % 5 + 2))
  kill -9 $pid 2>/dev/null && kills=$((kills + 1))
  wait $pid 2>/dev/null
  acked=$(grep -E '^[0-9]+$' ack | tail -n 1)
  [ -z "$acked" ] && continue
  head -n $((acked + 1)) dirty.csv >short.csv
  mkdir -p k && cp short.csv k/dirty.csv
  more=$(cd k && "$leat" learn dirty.csv --target churn --store ../L5 --resume --json -q | python3 -c 'import json, sys; print(json.load(sys.stdin)["run"]["rows"])')
  [ "$more" = 0 ] || lost=$((lost + 1))
done
[ $lost = 0 ] && ok "acknowledged records survive $kills kills" || bad 'acknowledged records survive kills' "$lost were taken again"
call 0 '' 'resume after the kills' "$leat" learn dirty.csv --target churn --store L5 --resume --json -q
same 'the killed life ends as the whole one' dirty.json out

"$leat" learn - --target churn --store L6 --ack -q <stream.csv >ack 2>err
[ "$(grep -cE '^12000$' ack)" -ge 1 ] && ok 'stdin is learned and acknowledged' || bad 'stdin is learned and acknowledged' "$(cat ack err)"
rm -f ack # what waits below looks for the first acknowledgement
"$leat" generate churn --rows 60000 --seed 8 -o long.csv
"$leat" learn long.csv --target churn --store L7 --ack -q >ack 2>err &
pid=$!
until [ -s ack ]; do sleep 0.02; done
kill -TERM $pid 2>/dev/null
wait $pid && ok 'TERM ends it well' || bad 'TERM ends it well' "$(cat err)"
call 0 '' 'verify after TERM' "$leat" store L7 verify
call 0 '' 'resume after TERM' "$leat" learn long.csv --target churn --store L7 --resume --json -q
[ "$(number out rows) $(number out learned)" = "60000 60000" ] && ok 'and all is learned' || bad 'and all is learned' "$(cat out)"

call 0 '' 'chunks and late labels' "$leat" learn stream.csv --target churn --store L8 --chunk 50 --label-delay 300 --json
[ "$(number out rows) $(number out learned)" = "12000 11700" ] && ok 'the last labels have not come' || bad 'the last labels have not come' "$(cat out)"
call 0 '' 'an exported snapshot' "$leat" store L2 export "$(number whole.json live_version)" -o start.leat
call 0 '' 'learn --from it' "$leat" learn part.csv --target churn --store L9 --from start.leat --json
check 'starts better than from nothing' python3 -c 'import json
assert json.load(open("out"))["metrics"]["cumulative"]["loss"] < json.load(open("whole.json"))["metrics"]["cumulative"]["loss"] + 0.05'
call 0 '' 'evaluate a snapshot' "$leat" evaluate start.leat stream.csv --json

if command -v cc >/dev/null; then
  if cc -O1 -I "$root/include" "$root/examples/online.c" -L "$build" -Wl,-rpath,"$build" -lleat -o online 2>err; then
    call 0 'ROLLBACK' 'examples/online.c sees damage rolled back' ./online OS
    call 0 'DRIFT' 'and is told of drift' ./online OS2
    call 0 'going on behind request 16000' 'and goes on' ./online OS
    call 0 'rollback_suspect' 'its suspects are in quarantine' "$leat" quarantine OS list
  else
    bad 'examples/online.c compiles' "$(cat err)"
  fi
fi

# the network: the same life, killed and not, on one thread and on three
call 0 'net_rate .*number' 'learn --model mlp --help lists its parameters' "$leat" learn --model mlp --help
call 1 'hidden=10 is not a multiple of 4' 'learn with hidden=10' "$leat" learn stream.csv --target churn --store M0 --model mlp --set hidden=10
call 0 '' 'learn --model mlp' "$leat" learn dirty.csv --target churn --store M1 --model mlp --set hidden=16 --json
cp out mlp.json
check 'better than both baselines' python3 -c 'import json
d = json.load(open("mlp.json")); a = d["metrics"]["cumulative"]["accuracy"]
assert a > d["baselines"]["majority"]["accuracy"] + 0.05 and a > d["baselines"]["no_change"]["accuracy"] + 0.05, d
assert d["model_checksum"] != json.load(open("dirty.json"))["model_checksum"], d'
kills=0
for i in 1 2 3 4 5 6; do
  "$leat" learn dirty.csv --target churn --store M2 --resume --model mlp --set hidden=16 --commit-ms 0 -q >/dev/null 2>&1 &
  pid=$!
  sleep 0.0$((i % 4 + 3))
  kill -9 $pid 2>/dev/null && kills=$((kills + 1))
  wait $pid 2>/dev/null
done
call 0 '' "resume after $kills kills" "$leat" learn dirty.csv --target churn --store M2 --resume --model mlp --set hidden=16 --json -q
same 'the killed network ends as the whole one' mlp.json out
call 0 '' 'the same on three threads' "$leat" learn dirty.csv --target churn --store M3 --model mlp --set hidden=16 --json -q --threads 3
same 'is the same' mlp.json out
call 0 '' 'a snapshot of it' "$leat" store M1 export "$(number mlp.json live_version)" -o net.leat
call 0 '' 'learns on' "$leat" learn part.csv --target churn --store M4 --from net.leat --json
call 0 '' 'predicts' "$leat" predict net.leat part.csv -o net.csv
[ "$(wc -l <net.csv)" -eq 4001 ] && ok 'a line a record' || bad 'a line a record' "$(head -2 net.csv)"
call 0 '' 'the network races with the linear ones' "$leat" learn stream.csv --target churn --store M5 --race 'learner=mlp,hidden=8;learner=net' --json

# The encoder's settings, by the names that trained models have: killed and resumed, and raced.
seen='--set cross=contract*internet --set buckets=tenure_months:20,monthly_charge --set log=data_gb --set missing=yes'
call 0 '' 'learn with settings of the encoder' "$leat" learn dirty.csv --target churn --store N1 $seen --json
cp out seen.json
kills=0
for i in 1 2 3 4 5 6; do
  "$leat" learn dirty.csv --target churn --store N2 --resume $seen --commit-ms 0 -q >/dev/null 2>&1 &
  pid=$!
  sleep 0.0$((i % 4 + 2))
  kill -9 $pid 2>/dev/null && kills=$((kills + 1))
  wait $pid 2>/dev/null
done
call 0 '' "resume after $kills kills" "$leat" learn dirty.csv --target churn --store N2 --resume $seen --json -q
same 'the killed one ends as the whole one' seen.json out
call 0 '' 'a snapshot of it' "$leat" store N1 export "$(number seen.json live_version)" -o seen.leat
call 0 '' 'is whole' "$leat" inspect seen.leat
call 0 '' 'learns on' "$leat" learn part.csv --target churn --store N3 --from seen.leat --json
call 0 '' 'predicts' "$leat" predict seen.leat part.csv -o seen.csv
call 1 "did you mean 'contract'" 'a cross of a column that is not there' "$leat" learn part.csv --target churn --store N4 --set cross=contrat*internet
call 1 'no feature that is a number' 'a logarithm of labels' "$leat" learn part.csv --target churn --store N4 --set log=contract
printf 'left,right,y\n' >pairs.csv
awk 'BEGIN { srand(3); split("u v w", s); for (i = 0; i < 6000; i++) { a = int(rand() * 3) + 1; b = int(rand() * 3) + 1; print s[a] "," s[b] "," (a == b ? "yes" : "no") } }' >>pairs.csv
call 0 '' 'a race of encoders' "$leat" learn pairs.csv --target y --store N5 --race 'cross=left*right;learner=mlp,hidden=8;hash_bits=10' --json -q
call 0 'race .*champion .*cross=left\*right' 'the one that sees the pair is champion, in the history' "$leat" store N5 log
call 0 '' 'and is what is published' "$leat" store N5 export "$("$leat" store N5 status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["versions"][-1]["version"])')" -o pairs.leat -q
call 0 'accuracy +1( |$)' 'with its encoder' "$leat" evaluate pairs.leat pairs.csv
call 0 '' 'a race that has no room' "$leat" learn pairs.csv --target y --store N6 --race 'hash_bits=20' --set race_bytes=1000000 --json -q
call 0 'race .*memory .*hash_bits=20' 'says so' "$leat" store N6 log
call 1 "race: .*there is no column" 'a racer of a column that is not there' "$leat" learn pairs.csv --target y --store N7 --race 'cross=left*nowhere'
