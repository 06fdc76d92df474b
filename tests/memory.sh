#!/bin/bash
# Is --memory a bound on large data? Usage: tests/memory.sh [MEGABYTES [LIMIT_MB]] (3000 512). Rows are made by bench/gen_rows.c in
# a folder of TMPDIR (twice MEGABYTES for the scratch files beside them); training, predicting and evaluating run with --memory; the
# resident set of each program must stay within it. One line a check, then "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
leat=$PWD/build/leat megabytes=${1:-3000} limit=${2:-512} passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 bench/gen_rows.c -o "$work/gen" -lm || exit 1
cd "$work" || exit 1

within() { # NAME COMMAND...
  local name=$1 peak begin=$SECONDS
  shift
  peak=$(python3 -c '
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:] + ["-q"], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(status)' "$@" 2>err)
  if [ $? -eq 0 ] && [ "$peak" -le $((limit << 20)) ]; then passed=$((passed + 1)); echo "ok   $name: $((peak >> 20)) of $limit MB, $((SECONDS - begin)) s"
  else failed=$((failed + 1)); echo "FAIL $name: ${peak:-?} bytes of $limit MB: $(cat err)"; fi
}
whole() { # NAME FILE OPTIONS...: train, predict, evaluate
  local name=$1 file=$2
  shift 2
  within "$name: train" "$leat" train "$file" "$@" --set max_iterations=10 --memory "${limit}M" -o m.leat
  within "$name: evaluate" "$leat" evaluate m.leat "$file" --memory "${limit}M"
  within "$name: predict" "$leat" predict m.leat "$file" --memory "${limit}M" -o p.csv
  rm -f m.leat p.csv
}
./gen csv "$megabytes" 2 >d.csv && whole 'csv, two classes, text' d.csv --target y --text note
within 'csv, with rows held out' "$leat" train d.csv --target y --text note --holdout 0.2 --set max_iterations=3 --memory "${limit}M" -o m.leat
within 'csv, l1' "$leat" train d.csv --target y --ignore note --set l1=1 --set max_iterations=3 --memory "${limit}M" -o m.leat
within 'csv, to a dataset file' "$leat" convert d.csv --target y --text note --memory "${limit}M" -o d.ldat
rm -f d.csv
whole 'dataset file' d.ldat
rm -f d.ldat
./gen csv "$megabytes" 4 >d.csv && whole 'csv, four classes' d.csv --target y --ignore note
gzip -1 d.csv && whole 'csv, gzip' d.csv.gz --target y --text note
rm -f d.csv.gz
./gen csv "$megabytes" 1 >d.csv && whole 'csv, a number, crosses' d.csv --target y --ignore note --set cross='c0*c1' --set buckets=n0:20 --set missing=yes
rm -f d.csv
./gen svmlight "$megabytes" 2 >d.svm && whole svmlight d.svm
rm -f d.svm
./gen ndjson "$megabytes" 2 >d.ndjson && whole ndjson d.ndjson --target y --text note
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
