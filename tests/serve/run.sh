#!/bin/bash
# leat-serve as its users and its enemies meet it. Usage: tests/serve/run.sh [BUILD]. One line a check, then "N passed, N failed, N skipped".
# LEAT_SERVE_MUTATIONS: how many mutated requests (3000); LEAT_SERVE_SWAPS (20). The client of somebody else (tritonclient), promtool and
# the page's browser (playwright with chromium) are used when they are there.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
build=$(cd "${1:-build}" && pwd)
leat=$build/leat serve=$build/leat-serve
if [ ! -x "$serve" ]; then echo "skip: $serve was not built (libevent)"; exit 77; fi
sanitized=$(ldd "$serve" 2>/dev/null | grep -c 'lib[at]san') # what these keep of freed memory does not count
export LEAT_SERVE_MIB=$((sanitized ? 2000 : 200)) TSAN_OPTIONS="suppressions=$root/tests/serve/tsan.supp ${TSAN_OPTIONS:-}"
work=$(mktemp -d)
pid=""
trap 'ps -p "${pid:-0}" >/dev/null 2>&1 && kill -9 "$pid"; rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok   $1"; }
bad() { failed=$((failed + 1)); echo "FAIL $1"; shift; printf '     %s\n' "$@"; }
skip() { skipped=$((skipped + 1)); echo "skip $1"; }
check() { local name=$1; shift; if timeout 300 "$@" >check.out 2>&1; then ok "$name: $(tail -1 check.out)"; else bad "$name" "$(tail -4 check.out)" "$(tail -4 serve.err)"; fi; }

