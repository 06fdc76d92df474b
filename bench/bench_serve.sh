#!/bin/bash
# leat-serve beside a bare libevent "hello": wrk with a churn row, processor time a request, in interleaved rounds; then quiet runs beside
# ones with 20 hot swaps and `leat learn` feeding the same store: errors and p99.9. Needs wrk, gcc, libevent, curl.
# Usage: bench/bench_serve.sh [BUILD] [SECONDS=10] [ROUNDS=3] [CONNECTIONS="32 256"]. Figures hold for one run on one machine.
set -eu
cd "$(dirname "$0")/.."
build=$(cd "${1:-build}" && pwd) seconds=${2:-10} rounds=${3:-3} connections=${4:-32 256}
work=$(mktemp -d)
trap 'kill $pids 2>/dev/null; rm -rf "$work"' EXIT
pids=""
cd "$work"
cat >hello.c <<'C'
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
static void hello(struct evhttp_request *r, void *arg) {
  struct evbuffer *b = evbuffer_new();
  (void)arg;
  evbuffer_add(b, "hello", 5);
  evhttp_send_reply(r, 200, "OK", b);
  evbuffer_free(b);
}
int main(void) {
  struct event_base *base = event_base_new();
  struct evhttp *h = evhttp_new(base);
  evhttp_set_gencb(h, hello, NULL);
  if (evhttp_bind_socket(h, "127.0.0.1", 18899)) return 1;
  return event_base_dispatch(base);
}
C
gcc -O2 hello.c -o hello -levent
"$build/leat" generate churn --rows 5000 --seed 1 -o churn.csv 2>/dev/null
"$build/leat" learn churn.csv --target churn --key customer_id --store S --quiet >/dev/null
./hello & hello=$!
"$build/leat-serve" --store S --listen 127.0.0.1:18898 --admin 127.0.0.1:18897 --threads 1 --quiet >out & serve=$!
pids="$hello $serve"
sleep 2
cat >row.lua <<'L'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local function t(n, v) return '{"name":"'..n..'","shape":[1],"datatype":"'..(type(v) == "string" and "BYTES" or "FP64")..'","data":['..(type(v) == "string" and '"'..v..'"' or v)..']}' end
wrk.body = '{"inputs":['..table.concat({t("region","capital"),t("tenure_months",3),t("contract","month-to-month"),t("internet","dsl"),t("payment","card"),
  t("monthly_charge",40.04),t("data_gb",30.3),t("support_calls",0),t("competitor_offers",0)}, ",")..']}'
L
cat >>row.lua <<'L'
function done(summary, latency) io.write(string.format("p99.9 %.1f ms\n", latency:percentile(99.9) / 1000)) end
L
sed -E 's/wrk.body = .*/wrk.body = "x"/; /^  t\(/d; /^local/d' row.lua >hello.lua
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
one() { # NAME PID URL SCRIPT CONNECTIONS
  local before after n
  before=$(ticks "$2")
  wrk -t1 -c"$5" -d"${seconds}s" --latency -s "$4" "$3" >wrk.out
  after=$(ticks "$2")
  n=$(sed -nE 's/^ *([0-9]+) requests in.*/\1/p' wrk.out)
  echo "$1 c=$5: $n requests ($(grep -cE 'Non-2xx|Socket errors' wrk.out) kinds of errors), $(awk -v t=$((after - before)) -v n="$n" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f us of processor a request", t / hz / n * 1e6 }'), p99 $(awk '$1 == "99%" { print $2 }' wrk.out), $(grep 'p99.9' wrk.out)$(grep -E 'Non-2xx|Socket errors' wrk.out | tr '\n' ' ')"
}
for c in $connections; do
  for _ in $(seq "$rounds"); do
    one hello $hello http://127.0.0.1:18899/ hello.lua "$c"
    one leat-serve $serve http://127.0.0.1:18898/v2/models/S/infer row.lua "$c"
  done
done

# Quiet, with swaps and learning, quiet.
"$build/leat" generate churn --rows 200000 --seed 2 -o feed.csv 2>/dev/null
versions=$("$build/leat" store S status --json | python3 -c 'import json, sys; print(*[v["version"] for v in json.load(sys.stdin)["versions"]][-2:])')
swaps() {
  for i in $(seq 20); do
    for v in $versions; do [ $((i % 2)) = $((v % 2)) ] && break; done
    curl -s -H 'Content-Type: application/json' -d "{\"version\":$v,\"stage\":\"production\"}" http://127.0.0.1:18897/admin/promote >/dev/null
    sleep "$(awk -v s="$seconds" 'BEGIN { print s / 22 }')"
  done
}
for c in $connections; do
  one quiet $serve http://127.0.0.1:18898/v2/models/S/infer row.lua "$c"
  swaps & busy=$!
  "$build/leat" learn feed.csv --target churn --key customer_id --store S --resume --quiet >/dev/null & feeding=$!
  pids="$hello $serve $feeding"
  one "20 swaps and a feed" $serve http://127.0.0.1:18898/v2/models/S/infer row.lua "$c"
  wait $busy
  wait $feeding
  one quiet $serve http://127.0.0.1:18898/v2/models/S/infer row.lua "$c"
done
