# The work: generate, train, evaluate, predict, inspect, devices; checkpoints. Sourced by run.sh.
for k in churn sea hyperplane sparse dense; do
  "$leat" generate $k --rows 2000 --seed 3 >g1 && "$leat" generate $k --rows 2000 --seed 3 -o g2 -q && cmp -s g1 g2 &&
    ok "generate $k is reproducible" || bad "generate $k is reproducible"
  "$leat" generate $k --rows 500 --seed 3 >g3
  head -c "$(wc -c <g3)" g1 | cmp -s - g3 && ok "generate $k: a row does not depend on how many follow" ||
    bad "generate $k: a row does not depend on how many follow"
done
sum=$(for k in churn sea hyperplane sparse dense; do "$leat" generate $k --rows 1000 --seed 1 --drift-at 501; done | md5sum)
want=$(cat "$root/tests/cli/generate.md5")
[ "$sum" = "$want" ] && ok 'generate gives the bytes it always gave' || bad 'generate gives the bytes it always gave' "$sum"
call 0 '' 'generate --json' "$leat" generate churn --rows 30000 --drift-at 20001 --seed 7 -o c.csv --json
check 'generate --json is JSON' json out kind rows seed

head -15001 c.csv >past.csv
{ head -1 c.csv; sed -n '15002,20001p' c.csv; } >present.csv
{ head -1 c.csv; tail -10000 c.csv; } >after.csv
call 0 'accuracy' 'train' "$leat" train past.csv --target churn --key customer_id --holdout 0.2 -o m.leat
grep -q 'contract .*category' out && grep -q 'tenure_months .*number' out && ok 'train shows the inferred kinds' ||
  bad 'train shows the inferred kinds' "$(head -20 out)"
call 0 '' 'train --json' "$leat" train past.csv --target churn --key customer_id --holdout 0.2 -o m2.leat --json
check 'train --json has its keys' json out rows features task model iterations seconds rows_per_second peak_bytes \
  train.loss train.accuracy train.auc valid.loss valid.accuracy valid.auc
[ "$(wc -l <out)" -eq 1 ] && [ ! -s err ] && ok 'one line on stdout, none on stderr' || bad 'one line on stdout, none on stderr' "$(cat err)"
cmp -s m.leat m2.leat && ok 'the same package again' || bad 'the same package again'
call 0 '' 'train --valid' "$leat" train past.csv --target churn --key customer_id --valid present.csv -o v.leat --json
check 'train --valid has both metrics' json out train.auc valid.auc
for t in 1 2 3 7; do
  "$leat" train past.csv --target churn --key customer_id --threads $t -o t$t.leat -q >/dev/null
  cmp -s t1.leat t$t.leat && ok "the same package bytes with $t threads" || bad "the same package bytes with $t threads"
done
"$leat" train past.csv --target churn --key customer_id --holdout 0.2 --seed 9 -o s.leat -q >/dev/null
cmp -s m.leat s.leat && bad 'another seed holds out other rows' || ok 'another seed holds out other rows'

call 0 'majority' 'evaluate' "$leat" evaluate m.leat present.csv
call 0 '' 'evaluate --json' "$leat" evaluate m.leat present.csv --json
check 'evaluate --json has its keys' json out rows metrics.accuracy metrics.auc metrics.loss baselines.majority.accuracy
before=$(number out metrics.accuracy); rows=$(number out rows)
[ "$rows" = 5000 ] && ok 'evaluate counts the rows' || bad 'evaluate counts the rows' "$rows"
"$leat" evaluate m.leat after.csv --json >out
after=$(number out metrics.accuracy)
awk -v b="$before" -v a="$after" 'BEGIN { exit !(b > 0.78 && a < b - 0.1) }' &&
  ok "the story holds: accuracy $before, after the drift $after" || bad 'the story holds' "$before $after"
for t in 1 3; do "$leat" evaluate m.leat present.csv --threads $t --json >e$t; done
cmp -s e1 e3 && ok 'evaluate does not depend on the threads' || bad 'evaluate does not depend on the threads'

