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
check 'the rollback is marked in each chart' [ "$(grep -o 'data-kind="rollback"' life.html | wc -l)" -ge 2 ]
check 'the page needs no network' [ "$(grep -cE '(src|href)=|url\(|@import|fetch\(' life.html)" = 0 ]
call 1 'no store' 'report of a store that is not there' "$leat" report nowhere -o x.html
[ ! -e x.html ] && ok 'and no page is written' || bad 'and no page is written'
call 1 'folder' 'report into a folder that is not there' "$leat" report life -o none/x.html

# a longer one: a column whose numbers move for good at record 16 001, under a name that would be a script; a long name; labels
# that turn over for a while
"$leat" generate churn --rows 42000 --seed 6 | awk -F, -v OFS=, '
  NR == 1 { for (i = 1; i <= NF; i++) if ($i == "data_gb") { moved = i; $i = "<script>document.title=1</script>" }
                                      else if ($i == "payment") $i = "how_the_customer_pays_as_the_billing_system_of_the_warehouse_spells_it" }
  NR > 16001 { $moved += 40 }
  NR > 12001 && NR <= 14001 { $NF = $NF == "yes" ? "no" : "yes" } { print }' >moved.csv
call 0 '' 'learn a stream with drift' "$leat" learn moved.csv --target churn --key customer_id --store drifted --quiet --json \
  --set learner=adagrad --set adagrad_rate=0.1 --set guard_window=500 --set hash_bits=12
call 0 '' 'report of it' "$leat" report drifted -o drifted.html
check 'the name of a column is text, not a script' [ "$(grep -c '<script>document' drifted.html)" = 0 ]
check 'the page is of a bounded size' [ "$(stat -c %s drifted.html)" -lt 400000 ]
# the states of a page with nothing to show
"$leat" store plain add m.leat -q >/dev/null && "$leat" store plain promote 1 --stage production >/dev/null
call 0 '' 'report of a store without a learner' "$leat" report plain -o plain.html
check 'it says so' grep -q 'No learner has finished a window' plain.html
check 'and that there are no alerts' grep -q 'None so far' plain.html
head -801 clean.csv >short.csv
"$leat" learn short.csv --target churn --key customer_id --store short --quiet >/dev/null
call 0 '' 'report of a store with one snapshot' "$leat" report short -o short.html

# seen PAGE WIDTH SCHEME(1 light, 0 dark): the page as Chromium draws it in a frame of that width (its windows are not that narrow),
# measured by report_probe.js, to probe.json
seen() {
  python3 - "$1.html" "$2" "$root/tests/cli/report_probe.js" >frame.html <<'PY'
import html, sys
page = open(sys.argv[1]).read() + "<script>" + open(sys.argv[3]).read() + "</script>"
print('<!doctype html><meta charset="utf-8"><style>:root{color-scheme:light dark}body{margin:0}iframe{border:0}</style>'
      '<iframe width="%s" height="1400" srcdoc="%s"></iframe>' % (sys.argv[2], html.escape(page)))
PY
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --blink-settings=preferredColorScheme="$3" \
    --window-size=1300,1500 --enable-logging=stderr --v=0 --dump-dom "file://$PWD/frame.html" >dom.html 2>browser.err
  python3 -c '
import html, re, sys
found = re.search(r"<pre id=\"probe\">(.*?)</pre>", open("dom.html").read(), re.S)
sys.exit("the page did not come to its end") if not found else open("probe.json", "w").write(html.unescape(found.group(1)))'
}
drawn() { # PAGE CHARTS WHAT-MUST-HOLD (python, of o)
  python3 - "$@" <<'PY'
import json, sys
o = json.load(open("probe.json"))
wrong = []
def must(what, holds):
    if not holds: wrong.append(what)
must("script ran to its end", o["ready"] == "yes")
must("no horizontal scrolling: %s" % o["wide"], o["overflow"] <= 0 and not o["wide"])
must("words have 4.5 to 1: %.2f '%s'" % (o["words"], o["least"]), o["words"] >= 4.5)
must("lines have 3 to 1: %.2f" % o["lines"], o["lines"] >= 3)
must("no letters under 11 px: %s" % o["small"], o["small"] >= 11)
must("axis labels apart: %s" % o["clash"], o["clash"] == 0)
must("not blank: %d texts" % o["texts"], o["texts"] > 20)
must("%s charts: %d" % (sys.argv[2], o["charts"]), o["charts"] == int(sys.argv[2]))
must(sys.argv[3], eval(sys.argv[3]))
sys.exit("; ".join(wrong) if wrong else 0)
PY
}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -n "$browser" ]; then
  moved='[f for f in o["features"] if f["state"] == "alert"][0]["name"] == "<script>document.title=1</script>"'
  for look in '1200 1 light' '390 1 light' '390 0 dark' '1200 0 dark'; do
    read -r width scheme word <<<"$look"
    check "$width px, $word: drawn" seen drifted "$width" "$scheme"
    check "$width px, $word: it is that" python3 -c 'import json,sys; o = json.load(open("probe.json")); sys.exit([o["width"], o["dark"]] != [int(sys.argv[1]), sys.argv[2] == "0"])' "$width" "$scheme"
    check "$width px, $word: legible, rollback and drift are there" drawn drifted 2 \
      "o['rollbacks'] >= 2 and o['arrows'] >= 2 and o['bands'] == 2 and $moved and o['features'][0]['beyond'] == 1"
    check "$width px, $word: no script error" [ "$(grep -c 'CONSOLE.*Uncaught' browser.err)" = 0 ]
  done
  check 'a column that stayed is not in alert' python3 -c 'import json,sys; sys.exit(any(f["state"] == "alert" for f in json.load(open("probe.json"))["features"] if f["name"] in ("region", "contract", "support_calls")))'
  check 'no script but ours ran' python3 -c 'import json,sys; o = json.load(open("probe.json")); sys.exit(o["scripts"] != 2 or o["title"] != "drifted - leat")'
  check 'life: drawn on a phone' seen life 390 1
  check 'life: both charts with the rollback' drawn life 2 "o['rollbacks'] >= 2"
  for name in plain short; do
    check "$name: drawn on a phone" seen "$name" 390 0
    check "$name: says what there is" drawn "$name" 0 "not o['features']"
  done
else
  skip 'the page in a browser: no chromium here'
fi
