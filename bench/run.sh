#!/bin/bash
# Builds the benchmarks (gcc, Release) and runs them one after the other, alone on the machine if it can be had.
# Usage: bench/run.sh [NAME...]; without names: all. Figures worth keeping go into bench/RESULTS.md by hand, with the
# command and the machine. LEAT_DATA_DIR names a folder with the real data sets.
set -eu
cd "$(dirname "$0")/.."
cmake -S . -B build-bench -DCMAKE_C_COMPILER=gcc -DLEAT_BENCH=ON -DLEAT_TESTS=OFF >/dev/null
cmake --build build-bench -j"$(nproc)" >/dev/null
echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores; $(gcc -dumpfullversion); $(git rev-parse --short HEAD 2>/dev/null || echo 'no git')"
[ $# -gt 0 ] || set -- $(for source in bench/bench_*.c; do basename "$source" .c; done)
for name in "$@"; do
  echo "== $name"
  "build-bench/$name"
done
