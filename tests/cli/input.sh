# Bad and odd input: a clear error with status 1, or a documented behaviour. Sourced by run.sh.
"$leat" generate churn --rows 50 -o f1.csv -q; "$leat" generate churn --rows 50 --seed 2 -o f2.csv -q
sed -i '7s/.*/1,2,3/' f2.csv
call 1 'line 7 of f2.csv' 'a ragged row in the second of two files' "$leat" train f1.csv f2.csv --target churn -o no.leat
sed '1s/region/area/' f2.csv >f3.csv
call 1 "f3.csv.*(header|columns)" 'two files with different headers, --header' "$leat" train f1.csv f3.csv --header --target churn -o no.leat
printf 'short' >short-idx1-ubyte && gzip -f short-idx1-ubyte
call 1 'short-idx1-ubyte.gz' 'packed labels that are none: the user'"'"'s file is named' "$leat" train x-idx3-ubyte --labels short-idx1-ubyte.gz -o no.leat
: >empty.csv
call 1 'empty' 'an empty file' "$leat" train empty.csv --target y -o no.leat
echo 'a,b,y' >head.csv
call 1 'row' 'a header and no rows' "$leat" train head.csv --target y -o no.leat
printf 'a,b,y\n1,2,0\n1,2\n3,4,1\n' >ragged.csv
call 1 'ragged.csv.*(row 2|line 3)' 'a ragged row: file and row are named' "$leat" train ragged.csv --target y -o no.leat
head -c 4000 /dev/urandom >junk.csv
call 1 '' 'binary junk' "$leat" train junk.csv --target 1 -o no.leat
head -c 400000 /dev/zero >zero.csv
call 1 '' 'zero bytes' "$leat" train zero.csv --target 1 -o no.leat
{ echo a,b,y; for i in $(seq 50); do echo "$i,$((i * 3)),1"; done; } >one.csv
call 1 'one class|single class|only one' 'one class only' "$leat" train one.csv --target y --task binary -o no.leat
{ echo a,b,y; for i in $(seq 60); do echo "$i,,$((i % 2))"; done; } >missing.csv
call 0 '' 'an all-missing column is taken and does nothing' "$leat" train missing.csv --target y -o ok.leat
{ echo a,b,y; for i in $(seq 60); do echo "$i,$([ $((i % 9)) = 0 ] && echo nan || echo $i),$((i % 2))"; done; } >nan.csv
call 0 '' 'NaN is a missing value' "$leat" train nan.csv --target y -o ok.leat
{ echo a,b,y; for i in $(seq 60); do echo "$i,$([ $((i % 9)) = 0 ] && echo inf || echo $i),$((i % 2))"; done; } >inf.csv
"$leat" train inf.csv --target y -o ok.leat >out 2>err; rc=$?
if { [ $rc -eq 1 ] && grep -q inf.csv err; } || [ $rc -eq 0 ]; then ok "Inf: status $rc"; else bad 'Inf' "$(cat err)"; fi
{ echo 'a;b;y'; for i in $(seq 60); do echo "$i;$i,5;$((i % 2))"; done; } >comma.csv
call 0 'category|text' 'a number with a comma is no number, and shown as what it is' "$leat" train comma.csv --target y -o ok.leat
{ echo 'a,b,y'; for i in $(seq 60); do echo "$i,\"1,$i\",$((i % 2))"; done; } >quoted.csv
call 0 '' 'a quoted number with a comma' "$leat" train quoted.csv --target y -o ok.leat
{ echo 'a,y'; for i in $(seq 60); do echo "$i,$((i % 2))"; done; } >num.csv
"$leat" train num.csv --target y -o num.leat -q >/dev/null
printf 'a,y\n1,0\nabc,1\n' >junknum.csv
call 1 'junknum.csv.*(row 2|line 3)' 'junk in a number column while predicting: file and row are named' "$leat" predict num.leat junknum.csv -o keep.csv
[ ! -e keep.csv ] && ok 'and nothing half-written is left' || bad 'and nothing half-written is left'
echo old >keep.csv
"$leat" predict num.leat junknum.csv -o keep.csv 2>/dev/null
[ "$(cat keep.csv)" = old ] && ok 'and what was there before stays' || bad 'and what was there before stays'
printf 'b,y\n1,0\n' >other.csv
call 1 "'a'|a " 'a feature column that the data lacks' "$leat" predict num.leat other.csv
{ echo 'k,y'; for i in $(seq 60); do echo "$([ $((i % 2)) = 0 ] && echo red || echo blue),$((i % 2))"; done; } >cat.csv
"$leat" train cat.csv --target y -o cat.leat -q >/dev/null
printf 'k,y\nred,0\ngreen,1\n,0\n' >unseen.csv
call 0 '' 'a category unseen in training predicts' "$leat" predict cat.leat unseen.csv -o p2.csv
[ "$(wc -l <p2.csv)" -eq 4 ] && ok 'and every row is there' || bad 'and every row is there'
printf 'k,y\nred,0\nblue,7\nblue,1\n' >newlabel.csv
"$leat" evaluate cat.leat newlabel.csv --json >out 2>err; rc=$?
if { [ $rc -eq 1 ] && grep -q newlabel err; } || { [ $rc -eq 0 ] && [ "$(number out rows_without_label)" = 1 ]; }; then
  ok "a class unseen in training: status $rc"; else bad 'a class unseen in training' "$(cat out err)"; fi