call 0 '' 'predict' "$leat" predict m.leat present.csv -o p.csv
[ "$(head -1 p.csv)" = 'key,prediction,p_no,p_yes' ] && ok 'the head of the predictions' || bad 'the head of the predictions' "$(head -1 p.csv)"
[ "$(wc -l <p.csv)" -eq 5001 ] && ok 'a line a row' || bad 'a line a row' "$(wc -l <p.csv)"
check 'keys, classes and probabilities fit together' python3 -c '
import csv
data = list(csv.DictReader(open("present.csv"))); pred = list(csv.DictReader(open("p.csv")))
assert len(data) == len(pred)
right = 0
for d, p in zip(data, pred):
    assert d["customer_id"] == p["key"], (d, p)
    no, yes = float(p["p_no"]), float(p["p_yes"])
    assert abs(no + yes - 1) < 1e-6 and 0 <= yes <= 1
    assert p["prediction"] == ("yes" if yes >= 0.5 else "no")
    right += p["prediction"] == d["churn"]
assert abs(right / len(data) - '"$before"') < 1e-9, right'
"$leat" predict m.leat present.csv >p2.csv 2>/dev/null
cmp -s p.csv p2.csv && ok 'predict to stdout gives the same' || bad 'predict to stdout gives the same'
"$leat" predict m.leat - <present.csv >p2.csv
cmp -s p.csv p2.csv && ok 'predict from stdin' || bad 'predict from stdin'
gzip -k present.csv && "$leat" predict m.leat present.csv.gz >p2.csv
cmp -s p.csv p2.csv && ok 'predict from gzip' || bad 'predict from gzip'
"$leat" predict m.leat - <present.csv.gz >p2.csv
cmp -s p.csv p2.csv && ok 'predict from gzip on stdin' || bad 'predict from gzip on stdin'
if command -v zstd >/dev/null; then
  zstd -q present.csv && "$leat" predict m.leat present.csv.zst >p2.csv
  cmp -s p.csv p2.csv && ok 'predict from zstd' || bad 'predict from zstd'
else skip 'predict from zstd: no zstd program'; fi
head -2001 present.csv >a.csv; { head -1 present.csv; sed -n '2002,$p' present.csv; } >b.csv
"$leat" predict m.leat a.csv b.csv >p2.csv
cmp -s p.csv p2.csv && ok 'predict from two files' || bad 'predict from two files'
"$leat" train a.csv b.csv --target churn --key customer_id -o ab.leat -q >/dev/null
"$leat" train present.csv --target churn --key customer_id -o one.leat -q >/dev/null
cmp -s ab.leat one.leat && ok 'train from two files gives the model of one' || bad 'train from two files gives the model of one'
gzip -kf a.csv && "$leat" train a.csv.gz b.csv --target churn --key customer_id -o ab.leat -q >/dev/null
cmp -s ab.leat one.leat && ok 'train from a packed and a plain file' || bad 'train from a packed and a plain file'
"$leat" train - --target churn --key customer_id -o ab.leat -q <present.csv >/dev/null
cmp -s ab.leat one.leat && ok 'train from stdin' || bad 'train from stdin'
cut -d, -f1-10 present.csv >unlabelled.csv
"$leat" predict m.leat unlabelled.csv >p2.csv
cmp -s p.csv p2.csv && ok 'predict without the target column' || bad 'predict without the target column'
python3 - <<'PY'
import csv
rows = list(csv.reader(open("present.csv")))
order = [10, 3, 0, 7, 1, 2, 9, 8, 4, 6, 5]
csv.writer(open("moved.csv", "w")).writerows([[r[i] for i in order] for r in rows])
PY
"$leat" predict m.leat moved.csv >p2.csv
cmp -s p.csv p2.csv && ok 'columns are found by name, wherever they stand' || bad 'columns are found by name, wherever they stand'
"$leat" predict m.leat present.csv --key region >p2.csv 2>err
[ $? -eq 1 ] && ok '--key on a feature column is refused' || bad '--key on a feature column is refused'
call 1 'evaluate needs labelled rows' 'evaluate without labels' "$leat" evaluate m.leat unlabelled.csv
call 0 '' 'evaluate --target names the labels' sh -c "sed '1s/churn/left/' present.csv >left.csv && '$leat' evaluate m.leat left.csv --target left"
sed 1d present.csv >nohead.csv
"$leat" predict m.leat nohead.csv >p2.csv
cmp -s p.csv p2.csv && ok 'without a header the columns of the model come in its order' || bad 'without a header the columns of the model come in its order' "$(head -2 p2.csv)"
call 0 '' 'predict --json' "$leat" predict m.leat present.csv -o p3.csv --json
check 'predict --json has its keys' json out rows rows_per_second
check 'quotes in keys are doubled' python3 - "$leat" <<'PY'
import csv, subprocess, sys
with open("q.csv", "w", newline="") as f:
    w = csv.writer(f)
    w.writerow(["id", "x", "y"])
    for i in range(200):
        w.writerow(['a "b", %d' % i, i % 7, "u,v" if i % 7 > 3 else 'w "z"'])
