# leat refresh: due, retrained, shadowed, promoted or not. Sourced by run.sh; needs m.leat and past.csv of work.sh.
call 2 'no store' 'refresh without a store' "$leat" refresh past.csv
call 1 'no store' 'refresh of a store that is not there' "$leat" refresh --store F past.csv
call 2 '--if-due' '--if-due without data' "$leat" refresh --store F --if-due
"$leat" generate churn --rows 6000 --seed 4 -o old.csv
"$leat" generate churn --rows 6000 --seed 6 --drift-at 1 -o new.csv
"$leat" train old.csv --target churn --key customer_id --set l2=3 -o o.leat -q >/dev/null
"$leat" store F add o.leat -q >/dev/null
call 1 'no production' 'refresh without production' "$leat" refresh --store F old.csv
"$leat" store F promote 1 --stage production >/dev/null
call 0 'no refresh is due' 'is it due? no' "$leat" refresh --store F
call 0 'version 1.*no refresh is due' '--if-due does nothing then' "$leat" refresh --store F new.csv --if-due
call 0 'due: age' 'due by age' "$leat" refresh --store F --set max_age=0.000001
call 0 'alert' 'monitor a store' "$leat" monitor F new.csv --set alert=0.001 --set min_rows=10
call 0 'due: drift' 'due by drift in the history' "$leat" refresh --store F
call 0 'due: rows' 'due by rows' "$leat" refresh --store F --set max_rows=6000 --set drift=false
call 0 'refresh_due +1' 'the history tells that once' "$leat" store F log
[ "$(grep -c 'refresh_due' out)" = 3 ] && ok 'once a reason' || bad 'once a reason' "$(grep refresh_due out)"
call 0 '' 'refresh' "$leat" refresh --store F new.csv --if-due --json
check 'refresh --json' json out version promoted production due reasons.0 rows rows_compared loss production_loss upper
[ "$(number out promoted)" = True ] && [ "$(number out version)" = 2 ] && ok 'new rules: the new model is better and promoted' ||
  bad 'new rules: the new model is better and promoted' "$(cat out)"
"$leat" store F export 2 -o f.leat >/dev/null && "$leat" train new.csv --target churn --key customer_id --set l2=3 -o g.leat -q >/dev/null
"$leat" inspect f.leat --weights >f.txt && [ "$(grep -c . f.txt)" = "$("$leat" inspect g.leat --weights | grep -c .)" ] && ok 'with the columns of before' || bad 'with the columns of before'
call 0 'bit for bit' 'the same data again: the same model' "$leat" refresh --store F new.csv
call 0 'stays production' 'a worse one is kept out' "$leat" refresh --store F new.csv --set l2=1e9
call 0 'production +2' 'production is what it was' "$leat" store F status
call 0 'kept +loss' 'the history tells why' "$leat" store F log
awk -F, -v OFS=, 'NR > 1 && NR % 3 == 0 { $2 = "far-away" } { print }' new.csv >far.csv
call 0 'version' 'a label that is new is learned' "$leat" refresh --store F far.csv --set confidence=0.5
v=$("$leat" store F status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["versions"][-1]["version"])')
"$leat" store F export "$v" -o h.leat >/dev/null && "$leat" inspect h.leat --weights | grep -q far-away && ok 'it has a weight' || bad 'it has a weight'
call 1 'too few' 'too few rows decide nothing' "$leat" refresh --store F new.csv --holdout 0.001
call 2 'take one' '--holdout and --valid' "$leat" refresh --store F new.csv --holdout 0.1 --valid old.csv
call 0 'stays production' '--valid: the old data against the new rules' "$leat" refresh --store F old.csv --valid new.csv
call 0 'every file is whole' 'the store is whole' "$leat" store F verify
call 0 'freed' 'and can be compacted' "$leat" store F gc
call 0 'refresh_due' 'which keeps the history' "$leat" store F log
"$leat" learn new.csv --target churn --store G -q >/dev/null && "$leat" store G promote 1 --stage production >/dev/null
call 1 'learns online' 'an online model is not trained again' "$leat" refresh --store G new.csv
