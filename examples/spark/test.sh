#!/bin/bash
# Runs table.py under PySpark in local-cluster mode on generated data: both ways give the bytes of a single build. Skipped (exit
# status 77) where there is no PySpark or no Java (`pip install pyspark`, Debian's default-jre-headless). Usage: test.sh BUILD
# LEAT_PYTHON: the Python that has PySpark (default: python3).
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${LEAT_PYTHON:-python3}
LEAT=$(realpath "${1:-$root/build}")/leat
export LEAT
if ! command -v java >/dev/null || ! "$python" -c 'import pyspark' 2>/dev/null; then
  echo "no PySpark or no Java here"
  echo "0 passed, 0 failed, 1 skipped"
  exit 77
fi
export PYSPARK_PYTHON=$python PYSPARK_DRIVER_PYTHON=$python SPARK_LOCAL_IP=127.0.0.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
SPARK_HOME=${SPARK_HOME:-$("$python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')}
export SPARK_HOME SPARK_WORKER_DIR=$work/spark-work
passed=0 failed=0
"$LEAT" generate churn --rows 20000 --seed 5 | awk 'NR == 1 { print "id," $0; next } { print "k" NR "," $0 }' >rows.csv
"$LEAT" train rows.csv --target churn --ignore id --seed 1 -o churn.leat -q >/dev/null || exit 1
"$LEAT" table build churn.leat rows.csv --key id -o whole.ltab --set created_ns=1 -q >/dev/null || exit 1
for how in worker shards; do
  "$python" "$root/examples/spark/table.py" $how churn.leat rows.csv id $how.ltab 2>errors
  if cmp whole.ltab $how.ltab; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $how"; tail -5 errors; fi
done
"$LEAT" table get worker.ltab k7 nobody
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