subprocess.run([sys.argv[1], "train", "q.csv", "--target", "y", "--key", "id", "-o", "q.leat", "-q"], check=True,
               stdout=subprocess.DEVNULL)
out = subprocess.run([sys.argv[1], "predict", "q.leat", "q.csv"], check=True, capture_output=True, text=True).stdout
rows = list(csv.DictReader(out.splitlines()))
assert rows[5]["key"] == 'a "b", 5', rows[5]
assert rows[5]["prediction"] == "u,v" and rows[1]["prediction"] == 'w "z"', rows[:6]
assert set(rows[0]) == {"key", "prediction", "p_u,v", 'p_w "z"'}, rows[0]
PY

python3 - <<'PY'
import random
random.seed(4)
with open("r.csv", "w") as f:
    f.write("a,b,kind,y\n")
    for i in range(3000):
        a, b, k = random.gauss(0, 1), random.gauss(5, 3), random.choice(["u", "v", "w"])
        f.write("%.4f,%.4f,%s,%.4f\n" % (a, b, k, 3 * a - 2 * b + {"u": 0, "v": 5, "w": -5}[k] + random.gauss(0, .1)))
with open("three.csv", "w") as f:
    f.write("a,b,y\n")
    for i in range(3000):
        a, b = random.gauss(0, 1), random.gauss(0, 1)
        f.write("%.4f,%.4f,%s\n" % (a, b, "red" if a > .5 else "green" if b > 0 else "blue"))
PY
call 0 'regression' 'train: regression is inferred' "$leat" train r.csv --target y -o r.leat
"$leat" evaluate r.leat r.csv --json >out
awk -v r="$(number out metrics.rmse)" 'BEGIN { exit !(r > 0.09 && r < 0.11) }' && ok 'regression reaches the noise' ||
  bad 'regression reaches the noise' "$(cat out)"
"$leat" predict r.leat r.csv >p2.csv
[ "$(head -1 p2.csv)" = key,prediction ] && [ "$(sed -n 2p p2.csv | cut -d, -f1)" = 1 ] && ok 'predict: regression, keys are row numbers' ||
  bad 'predict: regression, keys are row numbers' "$(head -2 p2.csv)"
call 0 'multiclass' 'train: three classes' "$leat" train three.csv --target y -o three.leat
"$leat" predict three.leat three.csv >p2.csv
[ "$(head -1 p2.csv)" = key,prediction,p_blue,p_green,p_red ] && ok 'predict: three probabilities' ||
  bad 'predict: three probabilities' "$(head -1 p2.csv)"
call 0 'accuracy' 'evaluate: three classes' "$leat" evaluate three.leat three.csv
call 0 'regression' '--task regression on classes that are numbers' sh -c "'$leat' generate sea --rows 500 -o sea.csv -q &&
  '$leat' train sea.csv --target class --task regression -o s.leat"
sed 1d r.csv >bare.csv
call 0 'c4 .*target' 'no header: columns are c1..cN, -1 is the last' "$leat" train bare.csv --target -1 -o b.leat
"$leat" generate sparse --rows 3000 --seed 2 -o s.svm -q
call 0 'sparse' 'train: svmlight' "$leat" train s.svm -o sp.leat
call 0 'accuracy' 'evaluate: svmlight' "$leat" evaluate sp.leat s.svm
python3 - <<'PY'
import random, struct
random.seed(8)
n = 600
x = [[random.gauss(0, 1) for _ in range(5)] for _ in range(n)]
y = [int(r[0] - r[3] > 0) for r in x]
def npy(path, code, shape, data):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (code, shape)).encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
npy("x.npy", "<f4", (n, 5), struct.pack("<%df" % (n * 5), *[v for r in x for v in r]))
npy("y.npy", "<i8", "(%d,)" % n, struct.pack("<%dq" % n, *y))
img = bytes(min(255, max(0, int(128 + 40 * v))) for r in x for v in r[:4])
open("x-idx3-ubyte", "wb").write(struct.pack(">BBBBIII", 0, 0, 8, 3, n, 2, 2) + img)
open("y-idx1-ubyte", "wb").write(struct.pack(">BBBBI", 0, 0, 8, 1, n) + bytes(y))
PY
call 0 '' 'train: npy with labels' "$leat" train x.npy --labels y.npy -o n.leat
call 0 'accuracy' 'evaluate: npy with labels' "$leat" evaluate n.leat x.npy --labels y.npy
call 0 '' 'train: idx with labels' "$leat" train x-idx3-ubyte --labels y-idx1-ubyte -o i.leat
gzip -k x-idx3-ubyte y-idx1-ubyte
call 0 '' 'train: idx, images and labels packed with gzip' "$leat" train x-idx3-ubyte.gz --labels y-idx1-ubyte.gz -o i2.leat
cmp -s i.leat i2.leat && ok 'the same package from packed files' || bad 'the same package from packed files'
call 0 '' 'predict: idx without labels' "$leat" predict i.leat x-idx3-ubyte -o p2.csv
call 1 '' 'evaluate: idx without labels' "$leat" evaluate i.leat x-idx3-ubyte

