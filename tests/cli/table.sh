# leat table. Sourced by run.sh.
"$leat" generate churn --rows 3000 --seed 7 -o tab.csv 2>/dev/null
{ head -1 tab.csv | sed 's/^/id,/'; tail -n +2 tab.csv | awk '{ print "k" NR * 7 "," $0 }'; } >keyed.csv
"$leat" train keyed.csv --target churn --ignore id --seed 1 -o tab.leat -q >/dev/null
call 0 '3000 keys' 'table build' "$leat" table build tab.leat keyed.csv --key id -o t.ltab --set created_ns=5
"$leat" predict tab.leat keyed.csv --key id -o want.csv -q
"$leat" table scan t.ltab >scan.txt
awk -F, 'NR > 1 { print $1 "\t" $NF }' want.csv | LC_ALL=C sort >want.txt
awk -F'\t' '{ printf "%s\t%.5f\n", $1, $2 }' scan.txt >scan5.txt
awk -F'\t' '{ printf "%s\t%.5f\n", $1, $2 }' want.txt >want5.txt
cmp -s scan5.txt want5.txt && ok 'table scan: every key, in order, with what leat predict says' || bad 'table scan: every key, in order' "$(diff scan5.txt want5.txt | head -3)"
call 0 '^k7	HIT	' 'table get: a customer' "$leat" table get t.ltab k7
call 0 '^nobody	MISS$' 'table get: a stranger' "$leat" table get t.ltab nobody
"$leat" table get t.ltab k7 nobody k14 --json >out
[ "$(wc -l <out)" = 3 ] && sed -n 1p out >one && json one key status value && sed -n 2p out >one && [ "$(number one status)$(number one value)" = MISSNone ] &&
  ok 'table get --json: a line a key' || bad 'table get --json: a line a key' "$(cat out)"
printf 'k7\nk14\n' | "$leat" table get t.ltab - >out && [ "$(grep -c HIT out)" = 2 ] && ok 'table get: keys from stdin' || bad 'table get: keys from stdin' "$(cat out)"
"$leat" table build tab.leat keyed.csv --key id -o j.ltab --json >out && json out rows bytes layout model_checksum && [ "$(number out rows)" = 3000 ] &&
  ok 'table build --json' || bad 'table build --json' "$(cat out)"
"$leat" table info t.ltab --json >out && json out rows bytes layout model_checksum && ok 'table info --json' || bad 'table info --json' "$(cat out)"
call 0 'hash' 'table convert' "$leat" table convert t.ltab -o h.ltab
call 0 '^k7	HIT	' 'table get, layout hash' "$leat" table get h.ltab k7
call 0 '3000 keys the same, 0 changed, 0 added, 0 removed' 'table diff: the same in both layouts' "$leat" table diff t.ltab h.ltab
"$leat" table convert h.ltab -o back.ltab >/dev/null && cmp -s back.ltab t.ltab && ok 'table convert: there and back' || bad 'table convert: there and back'
for i in 0 1 2; do "$leat" table build tab.leat keyed.csv --key id -o s$i.ltab --shard $i/3 --set created_ns=5 >/dev/null; done
"$leat" table merge s2.ltab s0.ltab s1.ltab -o m.ltab >/dev/null && cmp -s m.ltab t.ltab && ok 'table merge: three shards give the bytes of one build' ||
  bad 'table merge: three shards give the bytes of one build'
call 0 'removed' 'table diff: what a shard lacks' "$leat" table diff t.ltab s1.ltab --limit 3
"$leat" table diff t.ltab s1.ltab --json >out && json out added removed changed max_difference keys.0.key && ok 'table diff --json' || bad 'table diff --json' "$(cat out)"
"$leat" table build tab.leat keyed.csv --key id --threads 1 -o m.ltab --set created_ns=5 --set memory_bytes=1048576 >/dev/null && cmp -s m.ltab t.ltab &&
  ok 'table build: the same bytes with one thread and little memory' || bad 'table build: the same bytes with one thread and little memory'
