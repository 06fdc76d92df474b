# Dataset files, packed and piped data, text and sparse sets. Sourced by run.sh.
"$leat" generate churn --rows 3000 -o d.csv -q
"$leat" generate sparse --rows 2000 -o d.svm -q
call 0 'd.ldat: 3000 rows, 11 columns' 'convert: csv' "$leat" convert d.csv --target churn --key customer_id -o d.ldat
call 0 '' 'convert: packed' "$leat" convert d.csv --target churn --key customer_id -o dz.ldat --set codec=zstd --json
json out rows columns bytes seconds rows_per_second && [ "$(stat -c %s dz.ldat)" -lt "$(stat -c %s d.ldat)" ] && ok 'convert: JSON, and smaller' || bad 'convert: JSON, and smaller' "$(cat out)"
call 0 'dataset' 'convert: inspect' "$leat" inspect d.ldat
call 2 'no output' 'convert: no output' "$leat" convert d.csv
call 1 "did you mean 'churn'" 'convert: a column that is not there' "$leat" convert d.csv --target churm -o no.ldat
call 1 'there is no folder' 'convert: no such folder' "$leat" convert d.csv --target churn -o nowhere/no.ldat
"$leat" train d.csv --target churn --key customer_id -o dm.leat -q >/dev/null
for f in d.ldat dz.ldat; do
  "$leat" train $f -o dm2.leat -q >/dev/null; cmp -s dm.leat dm2.leat && ok "train: $f makes the package of the text" || bad "train: $f makes the package of the text"
  "$leat" train $f --holdout 0.2 -o h2.leat -q >/dev/null; "$leat" train d.csv --target churn --key customer_id --holdout 0.2 -o h1.leat -q >/dev/null
  cmp -s h1.leat h2.leat && ok "train: $f, also with rows held out" || bad "train: $f, also with rows held out"
  "$leat" predict dm.leat $f -o p2.csv -q; "$leat" predict dm.leat d.csv -o p1.csv -q; cmp -s p1.csv p2.csv && ok "predict: $f as the text" || bad "predict: $f as the text"