call 0 'ok' 'inspect' "$leat" inspect m.leat
call 0 'contract=' 'inspect --weights names the features' "$leat" inspect m.leat --weights
call 0 '' 'inspect --weights --json' "$leat" inspect m.leat --weights --json
check 'inspect --json has its keys' json out format version sections.0.name model.family weights.0.feature weights.0.weight
call 0 'cpu' 'devices' "$leat" devices
call 0 '' 'devices --json' "$leat" devices --json
check 'devices --json has its keys' json out devices.0.name devices.0.kind devices.0.usable devices.0.why devices.0.ops.27
# plug-ins beside the program: one that works and offers two ops, one that is no library
mkdir plug
cp "$leat" plug/leat
cp "$build/examples/libleat-tiny.so" plug/
echo 'no library' >plug/libleat-broken.so
call 0 '^tiny:0 .* 2 .*Example tiny' 'devices lists a plug-in with its ops' env LD_LIBRARY_PATH="$build" plug/leat devices
call 0 '^broken .* no .*cannot load the device plug-in' 'devices says why a plug-in cannot be loaded' env LD_LIBRARY_PATH="$build" plug/leat devices
call 0 '' 'train on the reference device' "$leat" train a.csv --target churn --key customer_id --device reference -o ref.leat

"$leat" generate dense --rows 60000 --seed 4 -o d.csv -q
big="train d.csv --target y --set solver=lbfgs --set tolerance=1e-12 -q"
"$leat" $big -o whole.leat >/dev/null || bad 'the unbroken run'
"$leat" $big -o ck.leat --checkpoint ck >/dev/null && cmp -s whole.leat ck.leat && ok 'a checkpoint does not change the model' ||
  bad 'a checkpoint does not change the model'
call 0 'checkpoint' 'inspect a checkpoint' "$leat" inspect ck
call 0 '' '--resume of a finished run' "$leat" $big -o ck2.leat --checkpoint ck --resume
cmp -s whole.leat ck2.leat && ok 'a finished run resumed gives the same bytes' || bad 'a finished run resumed gives the same bytes'
call 1 '' '--resume with other data' "$leat" train sea.csv --target class --checkpoint ck --resume -o no.leat
call 1 '' '--resume from a file that is no checkpoint' "$leat" $big -o no.leat --checkpoint whole.leat --resume
kills=${LEAT_KILLS:-10} landed=0 same=0
rm -f ck
for i in $(seq "$kills"); do
  rm -f k.leat ck
  "$leat" $big -o k.leat --checkpoint ck >/dev/null 2>&1 &
  pid=$!
  sleep "0.$(printf '%02d' $(((i * 37 + RANDOM % 30) % 60 + 3)))"
  kill -9 $pid 2>/dev/null && landed=$((landed + 1))
  wait $pid 2>/dev/null
  "$leat" $big -o k.leat --checkpoint ck --resume >/dev/null 2>err && cmp -s whole.leat k.leat && same=$((same + 1))
done
[ $same -eq "$kills" ] && ok "killed -9 ($landed of $kills while it ran) and resumed: the bytes of the unbroken run" ||
  bad "killed -9 and resumed: the bytes of the unbroken run" "$same of $kills"
rm -f k.leat ck
"$leat" $big --set max_iterations=1000000 --set tolerance=0 -o k.leat --checkpoint ck >/dev/null 2>err &
pid=$!
sleep 1
kill -INT $pid; wait $pid; rc=$?
if [ $rc -eq 0 ]; then skip 'a signal: the run was done before it came'
elif [ $rc -eq 1 ] && [ ! -e k.leat ] && [ -e ck ] && grep -q -- '--resume' err; then ok 'Ctrl-C stops cleanly and leaves the checkpoint'
else bad 'Ctrl-C stops cleanly and leaves the checkpoint' "status $rc" "$(cat err)"; fi
