# --memory is a bound: what stays resident, and that nothing of the result changes. Sourced by run.sh; tests/memory.sh does the
# same with gigabytes.
within() { # NAME LIMIT_MB COMMAND...: resident at most so much
  local name=$1 limit=$2 peak
  shift 2
  peak=$(python3 -c '
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:] + ["-q"], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(status)' "$@" 2>err) || { bad "$name" "$(cat err)"; return; }
  [ "$peak" -le $((limit << 20)) ] && ok "$name: $((peak >> 20)) of $limit MB" || bad "$name: $peak bytes resident of $limit MB" "$*"
}
"$leat" generate dense --rows 150000 -o wide.csv -q
"$leat" generate sparse --rows 100000 -o wide.svm -q
for f in wide.csv wide.svm; do
  role=(); [ $f = wide.csv ] && role=(--target y)
  "$leat" train $f "${role[@]}" --set max_iterations=3 -o free.leat --json -q >out
  [ "$(number out resident_peak_bytes)" -gt $((64 << 20)) ] && ok "$f needs more than 64 MB" || bad "$f needs more than 64 MB" "$(cat out)"
  within "train $f --memory 64M" 64 "$leat" train $f "${role[@]}" --set max_iterations=3 --memory 64M -o held.leat
  cmp -s free.leat held.leat && ok "train $f --memory: the same package" || bad "train $f --memory: the same package"
  within "train $f --holdout --memory 64M" 64 "$leat" train $f "${role[@]}" --set max_iterations=3 --holdout 0.2 --memory 64M -o held.leat
  within "predict $f --memory 64M" 64 "$leat" predict free.leat $f --memory 64M -o held.pred
  "$leat" predict free.leat $f -o free.pred -q; cmp -s free.pred held.pred && ok "predict $f --memory: the same predictions" || bad "predict $f --memory: the same predictions"
  within "evaluate $f --memory 64M" 64 "$leat" evaluate free.leat $f --memory 64M
done
"$leat" convert wide.csv --target y -o wide.ldat -q
within 'train wide.ldat --memory 64M' 64 "$leat" train wide.ldat --set max_iterations=3 --memory 64M -o held.leat
"$leat" train wide.csv --target y --set max_iterations=3 -o free.leat -q >/dev/null; cmp -s free.leat held.leat && ok 'train wide.ldat --memory: the same package' || bad 'train wide.ldat --memory: the same package'
call 2 "device's driver" '--memory: not with a device of its own' "$leat" train wide.csv --target y --memory 64M --device opencl:0 -o no.leat
[ -z "$(ls -A | grep scratch)" ] && ok '--memory: no scratch file is left' || bad '--memory: no scratch file is left'
rm -f wide.* free.* held.*
