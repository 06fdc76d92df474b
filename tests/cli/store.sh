# leat store: versions, stages, history, damage. Sourced by run.sh; needs m.leat and past.csv of work.sh.
"$leat" train past.csv --target churn --key customer_id --set l2=5 -o n.leat -q >/dev/null
call 1 'no store' 'status of a store that is not there' "$leat" store S status
call 2 "did you mean 'status'" 'a mistyped verb of store' "$leat" store S stauts
call 2 'too few arguments' 'store without a verb' "$leat" store S
call 2 'expected `leat store DIR add MODEL' 'add without a model' "$leat" store S add
call 2 'too many arguments' 'a word too many for status' "$leat" store S status x
call 2 '--stage is not for' '--stage where it has no meaning' "$leat" store S status --stage a
call 2 'number from 1' 'a version that is no number' "$leat" store S promote one --stage production
[ ! -e S ] && ok 'none of these made a store' || bad 'none of these made a store'
call 0 'version 1 is on stage production' 'add makes the store' "$leat" store S add m.leat --stage production
call 0 'version 2' 'add again' "$leat" store S add n.leat
call 0 'production is version 2' 'promote' "$leat" store S promote 2 --stage production
call 0 'production +2' 'status shows the stages' "$leat" store S status
call 0 '' 'status --json' "$leat" store S status --json
check 'status --json has generation, stages, versions' json out generation stages.production stages.previous versions.0.checksum versions.1.stages.0
[ "$(number out stages.previous)" = 1 ] && ok 'previous is what production was' || bad 'previous is what production was'
call 0 'production is version 1' 'rollback goes one step back' "$leat" store S rollback
call 1 'nothing to go back to' 'and no further than there is' "$leat" store S rollback
call 1 "did you mean 'production'" 'a mistyped stage' "$leat" store S rollback --stage prodction
call 0 'production is version 2' 'rollback --to' "$leat" store S rollback --to 2
call 1 'from 1 to 2' 'a version that is not there' "$leat" store S promote 7 --stage testing
call 2 'no stage' 'promote without --stage' "$leat" store S promote 1
call 2 'follows production' 'promote to previous' "$leat" store S promote 1 --stage previous
call 0 'stage_back' 'log' "$leat" store S log
call 0 '' 'log --json' "$leat" store S log --json
check 'log --json has events' json out events.0.kind events.5.generation events.5.time
call 2 'no output' 'export without -o' "$leat" store S export 2
call 0 'version 2 is in x.leat' 'export' "$leat" store S export 2 -o x.leat
cmp -s x.leat n.leat && ok 'the exported package is the one that was added' || bad 'the exported package is the one that was added'
call 0 'every file is whole' 'verify' "$leat" store S verify
echo junk >S/models/new-1-2-3.leat && cp m.leat S/models/v-9.leat && echo junk >S/MANIFEST.new
call 0 'freed' 'gc removes what crashes left' "$leat" store S gc
[ "$(ls S/models | tr '\n' ' ')$(ls S | grep -c new)" = 'LOCK v-1.leat v-2.leat 0' ] && ok 'and nothing else' || bad 'and nothing else' "$(ls S S/models)"
call 0 'production +2' 'the compacted store says the same' "$leat" store S status
rm -rf S2 && cp -r S S2 && printf 'x' | dd of=S2/models/v-1.leat bs=1 seek=500 conv=notrunc status=none
call 1 'v-1.leat' 'verify finds a damaged package' "$leat" store S2 verify
call 1 'v-1.leat' 'a damaged package is not promoted' "$leat" store S2 promote 1 --stage production
call 1 'v-1.leat' 'nor exported' "$leat" store S2 export 1 -o y.leat
[ ! -e y.leat ] && ok 'and nothing is written' || bad 'and nothing is written'
cp n.leat S2/models/v-1.leat
call 1 'is not the package of version 1' 'a package that was swapped for another' "$leat" store S2 verify
rm S2/models/v-1.leat
call 1 'v-1.leat is missing' 'a package that is gone' "$leat" store S2 verify
rm S2/MANIFEST
call 1 'MANIFEST is missing' 'a lost MANIFEST is not taken for a new store' "$leat" store S2 add m.leat
mkdir -p other && echo hello >other/notes.txt
call 1 "holds other things" 'a folder with other things in it' "$leat" store other add m.leat
[ "$(ls other)" = notes.txt ] && ok 'and it is left as it was' || bad 'and it is left as it was' "$(ls other)"
call 1 'No such file' 'a store in a folder that is not there' "$leat" store none/S add m.leat
for i in 1 2 3 4; do
  ( for k in 1 2 3 4 5; do "$leat" store S add m.leat -q >/dev/null || echo failed; done ) >"add.$i" 2>&1 &
done
wait
"$leat" store S status --json >out
[ "$(number out generation)" = 26 ] && [ -z "$(cat add.?)" ] && ok 'four programs at once: no change is lost' ||
  bad 'four programs at once: no change is lost' "$(number out generation)" "$(cat add.?)"
"$leat" generate churn --rows 3000 --drift-at 2000 -o stream.csv
call 1 'no learner' 'rollback --learner in a store without one' "$leat" store S rollback --learner
call 2 'take one of the two' '--learner and --stage' "$leat" store S rollback --learner --stage production
call 2 'learner is not for' '--learner where it has no meaning' "$leat" store S verify --learner
call 0 '' 'a learner makes snapshots' "$leat" learn stream.csv --target churn --key customer_id --store L -q
call 0 'snapshot' 'which are versions of the store' "$leat" store L status
call 0 'every file is whole' 'verify reads what a learner wrote' "$leat" store L verify
"$leat" store L status --json >out
last=$(python3 -c 'import json; print(json.load(open("out"))["versions"][-1]["version"])')
call 0 "goes on from version 1, which is version $((last + 1)) now" 'rollback --learner --to' "$leat" store L rollback --learner --to 1
call 0 'rollback_by_hand' 'and the history tells it' "$leat" store L log
call 1 'no version 99|from 1 to' 'rollback --learner to a version that is not there' "$leat" store L rollback --learner --to 99
call 0 'freed' 'gc of a store with a learner' "$leat" store L gc
call 0 'every file is whole' 'and verify' "$leat" store L verify
call 0 '' 'and it learns on' "$leat" learn stream.csv --target churn --key customer_id --store L --resume -q
