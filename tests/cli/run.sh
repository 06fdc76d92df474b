#!/bin/bash
# Drives build/leat as a user would. Usage: tests/cli/run.sh [BUILD]. One line a check, then "N passed, N failed,
# N skipped". LEAT_DATA_DIR names a folder with the real data sets; checks that need them are skipped without it.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
build=$(cd "${1:-build}" && pwd)
leat=$build/leat
if [ ! -x "$leat" ]; then
  echo "FAIL $leat is not there: build it first"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
work=$(mktemp -d)
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0 skipped=0

ok() { passed=$((passed + 1)); echo "ok   $1"; }
bad() { failed=$((failed + 1)); echo "FAIL $1"; shift; printf '     %s\n' "$@"; }
skip() { skipped=$((skipped + 1)); echo "skip $1"; }
check() { local name=$1; shift; if "$@" >check.out 2>&1; then ok "$name"; else bad "$name" "$*" "$(head -3 check.out)"; fi; }

# call STATUS PATTERN NAME COMMAND...: the exit status, and a line of stderr or stdout that matches. A failure must
# leave exactly one line on stderr that begins with "leat: ".
call() {
  local want=$1 pattern=$2 name=$3 rc
  shift 3
  timeout 120 "$@" >out 2>err </dev/null
  rc=$?
  if [ $rc -ne "$want" ]; then bad "$name" "exit status $rc, expected $want: $*" "$(tail -n 3 err)"; return; fi
  if [ -n "$pattern" ] && ! grep -qE -e "$pattern" out err; then bad "$name" "nothing says '$pattern': $*" "$(tail -n 3 out; tail -n 3 err)"; return; fi
  if [ "$want" -ne 0 ] && [ "$(grep -c '^leat: ' err)" -ne 1 ]; then bad "$name" "expected one line of error" "$(cat err)"; return; fi
  ok "$name"
}
json() { python3 -c '
import json, sys
def no(word): raise ValueError(word)
o = json.loads(open(sys.argv[1]).read(), parse_constant=no)
for path in sys.argv[2:]:
    v = o
    for k in path.split("."):
        v = v[int(k)] if isinstance(v, list) else v[k]
' "$@"; }
number() { python3 -c '
import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v = v[k]
print(v)' "$@"; }

. "$root/tests/cli/usage.sh"
. "$root/tests/cli/work.sh"
. "$root/tests/cli/losses.sh"
. "$root/tests/cli/networks.sh"
. "$root/tests/cli/input.sh"
. "$root/tests/cli/dataset.sh"
. "$root/tests/cli/memory.sh"
. "$root/tests/cli/learn.sh"
. "$root/tests/cli/damage.sh"
. "$root/tests/cli/table.sh"
. "$root/tests/cli/store.sh"
. "$root/tests/cli/report.sh"
. "$root/tests/cli/refresh.sh"
. "$root/tests/cli/watch.sh"
. "$root/tests/cli/quarantine.sh"
. "$root/tests/cli/real.sh"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
