# leat quarantine: list, show, release, replay, purge of what a learner held back. Sourced by run.sh.
awk 'BEGIN { srand(7); print "x,y,colour,class"
  for (i = 0; i < 4000; i++) {
    x = rand() * 4 - 2; y = rand() * 4 - 2; c = i % 3 ? "red" : "dark, blue"
    t = x + y / 2 + (i % 3 ? 0 : 1) > 0.3 ? "yes" : "no"
    if (i % 400 == 399) x = "inf"; else if (i > 2000 && i % 500 == 7) x = 1000000 + i
    printf "%s,%.4f,\"%s\",%s\n", x, y, c, t } }' >held.csv
call 1 '' 'quarantine of a store that is not there' "$leat" quarantine Q list
call 2 "did you mean 'list'" 'a mistyped verb of quarantine' "$leat" quarantine Q lsit
call 2 'too few arguments' 'show without an id' "$leat" quarantine Q show
call 2 'number from 1' 'an id that is none' "$leat" quarantine Q show x
call 2 "did you mean 'outlier'" 'a mistyped reason' "$leat" quarantine Q list --reason outlyer
call 2 'go(es)? with list' '--limit where it has no meaning' "$leat" quarantine Q purge --limit 3
call 2 'named already' '--reason beside ids' "$leat" quarantine Q purge 3 --reason outlier
call 0 '' 'learn holds records back' "$leat" learn held.csv --target class --store Q -q
call 0 'non_finite +10' 'list counts by reason' "$leat" quarantine Q list
call 0 'outlier +4' 'all of them' "$leat" quarantine Q list
call 0 'and 12 more' 'list --limit' "$leat" quarantine Q list --limit 2
call 0 '' 'list --json' "$leat" quarantine Q list --json
check 'list --json has what scripts rely on' json out count by_reason.outlier records.0.id records.0.reason records.0.column records.0.source records.0.position records.13.detail
[ "$(number out count)" = 14 ] && ok 'list --json counts them' || bad 'list --json counts them' "$(number out count)"
call 0 '' 'list --json --reason' "$leat" quarantine Q list --json --reason outlier
check 'only that reason' python3 -c 'import json
o = json.load(open("out")); assert len(o["records"]) == 4 and all(r["reason"] == "outlier" and r["column"] == "x" for r in o["records"])
open("ids", "w").write(" ".join(str(r["id"]) for r in o["records"]))'
read -r one two three four <ids
call 0 '1002007,-?[0-9.]+,"?(red|dark, blue)"?,(yes|no)' 'show has the raw bytes' "$leat" quarantine Q show "$one"
call 0 '' 'show --json' "$leat" quarantine Q show "$one" --json
check 'show --json has the raw bytes' json out records.0.raw records.0.detail
call 1 'ids go from 1 to 14' 'show of an id that never was' "$leat" quarantine Q show 99
learned() { "$leat" learn held.csv --target class --store Q --resume --json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["learned"])'; }
before=$(learned)
call 0 '2 of 2 records were released' 'release' "$leat" quarantine Q release "$one" "$three"
call 0 '0 of 2 records were released' 'a second release learns nothing' "$leat" quarantine Q release "$one" "$three"
call 1 'nothing was released' 'release of an id that never was' "$leat" quarantine Q release "$two" 99
[ "$(learned)" = $((before + 2)) ] && ok 'what was released is learned, once' || bad 'what was released is learned, once' "$before, then $(learned)"
call 1 'released' 'what was released is not shown as held' "$leat" quarantine Q show "$one"
call 0 '2 of 2 records were released' 'replay of a reason' "$leat" quarantine Q replay --reason outlier
call 0 '"count": 10' 'the others are still held' "$leat" quarantine Q list --json
call 1 'nothing was purged' 'purge of an id that never was' "$leat" quarantine Q purge 1 99
grep -q inf Q/quarantine/* && ok 'a held record is in the files' || bad 'a held record is in the files'
call 0 '1 record was purged' 'purge of one' "$leat" quarantine Q purge 1
call 1 'no longer in the quarantine' 'and it is gone' "$leat" quarantine Q show 1
call 0 '9 records were purged' 'purge of a reason' "$leat" quarantine Q purge --reason non_finite
grep -q inf Q/quarantine/* && bad 'nothing of them is left in the files' "$(ls Q/quarantine)" || ok 'nothing of them is left in the files'
call 0 'records were purged' 'purge of all' "$leat" quarantine Q purge
grep -q 'x = \|100[0-9]007' Q/quarantine/* && bad 'nothing is left' || ok 'nothing is left'
call 0 '0 records are held back' 'an empty quarantine' "$leat" quarantine Q list
call 0 'every file is whole' 'the store is whole' "$leat" store Q verify
[ "$(learned)" = $((before + 4)) ] && ok 'and learning goes on' || bad 'and learning goes on' "$before, then $(learned)"
rm -rf Q2 && cp -r Q Q2 && f=$(ls Q2/quarantine/q-*.log) && printf 'xxxx' | dd of="$f" bs=1 seek=10 conv=notrunc status=none
call 1 'q-0000' 'damage is told with the name of the file' "$leat" quarantine Q2 list
(head -30 held.csv; echo 1,2; echo 'junk,1,red,yes'; sed -n 31,300p held.csv) >ragged.csv
call 0 '' 'learn goes on behind rows that cannot be read' "$leat" learn ragged.csv --target class --store Q3 -q
call 0 'parse +1' 'a ragged row is held' "$leat" quarantine Q3 list
call 0 'type +1' 'and one with junk in a number' "$leat" quarantine Q3 list
call 0 'raw +1,2$' 'with its raw bytes' "$leat" quarantine Q3 show 1
call 0 '0 of 1 record was released' 'it cannot be released: it has no row' "$leat" quarantine Q3 release 1
call 0 'stay held' 'and it is said why' "$leat" quarantine Q3 release 1
