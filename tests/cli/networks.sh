# Networks: train on both built-in devices, resume, evaluate, predict, refusals; a plug-in's device when there is one.
"$leat" generate churn --rows 3000 --seed 5 >n1.csv
"$leat" generate churn --rows 1000 --seed 6 >n2.csv
net="train n1.csv --target churn --key customer_id --model mlp --set layers=12,6 --set max_iterations=4"
for d in cpu reference; do
  call 0 '' "train mlp on $d" "$leat" $net --device $d -o n-$d.leat --json
  "$leat" evaluate n-$d.leat n2.csv --json >out
  awk -v a="$(number out metrics.auc)" 'BEGIN { exit !(a > 0.7) }' && ok "mlp on $d: it has learned" || bad "mlp on $d: it has learned" "$(cat out)"
done
for t in 1 3; do "$leat" $net --threads $t --set dropout=0.3 --set norm=batch --quiet -o n$t.leat >out; done
cmp -s n1.leat n3.leat && ok 'mlp: the same bytes with 1 and 3 threads' || bad 'mlp: the same bytes with 1 and 3 threads' ''
call 0 '' 'train mlp in two parts' "$leat" $net --set dropout=0.3 --set norm=batch --checkpoint n.ckpt -o n4.leat --json
"$leat" $net --set dropout=0.3 --set norm=batch --checkpoint n.ckpt --resume --quiet -o n5.leat >out 2>&1
cmp -s n1.leat n5.leat && ok 'mlp: resumed from the checkpoint, the same bytes' || bad 'mlp: resumed from the checkpoint, the same bytes' "$(cat out)"
"$leat" predict n-cpu.leat n2.csv -o n1.out -q && "$leat" predict n-cpu.leat n2.csv --device reference -o n2.out -q
python3 -c '
import csv
a, b = (list(csv.DictReader(open(f))) for f in ("n1.out", "n2.out"))
assert len(a) == len(b) == 1000
assert max(abs(float(x["p_yes"]) - float(y["p_yes"])) for x, y in zip(a, b)) < 1e-5' 2>why &&
  ok 'mlp: predictions on another device are the same within 1e-5' || bad 'mlp: predictions on another device are the same within 1e-5' "$(cat why)"
call 1 "'1x' is no width" 'layers with junk' "$leat" train n1.csv --target churn --model mlp --set layers=12,1x -o x.leat
call 2 "did you mean 'learning_rate'" 'a misspelt setting' "$leat" train n1.csv --target churn --model mlp --set learning_rat=1 -o x.leat
call 2 "did you mean 'mlp'" 'a misspelt family' "$leat" train n1.csv --target churn --model mpl -o x.leat
call 1 'smaller learning_rate' 'a loss that runs away' "$leat" train n1.csv --target churn --model mlp --set optimizer=sgd --set learning_rate=1e6 --set max_iterations=30 -o x.leat
call 1 'opencl:99' 'a device that is not there' "$leat" train n1.csv --target churn --model mlp --device opencl:99 -o x.leat
if "$leat" devices --json >out && grep -q '"opencl:0"' out; then
  call 0 '' 'train mlp on opencl:0' "$leat" $net --device opencl:0 -o n-o.leat --json
  "$leat" evaluate n-o.leat n2.csv --json >out
  "$leat" evaluate n-cpu.leat n2.csv --json >out2
  awk -v a="$(number out metrics.auc)" -v b="$(number out2 metrics.auc)" 'BEGIN { d = a - b; exit !(d < 0.003 && d > -0.003) }' &&
    ok 'mlp: opencl:0 learns what the CPU does' || bad 'mlp: opencl:0 learns what the CPU does' "$(cat out out2)"
else
  skip 'mlp on opencl:0: there is no such device'
fi
if [ -n "${LEAT_DATA_DIR:-}" ]; then
  zstd -dqf "$LEAT_DATA_DIR/fashion-t10k-images-idx3-ubyte.zst" -o f-images-idx3-ubyte
  gzip -dc "$LEAT_DATA_DIR/fashion-t10k-labels-idx1-ubyte.gz" >f-labels-idx1-ubyte
  call 0 '' 'train mlp on images' "$leat" train f-images-idx3-ubyte --labels f-labels-idx1-ubyte --model mlp --set layers=64 --set max_iterations=3 --holdout 0.2 -o f.leat --json
  awk -v a="$(number out valid.accuracy)" 'BEGIN { exit !(a > 0.8) }' && ok 'mlp: images are told apart' || bad 'mlp: images are told apart' "$(cat out)"
else
  skip 'mlp on images: LEAT_DATA_DIR is not set'
fi