# start OPTION...: sets pid, address, admin
start() {
  rm -f serve.out # not the address of the one before
  : >serve.out
  "$serve" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --quiet "$@" >serve.out 2>serve.err &
  pid=$!
  for _ in $(seq 300); do [ -s serve.out ] && break; kill -0 $pid 2>/dev/null || break; sleep 0.1; done
  address=$(sed -nE 's|.* at http://([^,]*),.*|\1|p' serve.out) admin=$(sed -nE 's|.*admin http://([^,]*),.*|\1|p' serve.out)
  [ -n "$address" ]
}
# stop NAME: SIGTERM must end it with 0, and nothing may have been said (by a sanitizer, above all)
stop() {
  local rc
  kill -TERM "$pid"
  wait "$pid"
  rc=$?
  pid=""
  if [ $rc -ne 0 ] || [ -s serve.err ]; then bad "$1: ended by SIGTERM" "exit $rc" "$(head -5 serve.err)"; else ok "$1: ended by SIGTERM"; fi
}
promtool_checks() {
  if ! command -v promtool >/dev/null; then skip "promtool is not installed"; return; fi
  python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(f"http://{sys.argv[1]}/metrics").read())' "$address" >metrics.txt
  check "promtool check metrics, $1" sh -c 'promtool check metrics <metrics.txt && echo "clean: $(grep -vc ^# metrics.txt) samples"'
}
usage() { # STATUS WORD OPTION...
  local want=$1 word=$2
  shift 2
  timeout 20 "$serve" "$@" >out 2>err </dev/null
  local rc=$?
  if [ $rc -eq "$want" ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "^leat-serve: .*$word" err; then ok "usage: $*"; else bad "usage: $*" "exit $rc" "$(cat err)"; fi
}

usage 2 "no store"
usage 2 "did you mean '--store'" --stor S
usage 2 "needs a value" --store
usage 2 "HOST:PORT" --store S --listen nowhere
usage 1 "no store there\|not\|no such" --store nothing-here
"$serve" --help >out 2>&1 && grep -q -- --admin-token-file out && ok "help" || bad "help"

"$leat" generate churn --rows 6000 --seed 1 -o churn.csv 2>/dev/null && "$leat" learn churn.csv --target churn --key customer_id --store S --quiet >/dev/null || bad "a store"
usage 2 "HOST:PORT" --store S --listen 127.0.0.1
usage 2 "not the loopback" --store S --listen 127.0.0.1:0 --admin 0.0.0.0:0
version=$("$leat" store S status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["stages"].get("testing") or 1)')
"$leat" store S export "$version" -o m.leat >/dev/null && head -400 churn.csv >rows.csv && "$leat" predict m.leat rows.csv -o pred.csv 2>/dev/null
"$leat" table build m.leat rows.csv --key customer_id -o t.ltab --quiet >/dev/null || bad "a table"
"$leat" table publish t.ltab --store S --name published >/dev/null || bad "a published table"
python3 -c 'import tritonclient.http' 2>/dev/null && triton=1 || triton=0

if start --store S --threads 2; then
  [ $triton = 1 ] && check "tritonclient" python3 "$root/tests/serve/client.py" "$address" S rows.csv pred.csv || skip "tritonclient is not installed"
  check "hostile clients" python3 "$root/tests/serve/hostile.py" "${address%:*}" "${address##*:}" S "${LEAT_SERVE_MUTATIONS:-3000}"
  check "hot swaps" python3 "$root/tests/serve/swaps.py" "$address" "$admin" S "${LEAT_SERVE_SWAPS:-20}"
  # while `leat learn` goes on in another process
  "$leat" generate churn --rows 9000 --seed 2 -o more.csv 2>/dev/null
  "$leat" learn more.csv --target churn --key customer_id --store S --resume --quiet >/dev/null 2>&1 &
  learner=$!
  check "beside leat learn" python3 "$root/tests/serve/swaps.py" "$address" "$admin" S 10
  wait $learner && ok "leat learn beside it" || bad "leat learn beside it"
  promtool_checks "serving"
  if command -v prometheus >/dev/null; then check "Prometheus scrapes" python3 "$root/tests/serve/prometheus.py" "$address" S
  else skip "prometheus is not installed"; fi
  stop "serving"
else bad "start" "$(cat serve.err)"; fi

if start --store S --threads 2 --request-ms 1500 --queue 20; then
  check "limits" python3 "$root/tests/serve/limits.py" "${address%:*}" "${address##*:}" S "$pid" "${LEAT_SERVE_MUTATIONS:-2000}"
  stop "limits"
else bad "start with limits" "$(cat serve.err)"; fi

if start --store S --threads 2 --learn --table t=t.ltab --access-log access.log; then
  check "feedback loop" python3 "$root/tests/serve/loop.py" "$address" "$admin" S churn.csv
  if python3 -c 'import playwright.sync_api' 2>/dev/null && command -v chromium >/dev/null; then
    check "the page in a browser" python3 "$root/tests/serve/page.py" "$address" "$admin" S
  else skip "playwright or chromium is not installed"; fi
  check "hot swaps while it learns" python3 "$root/tests/serve/swaps.py" "$address" "$admin" S "${LEAT_SERVE_SWAPS:-20}" churn.csv
  promtool_checks "learning"
  stop "learning"
  check "the access log is JSON" python3 -c 'import json
rows = [json.loads(l) for l in open("access.log")]
assert len(rows) > 30 and all(r["status"] and r["method"] for r in rows), len(rows)
print(len(rows), "lines")'
else bad "start --learn" "$(cat serve.err)"; fi

# Shadow and canary: a store of a poor model and a good one.
"$leat" generate churn --rows 8000 --seed 3 -o whole.csv 2>/dev/null
awk -F, 'BEGIN { OFS = FS; srand(1) } NR > 1 && rand() < .35 { $NF = $NF == "yes" ? "no" : "yes" } NR < 3000' whole.csv >flipped.csv
"$leat" train whole.csv --target churn --key customer_id -o good.leat --quiet >/dev/null && "$leat" train flipped.csv --target churn \
  --key customer_id -o poor.leat --quiet >/dev/null || bad "models for trials"
store() { # NAME PRODUCTION CANDIDATE
  rm -rf "$1" && "$leat" store "$1" add "$2" --stage production >/dev/null && "$leat" store "$1" add "$3" --stage testing >/dev/null
}
try=(--trial testing --trial-set shares=0.1,1 --trial-set evidence=20 --trial-set min_rows=50 --follow-ms 20)
if store T poor.leat good.leat && start --store T --threads 2 "${try[@]}"; then
  check "shadow, canary, promoted" python3 "$root/tests/serve/trial.py" "$address" "$admin" T whole.csv better 1 2
  promtool_checks "trial"
  stop "trial of a better one"
  "$leat" store T log --json | grep -q '"promoted"' && ok "the history has it" || bad "the history has it" "$("$leat" store T log --json | tail -3)"
else bad "start a trial of a better one" "$(cat serve.err)"; fi
if store T good.leat poor.leat && start --store T --threads 2 "${try[@]}" --trial-set begin=canary; then
  check "a worse one is aborted" python3 "$root/tests/serve/trial.py" "$address" "$admin" T whole.csv worse 1 2
  stop "trial of a worse one"
else bad "start a trial of a worse one" "$(cat serve.err)"; fi
if store T good.leat poor.leat && start --store T --threads 2 --follow-ms 20; then
  check "trials by hand" python3 "$root/tests/serve/trial.py" "$address" "$admin" T whole.csv hand 1 2
  stop "trials by hand"
else bad "start trials by hand" "$(cat serve.err)"; fi
usage 2 "did you mean 'shares'" --store T --listen 127.0.0.1:0 --admin none --trial-set sahres=1

echo 0123456789abcdef0123 >token
if start --store S --threads 1 --admin-token-file token; then
  check "bearer token" python3 -c 'import sys, urllib.request, urllib.error
def code(h):
    try: return urllib.request.urlopen(urllib.request.Request("http://" + sys.argv[1] + "/admin/versions", headers=h)).status
    except urllib.error.HTTPError as e: return e.code
got = [code({}), code({"Authorization": "Bearer 0123456789abcdef0124"}), code({"Authorization": "Bearer 0123456789abcdef0123"})]
assert got == [401, 401, 200], got' "$admin"
  stop "with a token"
else bad "start with a token" "$(cat serve.err)"; fi
"$leat" store S verify >/dev/null 2>&1 && ok "the store is whole" || bad "the store is whole"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
