#!/bin/bash
# The rules of the house, read from the sources. Needs python3 and universal-ctags.
cd "$(dirname "$0")/../.." || exit 1
p=0 f=0
for check in includes header source names; do
  if python3 tests/lint/$check.py; then p=$((p + 1)); else f=$((f + 1)); echo "FAIL lint $check"; fi
done
echo "$p passed, $f failed, 0 skipped"
[ $f -eq 0 ]