done
"$leat" convert d.svm -o ds.ldat -q >/dev/null
rm -rf st1 st2; "$leat" learn d.svm --store st1 --json -q >o1; "$leat" learn ds.ldat --store st2 --json -q >o2
[ "$(number o1 metrics.cumulative.loss)" = "$(number o2 metrics.cumulative.loss)" ] && [ "$(number o2 learned)" -eq 2000 ] && ok 'learn: a dataset file as the text' || bad 'learn: a dataset file as the text' "$(cat o1 o2)"
call 0 '' 'learn: nothing is learned twice' "$leat" learn ds.ldat --store st2 --resume --json
[ "$(number out learned)" -eq 2000 ] && ok 'learn: and the count stays' || bad 'learn: and the count stays' "$(cat out)"
printf x | dd of=d.ldat bs=1 seek=3000 conv=notrunc 2>/dev/null
call 1 'd.ldat is damaged' 'a damaged dataset file: train' "$leat" train d.ldat -o no.leat
call 1 'd.ldat is damaged' 'a damaged dataset file: predict' "$leat" predict dm.leat d.ldat -o no.csv
# what is pulled: gzip, zstd, pipes, of every text format
python3 -c '
import csv, json
for r in csv.DictReader(open("d.csv")): print(json.dumps({k: float(v) if v and k in ("tenure_months", "monthly_charge", "data_gb") else v for k, v in r.items()}))' >d.ndjson
for f in d.csv d.svm d.ndjson; do
  case $f in d.svm) opts= ;; *) opts='--target churn --key customer_id' ;; esac
  gzip -kf $f; zstd -qkf $f
  "$leat" train $f $opts --set max_iterations=3 -o whole.leat -q >/dev/null || bad "train $f"
  "$leat" predict whole.leat $f -o whole.csv -q
  for g in $f.gz $f.zst; do
    "$leat" train $g $opts --set max_iterations=3 -o part.leat -q >/dev/null; cmp -s whole.leat part.leat && ok "$g: the same model" || bad "$g: the same model"
    "$leat" predict whole.leat $g -o part.csv -q; cmp -s whole.csv part.csv && ok "$g: the same predictions" || bad "$g: the same predictions"
  done
  "$leat" predict whole.leat - --format $(case $f in d.svm) echo svmlight ;; *) echo ${f#d.} ;; esac) -o part.csv -q <$f.gz; cmp -s whole.csv part.csv && ok "$f: gzip through a pipe" || bad "$f: gzip through a pipe"
done
sed '7s/, "region"/ "region"/' d.ndjson >comma.ndjson
call 1 'comma.ndjson: row 7 .line 7.: .*is no JSON object.*up to byte 2' 'ndjson: a comma is missing' "$leat" predict whole.leat comma.ndjson -o no.csv
sed '7s/"region": "[a-z]*"/"region": {"a": [1]}/' d.ndjson >deep.ndjson
call 1 "deep.ndjson: row 7 .line 7., column 'region': the value is an object" 'ndjson: an object in an object' "$leat" train deep.ndjson --target churn --key customer_id -o no.leat
head -c -30 d.ndjson >end.ndjson
call 1 'end.ndjson: row 3000 .* is no JSON object' 'ndjson: the last line is cut' "$leat" train end.ndjson --target churn --key customer_id -o no.leat
: >none.ndjson
call 1 'none.ndjson: the file is empty' 'ndjson: an empty file' "$leat" train none.ndjson --target churn -o no.leat
for z in gz zst; do
  { cat d.csv.$z; echo garbage; } >behind.csv.$z
  call 1 "behind.csv.$z.*damaged" "$z: garbage behind the end" "$leat" predict whole.leat behind.csv.$z -o no.csv
done
head -c 20000 d.csv.gz >cut.csv.gz
call 1 'cut.csv.gz.*cut off' 'a gzip file that is cut' "$leat" predict dm.leat cut.csv.gz -o no.csv
# less memory than data, and features made of others
call 2 'expected bytes' '--memory: no number' "$leat" train d.csv --target churn --memory 5x -o no.leat
call 2 'at least 64M' '--memory: too little' "$leat" train d.csv --target churn --memory 1M -o no.leat
"$leat" train d.csv --target churn --key customer_id --memory 64M -o dm2.leat -q >/dev/null; cmp -s dm.leat dm2.leat && ok '--memory: the same package' || bad '--memory: the same package'
[ -z "$(ls -A | grep scratch)" ] && ok '--memory: no scratch file is left' || bad '--memory: no scratch file is left'
call 0 '' 'features of features' "$leat" train d.csv --target churn --key customer_id --set log=data_gb --set buckets=tenure_months:5 --set missing=yes \
  --set "cross=region*contract" -o df.leat
"$leat" inspect df.leat --weights --json >out
python3 -c '
import json
names = [w["feature"] for w in json.load(open("out"))["weights"]]
for part in ("log(data_gb)", "tenure_months in [-inf,", "tenure_months=(missing)", "region=coast*contract=month-to-month"):
    assert any(n.startswith(part) for n in names), (part, names)
assert len(names) == len(set(names))' 2>err && ok 'features of features: coefficients by name' || bad 'features of features: coefficients by name' "$(cat err)"
call 1 "did you mean 'region'" 'features of features: a column that is not there' "$leat" train d.csv --target churn --set "cross=regoin*contract" -o no.leat
if [ -z "${LEAT_DATA_DIR:-}" ] || [ ! -e "${LEAT_DATA_DIR:-}/sms_spam.tsv.zst" ]; then
  skip 'sms spam, five folds: LEAT_DATA_DIR is not set'
  skip 'spam assassin, agaricus: LEAT_DATA_DIR is not set'
else
  right=0 all=0
  zstd -dqc "$LEAT_DATA_DIR/sms_spam.tsv.zst" >sms.tsv
  for k in 0 1 2 3 4; do
    awk -v k=$k 'NR % 5 == k' sms.tsv >fold.tsv; awk -v k=$k 'NR % 5 != k' sms.tsv >rest.tsv
    "$leat" train rest.tsv --no-header --target 1 --text 2 -o sms.leat -q >/dev/null
    "$leat" evaluate sms.leat fold.tsv --no-header --json >out
    n=$(number out rows); all=$((all + n)); right=$(awk -v r=$right -v n=$n -v a="$(number out metrics.accuracy)" 'BEGIN { print r + n * a }')
  done
  awk -v r=$right -v n=$all 'BEGIN { exit !(n == 5574 && r / n >= 0.98) }' && ok "sms spam, five folds: $right of $all" || bad 'sms spam, five folds' "$right of $all"
  call 0 'sparse' 'spam assassin as a sparse set' "$leat" train "$LEAT_DATA_DIR/spam_assassin_stream.libsvm.zst" --holdout 0.2 -o sa.leat
  "$leat" evaluate sa.leat "$LEAT_DATA_DIR/spam_assassin_stream.libsvm.zst" --json >out
  awk -v a="$(number out metrics.accuracy)" 'BEGIN { exit !(a > 0.98) }' && ok "spam assassin: accuracy $(number out metrics.accuracy)" || bad 'spam assassin: accuracy' "$(cat out)"
  call 0 '' 'agaricus as a sparse set' "$leat" train "$LEAT_DATA_DIR/agaricus.train.libsvm.zst" -o ag.leat
  "$leat" evaluate ag.leat "$LEAT_DATA_DIR/agaricus.test.libsvm.zst" --json >out
  awk -v a="$(number out metrics.accuracy)" 'BEGIN { exit !(a == 1) }' && ok 'agaricus: all are right' || bad 'agaricus: all are right' "$(cat out)"
fi
