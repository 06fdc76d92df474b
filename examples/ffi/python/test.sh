#!/bin/bash
# Runs the example against a build. Usage: test.sh BUILD
cd "$(dirname "$0")/../../.." || exit 1
command -v python3 >/dev/null || { echo "python3 is missing"; exit 1; }
PYTHONDONTWRITEBYTECODE=1 python3 examples/ffi/python/train_predict.py "$(realpath "${1:-build}")/libleat.so"