python3 -c '
n = 10**6
w = open("wide.csv", "w")
w.write(",".join("f%d" % i for i in range(n)) + ",y\n")
for r in range(4): w.write("1," * n + str(r % 2) + "\n")'
timeout 300 "$leat" train wide.csv --target y -o wide.leat -q >out 2>err; rc=$?
if [ $rc -eq 0 ] || { [ $rc -eq 1 ] && [ "$(grep -c '^leat: ' err)" -eq 1 ]; }; then ok "10^6 columns: status $rc $(cat err)"
else bad '10^6 columns' "status $rc" "$(tail -2 err)"; fi
rm -f wide.csv wide.leat
printf '\n\n a , b ,y\r\n 1 ,\t2 , 0\r\n\r\n2,3,1\r\n 1,2,0\n5,6,1' >blank.csv
call 0 '4 rows' 'blank lines are skipped, white space is trimmed, CRLF is taken' "$leat" train blank.csv --target y -o ok.leat
printf 'a,b,y\n1,"2\n3,4,0\n' >open.csv
call 1 'open.csv' 'a quote that never closes' "$leat" train open.csv --target y -o no.leat
printf '+1 1:1 3:2\n-1 2:x\n' >bad.svm
call 1 'bad.svm.*(row 2|line 2)' 'svmlight: junk' "$leat" train bad.svm -o no.leat
printf '+1 3:1 1:2\n-1 2:1\n' >order.svm
"$leat" train order.svm -o no2.leat >out 2>err; rc=$?
if [ $rc -eq 0 ] || grep -q order.svm err; then ok "svmlight: indices out of order: status $rc"; else bad 'svmlight: indices out of order' "$(cat err)"; fi
head -c 100 x.npy >cut.npy
call 1 'cut.npy' 'npy: cut' "$leat" train cut.npy --labels y.npy -o no.leat
head -c 100 x-idx3-ubyte >cut-idx3-ubyte
call 1 'cut-idx3-ubyte' 'idx: cut' "$leat" train cut-idx3-ubyte --labels y-idx1-ubyte -o no.leat
head -c 300 present.csv.gz >cut.csv.gz
call 1 'cut off' 'gzip: cut' "$leat" train cut.csv.gz --target churn -o no.leat
printf '\x1f\x8bgarbage and more of it' >bad.csv.gz
call 1 'damaged' 'gzip: damaged' "$leat" train bad.csv.gz --target churn -o no.leat
if [ -e present.csv.zst ]; then
  head -c 3000 present.csv.zst >cut.csv.zst
  call 1 'cut.csv.zst' 'zstd: cut' "$leat" train cut.csv.zst --target churn -o no.leat
  call 1 'cut' 'zstd: cut, from stdin' sh -c "'$leat' train - --target churn -o no.leat <cut.csv.zst"
fi
printf 'a,a,y\n1,2,0\n2,3,1\n' >twice.csv
"$leat" train twice.csv --target y -o ok.leat >out 2>err; rc=$?
if [ $rc -eq 0 ] || grep -q 'twice.csv' err; then ok "two columns of one name: status $rc"; else bad 'two columns of one name' "$(cat err)"; fi
call 2 '' 'an unknown format' "$leat" train num.csv --format parquet --target y -o no.leat
[ ! -e no.leat ] && ok 'no package was written by any failure' || bad 'no package was written by any failure'
