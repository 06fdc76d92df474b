#!/bin/bash
# From nothing on a bare Debian 12 to a model that is trained, inspected, evaluated and predicting: installs what is
# missing (as root or with sudo), builds, and runs the main job on generated data. Ends with status 1 at the first
# failure. Usage: examples/quickstart.sh
set -euo pipefail
cd "$(dirname "$0")/.."

bold='' plain=''
[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() { printf '$ %s\n' "$*"; "$@"; }

missing=""
for name in gcc libc6-dev cmake make pkg-config libblis-pthread-dev libzstd-dev libxxhash-dev libjansson-dev zlib1g-dev; do
  dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
done
if [ -n "$missing" ]; then
  say "Installing what is missing:$missing"
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  $sudo apt-get install -y --no-install-recommends $missing ||
    { $sudo apt-get update && $sudo apt-get install -y --no-install-recommends $missing; }
fi

say "Building leat"
# a build folder that tests/run.sh made is used as it is; a new one leaves the tests out
if [ -f build/CMakeCache.txt ]; then cmake -S . -B build >/dev/null
else cmake -S . -B build -DLEAT_TESTS=OFF >/dev/null; fi
cmake --build build -j"$(nproc)" --target leat leat_shared >build/quickstart.log 2>&1 ||
  { tail -30 build/quickstart.log; echo "quickstart: the build failed: see build/quickstart.log" >&2; exit 1; }
begin=$SECONDS
leat=$PWD/build/leat
work=$PWD/build/quickstart
rm -rf "$work"
mkdir -p "$work"
cd "$work"

say "A telecom's customers, and who left within the quarter"
run "$leat" generate churn --rows 60000 --drift-at 50001 --seed 1 -o churn.csv
head -4 churn.csv
# 40 000 to learn from, 10 000 of the same time to check, and the 10 000 after competitors appeared
head -40001 churn.csv >past.csv
{ head -1 churn.csv; sed -n '40002,50001p' churn.csv; } >present.csv
{ head -1 churn.csv; tail -10000 churn.csv; } >after.csv

say "Train: kinds are inferred, the package holds everything that predicting needs"
run "$leat" train past.csv --target churn --key customer_id --holdout 0.2 -o churn.leat

say "What is inside, and which way each feature pulls"
run "$leat" inspect churn.leat --weights

say "How good it is on customers it has never seen"
run "$leat" evaluate churn.leat present.csv

say "Predict raw rows"
run "$leat" predict churn.leat present.csv -o predictions.csv
head -4 predictions.csv

say "Then new competitors appear in three regions: the same model is wrong from now on"
run "$leat" evaluate churn.leat after.csv

accuracy() { "$leat" evaluate churn.leat "$1" --json | sed -E 's/.*"metrics": *\{[^}]*"accuracy": *([0-9.]+).*/\1/'; }
before=$(accuracy present.csv)
after=$(accuracy after.csv)
awk -v b="$before" -v a="$after" 'BEGIN { exit !(b > 0.75 && a < b - 0.1) }' ||
  { echo "quickstart: expected a good model and a clear fall, got accuracy $before and then $after" >&2; exit 1; }
echo "accuracy $before before, $after after"

say "The same from C: examples/first_model.c"
run cc -O2 -I ../../include ../../examples/first_model.c -L .. -Wl,-rpath,"$PWD/.." -lleat -o first_model
run ./first_model past.csv

say "Done in $((SECONDS - begin)) seconds after the build; everything is in build/quickstart"