tail -n +2 keyed.csv >rows.csv
split -n l/4 rows.csv split.
for f in split.*; do "$leat" table worker tab.leat --key id --columns "$(head -1 keyed.csv)" <"$f"; done >w.tsv 2>err
"$leat" table load w.tsv --model tab.leat -o l.ltab --set created_ns=5 >/dev/null && cmp -s l.ltab t.ltab && ok 'table worker, load: the bytes of a build' ||
  bad 'table worker, load: the bytes of a build' "$(head -2 err w.tsv)"
"$leat" table worker tab.leat --key id <keyed.csv >w2.tsv && cmp -s w.tsv w2.tsv && ok 'table worker: with a header' || bad 'table worker: with a header'
: | "$leat" table worker tab.leat --key id --columns "$(head -1 keyed.csv)" >out 2>err && [ ! -s out ] && ok 'table worker: an empty split' || bad 'table worker: an empty split' "$(cat err)"
printf '5\t0.5\n18446744073709551615\t1\n40\t-2e-3\n' >u.tsv
call 0 '3 keys' 'table load: whole numbers as keys' "$leat" table load u.tsv -o u.ltab --set key_type=u64
"$leat" table scan u.ltab --from 6 >out && [ "$(head -1 out)" = '40	-0.002' ] && [ "$(wc -l <out)" = 2 ] && ok 'table scan --from: the order of numbers' || bad 'table scan --from' "$(cat out)"
"$leat" table scan t.ltab --from k20 --until k3 >out; awk -F'\t' '$1 >= "k20" && $1 < "k3" { print }' scan.txt >want
cmp -s out want && [ -s out ] && ok 'table scan --from --until' || bad 'table scan --from --until' "$(head -2 out)"
call 0 'right' 'table verify' "$leat" table verify h.ltab
call 0 'table' 'inspect knows tables' "$leat" inspect t.ltab
python3 - <<'PY'
b = bytearray(open("h.ltab", "rb").read()); b[len(b) // 2] ^= 1; open("bad.ltab", "wb").write(b)
open("cut.ltab", "wb").write(b[:1000])
PY
call 1 'bad.ltab.*damaged' 'table verify: damage' "$leat" table verify bad.ltab
call 1 'cut.ltab' 'table get: a cut file' "$leat" table get cut.ltab k7
call 1 'not a leat file' 'table get: something else' "$leat" table get keyed.csv k7
call 1 'kind .MODL' 'table get: a model' "$leat" table get tab.leat k7
call 1 "there.ltab" 'table get: no such file' "$leat" table get there.ltab k7
call 2 'expected --key' 'table build: no key' "$leat" table build tab.leat keyed.csv -o no.ltab
call 2 'expected -o' 'table build: no output' "$leat" table build tab.leat keyed.csv --key id
call 1 'nokey' 'table build: a key column that is not there' "$leat" table build tab.leat keyed.csv --key nokey -o no.ltab
call 2 '0/4' 'table build: a wrong shard' "$leat" table build tab.leat keyed.csv --key id -o no.ltab --shard 3/3
call 2 "did you mean 'build'" 'table: a mistyped verb' "$leat" table biuld tab.leat keyed.csv
call 2 "did you mean 'duplicates'" 'table: a mistyped parameter' "$leat" table build tab.leat keyed.csv --key id -o no.ltab --set duplicate=error
call 2 'too few' 'table get: no keys' "$leat" table get t.ltab
call 1 'key<TAB>value' 'table load: no tab' "$leat" table load keyed.csv -o no.ltab
sed '5s/^k[0-9]*,/,/' keyed.csv >nokey.csv
call 1 'row 4.*no key' 'table build: a row without a key' "$leat" table build tab.leat nokey.csv --key id -o no.ltab
cat keyed.csv >twice.csv; sed -n 9p keyed.csv >>twice.csv
call 1 'more than once' 'table build: duplicates=error' "$leat" table build tab.leat twice.csv --key id -o no.ltab --set duplicates=error
[ ! -e no.ltab ] && ok 'table: no failure wrote a table' || bad 'table: no failure wrote a table'
cp t.ltab old.ltab
"$leat" generate churn --rows 400000 --seed 3 2>/dev/null | awk 'NR == 1 { print "id," $0; next } { print "k" NR "," $0 }' >big.csv
for i in 1 2 3; do
  "$leat" table build tab.leat big.csv --key id -o old.ltab -q >/dev/null 2>&1 & pid=$!
  sleep 0.$((i * 2))
  kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
done
"$leat" table verify old.ltab >out 2>err && { cmp -s old.ltab t.ltab || grep -q 400000 out; } && ok 'table build killed with -9: a whole table is there' ||
  bad 'table build killed with -9: a whole table is there' "$(cat err)"
rm -f big.csv old.ltab*
call 1 'no store' 'table publish: no store there' "$leat" table publish t.ltab --store TS
"$leat" store TS add tab.leat >/dev/null
call 2 'expected --store' 'table publish: which store?' "$leat" table publish t.ltab
call 0 'table t: generation 1, 3000 keys' 'table publish: named by its file' "$leat" table publish t.ltab --store TS
call 0 'generation 2.*psi 0 ' 'table publish: the same again, in the other layout' "$leat" table publish h.ltab --store TS --name t
call 1 'refused.*rows' 'table publish: too many rows are gone' "$leat" table publish s1.ltab --store TS --name t
call 0 'HIT' 'table get: the refused one has changed nothing' "$leat" table get t k7 --store TS
awk -F'\t' '{ printf "%s\t%.6f\n", $1, 1 - $2 * .5 }' scan.txt >moved.tsv
"$leat" table load moved.tsv --model tab.leat -o moved.ltab >/dev/null
call 1 'refused: the predictions.*psi' 'table publish: the predictions have moved' "$leat" table publish moved.ltab --store TS --name t
call 0 'generation 3' 'table publish --force' "$leat" table publish moved.ltab --store TS --name t --force
"$leat" table published --store TS --json >out && json out tables.0.name tables.0.generation tables.0.previous tables.0.rows tables.0.psi tables.0.forced && grep -q '"forced": true' out &&
  ok 'table published --json' || bad 'table published --json' "$(cat out)"
call 0 'generation 2 again' 'table rollback' "$leat" table rollback t --store TS
call 1 'nothing to go back to' 'table rollback: as far as it goes' "$leat" table rollback t --store TS
call 1 "did you mean 't'" 'table rollback: a mistyped name' "$leat" table rollback tt --store TS
"$leat" table publish t.ltab --store TS --name t --json >out && json out name generation rows previous_generation psi && [ "$(number out generation)" = 4 ] && ok 'table publish --json' || bad 'table publish --json' "$(cat out)"
call 0 'every file is whole' 'store verify: with tables' "$leat" store TS verify
"$leat" store TS log >out && grep -q 'table_back' out && ok 'store log: tables' || bad 'store log: tables' "$(cat out)"
call 1 'damaged' 'table publish: never what is damaged' "$leat" table publish bad.ltab --store TS --name t --force
mkfifo keys answers # another process follows
"$leat" table follow t --store TS <keys >answers & pid=$!
exec 8>keys 9<answers
echo k7 >&8; read -r -u 9 key answer first
"$leat" table publish moved.ltab --store TS --name t --force >/dev/null
second=$first tries=0
while [ "$second" = "$first" ] && [ $tries -lt 100 ]; do sleep 0.1; echo k7 >&8; read -r -u 9 key answer second; tries=$((tries + 1)); done
exec 8>&-; wait $pid
[ "$key $answer" = 'k7 HIT' ] && [ "$second" = "$(awk '$1 == "k7" { print $2 + 0 }' moved.tsv)" ] && ok "table follow: a publish is followed by another process (look $tries at 0.1 s)" || bad 'table follow' "$first, then $second"
exec 9<&-
if [ -n "${LEAT_DATA_DIR:-}" ] && [ -e "$LEAT_DATA_DIR/telco_churn.csv.zst" ]; then
  "$leat" train "$LEAT_DATA_DIR/telco_churn.csv.zst" --target Churn --seed 1 -o telco.leat -q >/dev/null
  "$leat" table build telco.leat "$LEAT_DATA_DIR/telco_churn.csv.zst" --key customerID -o telco.ltab >/dev/null
  "$leat" table get telco.ltab 7590-VHVEG nobody >out
  grep -q '^7590-VHVEG	HIT' out && grep -q '^nobody	MISS' out && ok 'table of the telco data' || bad 'table of the telco data' "$(cat out)"
else
  skip 'table of the telco data: LEAT_DATA_DIR is not set'
fi
