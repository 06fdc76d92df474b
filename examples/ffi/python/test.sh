#!/bin/bash
# Runs the example against a build. Usage: test.sh BUILD
cd "$(dirname "$0")/../../.." || exit 1
command -v python3 >/dev/null || { echo "python3 is missing"; exit 1; }
export PYTHONDONTWRITEBYTECODE=1
lib=$(realpath "${1:-build}")/libleat.so
python3 examples/ffi/python/train_predict.py "$lib" || exit 1
# LEAT_PYTHON: a Python that has pyarrow, polars, duckdb, ...; tests of what is not installed are skipped
"${LEAT_PYTHON:-python3}" examples/ffi/python/test_arrow.py "$lib"
