# Monitors inside leat learn: drift in the history, in `store status`, in the report. Sourced by run.sh.
"$leat" generate churn --rows 9000 --seed 8 >calm.csv
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "monthly_charge") c = i } NR > 4001 { $c = $c * 1.6 } { print }' calm.csv >dear.csv
call 0 '' 'learn with monitors' "$leat" learn calm.csv --target churn --key customer_id --store calm --quiet --json --set monitor_reference=2000 --set monitor_window=1000
call 0 '' 'status of a calm store' "$leat" store calm status --json
check 'it has age, staleness and alerts' json out age_seconds staleness alerts
[ "$(number out alerts)" = '[]' ] && ok 'nothing has drifted' || bad 'nothing has drifted' "$(number out alerts)"
check 'and how long its operations took' json out latency.learn.count latency.learn.p99_seconds latency.journal_sync.max_seconds latency.snapshot.sum_seconds
call 0 'journal_sync +[0-9]' 'which are also a table' "$leat" store calm status
call 0 '' 'learn a stream whose prices rise' "$leat" learn dear.csv --target churn --key customer_id --store dear --quiet --json --set monitor_reference=2000 --set monitor_window=1000
check 'learn tells the alert' json out alerts.0.name
call 0 'monthly_charge' 'status names the column' "$leat" store dear status
call 0 '' 'status --json' "$leat" store dear status --json
check 'with value, threshold and since when' json out alerts.0.name alerts.0.value alerts.0.threshold alerts.0.row alerts.0.text
call 0 'drift +.*monthly_charge.*worst cell' 'log tells the worst cell' "$leat" store dear log
call 0 'windows' 'report of it' "$leat" report dear -o dear.html
check 'the report has a strip of drift for each column' [ "$(grep -c 'data-feature=' dear.html)" -ge 10 ]
check 'the column that moved comes first, in alert' sh -c "grep 'data-feature=' dear.html | head -1 | grep -q 'monthly_charge'"
call 0 'monthly_charge' 'its production can be monitored: the reference is in the package' sh -c '"$0" store dear promote "$("$0" store dear status --json | python3 -c "import json,sys; print(json.load(sys.stdin)[\"versions\"][-1][\"version\"])")" --stage production -q >/dev/null && "$0" monitor dear dear.csv' "$leat"
call 0 '' 'drift answered by policy' "$leat" learn dear.csv --target churn --key customer_id --store policy --quiet --json --set drift_response=reset --set detector=hddm_a
call 2 "drift_response" 'a policy that is none' "$leat" learn dear.csv --target churn --store none --set drift_response=panic
call 2 "did you mean|expected|one of" 'a detector that is none' "$leat" learn dear.csv --target churn --store none --set detector=adwim
call 0 '' 'a race' "$leat" learn calm.csv --target churn --key customer_id --store race --quiet --json --set learner=adagrad --set adagrad_rate=0.0001 --race 'learner=race;learner=coin'
call 0 'race .*champion' 'the champion is in the history' "$leat" store race log
printf '# two\nlearner=coin\nadagrad_rate=0.00001,learner=adagrad\n' >racers.txt
call 0 '' 'a race from a file' "$leat" learn calm.csv --target churn --key customer_id --store race2 --quiet --json --race racers.txt
call 0 'race .*dropped' 'who is worse is dropped' "$leat" store race2 log
call 1 "did you mean 'coin'" 'a racer that is none' "$leat" learn calm.csv --target churn --store race3 --race 'learner=coyn'
call 1 'cannot be opened' 'a race from a file that is not there' "$leat" learn calm.csv --target churn --store race3 --race racers.lst
