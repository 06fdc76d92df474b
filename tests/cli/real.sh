# The real data sets. Sourced by run.sh.
data=${LEAT_DATA_DIR:-}
if [ -z "$data" ] || [ ! -e "$data/telco_churn.csv.zst" ]; then
  skip 'telco churn: LEAT_DATA_DIR is not set'
  skip 'a9a: LEAT_DATA_DIR is not set'
  skip 'other real data: LEAT_DATA_DIR is not set'
else
  call 0 'binary' 'telco churn: train' "$leat" train "$data/telco_churn.csv.zst" --target Churn --holdout 0.2 --seed 1 -o telco.leat
  grep -qE 'customerID +id' out && grep -qE 'TotalCharges +number .*11' out && ok 'telco churn: kinds, and 11 blanks' ||
    bad 'telco churn: kinds, and 11 blanks' "$(grep -E 'customerID|TotalCharges' out)"
  "$leat" train "$data/telco_churn.csv.zst" --target Churn --holdout 0.2 --seed 1 -o telco2.leat --json >out
  awk -v a="$(number out valid.auc)" 'BEGIN { exit !(a > 0.82 && a < 0.87) }' && ok "telco churn: valid AUC $(number out valid.auc)" ||
    bad 'telco churn: valid AUC' "$(cat out)"
  call 0 '' 'telco churn: evaluate' "$leat" evaluate telco.leat "$data/telco_churn.csv.zst" --json
  call 0 '' 'telco churn: predict' "$leat" predict telco.leat "$data/telco_churn.csv.zst" --key customerID -o p.csv
  [ "$(wc -l <p.csv)" -eq 7044 ] && grep -q '^7590-VHVEG,' p.csv && ok 'telco churn: a line a customer, by key' ||
    bad 'telco churn: a line a customer, by key' "$(head -2 p.csv)"
  call 0 'Contract=Two year' 'telco churn: coefficients by name' "$leat" inspect telco.leat --weights
  call 0 '' 'a9a: train' "$leat" train "$data/a9a.libsvm.zst" -o a9a.leat --json
  call 0 '' 'a9a: evaluate' "$leat" evaluate a9a.leat "$data/a9a_t.libsvm.zst" --json
  awk -v a="$(number out metrics.accuracy)" 'BEGIN { exit !(a > 0.849 && a < 0.851) }' && ok "a9a: accuracy $(number out metrics.accuracy)" ||
    bad 'a9a: accuracy' "$(cat out)"
  call 0 'multiclass' 'covtype: gzip, no header, the last column' "$leat" train "$data/covtype_norm_93k.csv.gz" --target -1 --set max_iterations=10 -o cov.leat
  call 0 'regression' 'bike: regression' "$leat" train "$data/bike_hour.csv.zst" --target cnt --ignore instant,dteday,casual,registered -o bike.leat
  call 0 'binary' 'sms: text' "$leat" train "$data/sms_spam.tsv.zst" --no-header --target 1 --text 2 --holdout 0.2 -o sms.leat
  call 0 'multiclass' 'fashion: idx and labels packed in two ways' "$leat" train "$data/fashion-t10k-images-idx3-ubyte.zst" \
    --labels "$data/fashion-t10k-labels-idx1-ubyte.gz" --set max_iterations=5 -o fashion.leat
  call 0 '' 'elec2: the online network' "$leat" learn "$data/elec2.csv.zst" --target class --store elec2 --model mlp --json -q
  awk -v a="$(number out metrics.cumulative.accuracy)" 'BEGIN { exit !(a > 0.915) }' && ok "elec2: accuracy $(number out metrics.cumulative.accuracy)" ||
    bad 'elec2: accuracy' "$(cat out)"
  call 0 '' 'bike: the online network' "$leat" learn "$data/bike_hour.csv.zst" --target cnt --ignore instant,dteday,casual,registered --store bike \
    --model mlp --json -q
  awk -v a="$(number out metrics.cumulative.r2)" 'BEGIN { exit !(a > 0.78) }' && ok "bike: r2 $(number out metrics.cumulative.r2)" ||
    bad 'bike: r2' "$(cat out)"
fi
