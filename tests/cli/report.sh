# leat monitor and leat report: drift of data, and the page of a store's life. Sourced by run.sh; needs m.leat and past.csv.
call 0 'insufficient|ok' 'monitor on the data that the model was trained on' "$leat" monitor m.leat past.csv
call 0 '' 'monitor --json' "$leat" monitor m.leat past.csv --json
check 'monitor --json has state, rows, features' json out state rows features.0.name features.0.stat features.0.value features.0.warn features.0.alert features.0.state
call 2 "did you mean 'monitor'" 'monitor misspelt' "$leat" moniter m.leat past.csv
call 1 'no file|No such file' 'monitor without its data' "$leat" monitor m.leat nowhere.csv

# a stream whose labels turn over for a while: the model must roll back, and the page must show it
"$leat" generate churn --rows 14000 --seed 5 >clean.csv
awk -F, -v OFS=, 'NR > 8001 && NR <= 10001 { for (i = 1; i <= NF; i++) if ($i == "yes" || $i == "no") $i = $i == "yes" ? "no" : "yes" } { print }' clean.csv >turned.csv
call 0 '' 'learn a stream with turned labels' "$leat" learn turned.csv --target churn --store life --quiet --json \
  --set learner=adagrad --set adagrad_rate=0.1 --set guard_window=500 --set hash_bits=12
check 'it rolled back' json out rollbacks.0.row
call 0 'windows, [0-9]+ events' 'report' "$leat" report life -o life.html
check 'the page has two charts' [ "$(grep -c '<svg' life.html)" = 2 ]
check 'the rollback is marked in each' [ "$(grep -o 'data-kind="rollback"' life.html | wc -l)" -ge 2 ]
check 'the page needs no network' [ "$(grep -cE '(src|href)=|url\(|@import|fetch\(' life.html)" = 0 ]
call 1 'no store' 'report of a store that is not there' "$leat" report nowhere -o x.html
[ ! -e x.html ] && ok 'and no page is written' || bad 'and no page is written'
call 1 'folder' 'report into a folder that is not there' "$leat" report life -o none/x.html
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -n "$browser" ]; then
  page() { timeout 60 "$browser" --headless --no-sandbox --disable-gpu "$@" "file://$PWD/life.html" 2>browser.err; }
  page --dump-dom >dom.html
  check 'the script of the page ran to its end' grep -q 'data-ready="yes"' dom.html
  page --enable-logging=stderr --v=0 --dump-dom >/dev/null
  check 'without an error' [ "$(grep -c 'CONSOLE.*Uncaught' browser.err)" = 0 ]
  page --window-size=390,1400 --hide-scrollbars --screenshot="$PWD/phone.png" >/dev/null
  check 'it can be drawn on a phone' [ "$(stat -c %s phone.png 2>/dev/null || echo 0)" -gt 20000 ]
else
  skip 'the page in a browser: no chromium here'
fi
