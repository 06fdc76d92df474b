#!/bin/bash
# The full counts: hours, not minutes. Usage: tests/soak.sh [STEP...]; steps: units conformance faults fuzz valgrind kill kill-mlp learn
# refresh power opencl memory (all by default). LEAT_FUZZ_MINUTES (10) for each fuzz target, LEAT_KILLS (200) kills with SIGKILL. Results with their date go
# into the table of docs/reliability.md. Logs: build/logs/soak-STEP.log. Exit status 1 when anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc)
mkdir -p build/logs
failed=0
wanted=${*:-units conformance faults fuzz valgrind kill kill-mlp learn refresh power opencl memory}
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

note() { # STEP RESULT SECONDS: a row of the table
  local row="| $(date -u +%Y-%m-%d) | $commit | $1 | $2 | $3 s |"
  echo "$row"
  sed -i "/<!-- soak -->/i $row" docs/reliability.md
}
step() { # NAME COMMAND...: the command's last line is its result
  local name=$1 begin=$SECONDS rc
  shift
  case " $wanted " in *" $name "*) ;; *) return ;; esac
  echo "== $name"
  "$@" >"build/logs/soak-$name.log" 2>&1
  rc=$?
  [ $rc -eq 0 ] || failed=1
  note "$name" "$(tail -1 "build/logs/soak-$name.log") (exit $rc)" $((SECONDS - begin))
}
configure() { # FOLDER COMPILER OPTIONS...
  local folder=$1 compiler=$2
  shift 2
  cmake -S . -B "$folder" -DCMAKE_C_COMPILER="$compiler" "$@" && cmake --build "$folder" -j"$jobs"
}

# What the steps run; a step by itself works from nothing too.
builds() {
  case " $wanted " in *" fuzz "*) [ "$wanted" = fuzz ] && return 0 ;; esac
  configure build gcc -DLEAT_SANITIZE= || return 1
  case " $wanted " in *" units "*|*" faults "*) configure build-asan gcc -DLEAT_SANITIZE=address,undefined || return 1 ;; esac
  case " $wanted " in *" units "*) configure build-tsan gcc -DLEAT_SANITIZE=thread || return 1 ;; esac
}

units() { # with the sanitizers and without, every count full
  local rc=0 folder name p=0 f=0 run
  for folder in build build-asan build-tsan; do
    run="" # ThreadSanitizer wants its addresses where it looks for them
    [ $folder = build-tsan ] && setarch "$(uname -m)" -R true 2>/dev/null && run="setarch $(uname -m) -R"
    for name in tests/unit/test_*.c; do
      name=$(basename "$name" .c)
      if LEAT_SOAK=1 $run "$folder/$name"; then p=$((p + 1)); else f=$((f + 1)) rc=1; echo "FAIL $folder/$name"; fi
    done
  done
  echo "$p programs passed, $f failed"
  return $rc
}
faults() { # every k-th allocation and call, k by k
  LEAT_SOAK=1 LEAT_FAULT_SECONDS=36000 tests/faults/run.sh build build-asan
}
fuzz() { # libFuzzer, coverage-guided; crashes are kept in build-fuzz/NAME.found
  local source name rc=0 n=0 minutes=${LEAT_FUZZ_MINUTES:-10}
  configure build-fuzz clang -DLEAT_FUZZ=ON -DLEAT_SANITIZE=address,undefined || return 1
  for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" .c)
    mkdir -p "build-fuzz/$name.corpus" "build-fuzz/$name.found"
    [ -d "tests/fuzz/corpus/$name" ] && cp -n tests/fuzz/corpus/"$name"/* "build-fuzz/$name.corpus"
    "build-fuzz/$name" -max_total_time=$((minutes * 60)) -jobs="$jobs" -workers="$jobs" -timeout=20 -rss_limit_mb=3000 \
      -artifact_prefix="build-fuzz/$name.found/" "build-fuzz/$name.corpus" || { rc=1; echo "FAIL $name"; }
    n=$((n + 1))
  done
  echo "$n targets, $minutes minutes each, $(find build-fuzz -path '*.found/*' -type f | wc -l) findings"
  return $rc
}
run_valgrind() { # uninitialised memory, which the sanitizers do not see
  local name rc=0 p=0 f=0
  command -v valgrind >/dev/null || { echo "valgrind is missing"; return 1; }
  for name in tests/unit/test_*.c; do
    name=$(basename "$name" .c)
    if LEAT_QUICK=1 timeout 7200 valgrind -q --error-exitcode=9 --leak-check=full --suppressions=tests/valgrind.supp \
      "build/$name"; then p=$((p + 1)); else f=$((f + 1)) rc=1; echo "FAIL $name"; fi
  done
  echo "$p programs passed, $f failed"
  return $rc
}
kills() { # leat train killed at random points and resumed gives the bytes of the run that was never stopped
  local work kills=${LEAT_KILLS:-200} i=0 runs=0 rc=0 pid family=$1 rows=$2
  shift 2
  local settings=("$@")
  work=$(mktemp -d)
  build/leat generate churn --rows "$rows" --seed 1 >"$work/data.csv" || return 1
  train() { build/leat train "$work/data.csv" --target churn --model "$family" "${settings[@]}" --quiet "$@"; }
  train -o "$work/whole.leat" || return 1
  while [ $i -lt "$kills" ] && [ $rc -eq 0 ]; do
    rm -f "$work/cut.leat" "$work/ckpt"
    runs=$((runs + 1))
    while true; do
      # shellcheck disable=SC2046
      train -o "$work/cut.leat" --checkpoint "$work/ckpt" $([ -e "$work/ckpt" ] && echo --resume) &
      pid=$!
      sleep "0.$(printf %03d $((RANDOM % 900)))"
      if kill -9 $pid 2>/dev/null; then wait $pid 2>/dev/null; [ $? -eq 137 ] && i=$((i + 1)) && [ $((RANDOM % 6)) -ne 0 ] && continue
      else wait $pid; [ $? -eq 0 ] && break; rc=1; echo "FAIL: the resumed run failed"; break; fi
      train -o "$work/cut.leat" --checkpoint "$work/ckpt" $([ -e "$work/ckpt" ] && echo --resume) || rc=1
      break
    done
    cmp "$work/whole.leat" "$work/cut.leat" || { rc=1; echo "FAIL: other bytes after $i kills"; }
  done
  rm -rf "$work"
  echo "$i kills in $runs runs"
  return $rc
}
builds >build/logs/soak-build.log 2>&1 || { echo "the build failed: build/logs/soak-build.log"; exit 1; }
step units units
step conformance tests/conformance/run.sh build 30 # seeds
step faults faults
step fuzz fuzz
step valgrind run_valgrind
step kill kills linear 200000
step kill-mlp kills mlp 60000 --set layers=64,32 --set dropout=0.2 --set norm=batch --set max_iterations=4
step learn tests/faults/kill_learn.sh build/leat "${LEAT_KILLS:-200}"
step refresh env LEAT_SOAK=1 tests/faults/kill_refresh.sh build/leat "${LEAT_KILLS:-200}"
step power env LEAT_SOAK=1 build/fault_power_loss
step opencl tests/opencl/run.sh build full
step memory tests/memory.sh 3000 512
exit $failed
