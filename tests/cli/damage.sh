# Damaged packages, full disks, broken pipes. Sourced by run.sh.
check 'a package cut at any of 60 places is refused by inspect and predict' python3 - "$leat" <<'PY'
import subprocess, sys
whole = open("m.leat", "rb").read()
size = len(whole)
for i in range(60):
    open("cut.leat", "wb").write(whole[:size * i // 60 if i else 0])
    for command in (["inspect", "cut.leat"], ["predict", "cut.leat", "present.csv"]):
        r = subprocess.run([sys.argv[1]] + command, capture_output=True)
        assert r.returncode == 1, (i, command, r.returncode)
        assert r.stderr.startswith(b"leat: ") and r.stderr.count(b"\n") == 1, r.stderr
PY
check 'a package with a bit flipped at any of 120 places is refused by inspect and predict' python3 - "$leat" <<'PY'
import subprocess, sys
whole = open("m.leat", "rb").read()
size = len(whole)
for i in range(120):
    b = bytearray(whole)
    at = i if i < 40 else (size - 1) * (i - 40) // 79
    b[at] ^= 1 << (i % 8)
    open("flip.leat", "wb").write(bytes(b))
    for command in (["inspect", "flip.leat"], ["predict", "flip.leat", "present.csv"]):
        r = subprocess.run([sys.argv[1]] + command, capture_output=True)
        assert r.returncode == 1, (at, command, r.returncode)
        assert r.stderr.startswith(b"leat: ") and r.stderr.count(b"\n") == 1, r.stderr
PY
cp m.leat tail.leat && echo >>tail.leat
call 1 '' 'a package with bytes behind its end' "$leat" inspect tail.leat
mkdir -p small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k none small 2>/dev/null; then
  cp m.leat small/m.leat && before=$(md5sum <small/m.leat)
  head -c 200000 /dev/zero >small/fill 2>/dev/null
  call 1 'space' 'a full disk while saving a model' "$leat" train past.csv --target churn --key customer_id -o small/m.leat
  [ "$(md5sum <small/m.leat)" = "$before" ] && ok 'and the old package stays' || bad 'and the old package stays'
  call 1 'space' 'a full disk while predicting' "$leat" predict m.leat present.csv -o small/p.csv
  call 1 'space' 'a full disk while generating' "$leat" generate churn --rows 50000 -o small/g.csv
  call 1 'space' 'a full disk for the checkpoint' "$leat" train past.csv --target churn --key customer_id -o x.leat --checkpoint small/ck
  [ "$(ls small | sort | tr '\n' ' ')" = 'fill m.leat ' ] && ok 'and no temporary file is left' || bad 'and no temporary file is left' "$(ls small)"
  umount small
else
  skip 'a full disk while saving a model: cannot mount a small file system here'
fi
call 1 'stdout' 'stdout is full' sh -c "'$leat' predict m.leat present.csv >/dev/full"
call 1 'stdout' 'stdout is full, JSON' sh -c "'$leat' devices --json >/dev/full"
"$leat" generate dense --rows 200000 | head -1 >/dev/null
[ "${PIPESTATUS[0]}" -ne 0 ] && ok 'a reader that went away ends it' || bad 'a reader that went away ends it'
if [ "$(id -u)" != 0 ]; then
  mkdir -p ro && chmod 555 ro
  call 1 'cannot be written' 'a folder that cannot be written to' "$leat" train past.csv --target churn -o ro/m.leat
else skip 'a folder that cannot be written to: root can'; fi
