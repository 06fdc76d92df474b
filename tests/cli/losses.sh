# Losses, calibration, the threshold by cost, prediction intervals. Sourced by run.sh.
"$leat" generate churn --rows 6000 --seed 5 >l1.csv
"$leat" generate churn --rows 2000 --seed 6 >l2.csv
for l in logistic hinge squared_hinge; do
  call 0 '' "train loss=$l" "$leat" train l1.csv --target churn --key customer_id --holdout 0.3 --set loss=$l --set calibrate=isotonic -o l.leat --json
  "$leat" evaluate l.leat l2.csv --json >out
  awk -v e="$(number out metrics.ece)" -v a="$(number out metrics.auc)" 'BEGIN { exit !(e < 0.05 && a > 0.7) }' &&
    ok "loss=$l calibrated: its error on other rows is small" || bad "loss=$l calibrated: its error on other rows is small" "$(cat out)"
done
call 0 '' 'train l1' "$leat" train l1.csv --target churn --key customer_id --set l1=50 -o l.leat --json
"$leat" inspect l.leat --weights --json >out
python3 -c '
import json
w = [v["weight"] for v in json.load(open("out"))["weights"]]
assert 0 < sum(v == 0 for v in w) < len(w)' && ok 'l1 leaves weights out' || bad 'l1 leaves weights out' "$(head -c 500 out)"

call 0 '' 'train with costs' "$leat" train l1.csv --target churn --key customer_id --holdout 0.3 --set false_positive_cost=1 --set false_negative_cost=6 -o l.leat --json
"$leat" predict l.leat l2.csv -o p.csv -q
"$leat" evaluate l.leat l2.csv --json >out
accuracy=$(number out metrics.accuracy) python3 -c '
import csv, os
rows = list(csv.DictReader(open("p.csv"))); truth = [d["churn"] for d in csv.DictReader(open("l2.csv"))]
yes = [float(r["p_yes"]) for r in rows if r["prediction"] == "yes"]
no = [float(r["p_yes"]) for r in rows if r["prediction"] == "no"]
assert max(no) <= min(yes) and 0.05 < min(yes) < 0.3, (max(no), min(yes))
right = sum(r["prediction"] == t for r, t in zip(rows, truth)) / len(rows)
assert abs(right - float(os.environ["accuracy"])) < 1e-9
cost = lambda answer: sum(6 * (t == "yes" and a == "no") + (t == "no" and a == "yes") for a, t in zip(answer, truth))
ours, half = cost([r["prediction"] for r in rows]), cost(["yes" if float(r["p_yes"]) >= 0.5 else "no" for r in rows])
assert ours < 0.9 * half, (ours, half)' 2>why && ok 'the threshold by cost is what predict and evaluate go by, and costs less' ||
  bad 'the threshold by cost is what predict and evaluate go by, and costs less' "$(cat why)"
call 1 'validation rows' 'costs without validation rows' "$leat" train l1.csv --target churn --key customer_id --set false_positive_cost=1 --set false_negative_cost=6 -o x.leat

python3 -c '
import random
r = random.Random(4)
for n, name in ((3000, "i1.csv"), (3000, "i2.csv")):
    with open(name, "w") as f:
        f.write("a,b,y\n")
        for _ in range(n):
            a, b = r.gauss(0, 1), r.gauss(0, 1)
            f.write(f"{a:.5f},{b:.5f},{3 * a - b + r.expovariate(0.5):.5f}\n")'
for l in squared huber quantile; do
  call 0 '' "train loss=$l with an interval" "$leat" train i1.csv --target y --holdout 0.4 --set loss=$l --set interval=0.8 -o i.leat --json
  "$leat" predict i.leat i2.csv -o p.csv -q
  python3 -c '
import csv
rows = list(csv.DictReader(open("p.csv"))); truth = [float(d["y"]) for d in csv.DictReader(open("i2.csv"))]
inside = sum(float(r["lower"]) <= t <= float(r["upper"]) for r, t in zip(rows, truth)) / len(rows)
assert 0.75 < inside < 0.86, inside' 2>why && ok "loss=$l: the interval holds what it says" || bad "loss=$l: the interval holds what it says" "$(cat why)"
done
for t in 1 2 3 7; do
  "$leat" train l1.csv --target churn --key customer_id --holdout 0.3 --set loss=hinge --set calibrate=platt --set l1=3 --threads $t -o t$t.leat -q >/dev/null
  cmp -s t1.leat t$t.leat && ok "hinge with l1 and platt: the same package bytes with $t threads" || bad "hinge with l1 and platt: the same package bytes with $t threads"
done
