# Usage: help, wrong words, near misses. Sourced by run.sh.
for c in train evaluate predict inspect generate devices store; do
  call 0 "Usage: leat $c" "$c --help" "$leat" $c --help
done
call 0 'max_iterations' 'train --help lists the parameters of the family' "$leat" train --help
call 0 'integer.*default' 'train --help tells types and defaults' "$leat" train --model linear --help
call 0 'Usage: leat COMMAND' 'leat --help' "$leat" --help
call 0 '^leat 0\.' 'leat --version' "$leat" --version
call 2 'no command' 'no command' "$leat"
call 2 "did you mean 'train'" 'a mistyped command' "$leat" trian
call 2 'leat --help' 'an unknown command' "$leat" xyzzy
call 2 "did you mean '--target'" 'a mistyped option' "$leat" train x.csv --traget y -o m.leat
call 2 "not one of .leat inspect" 'an option of another command' "$leat" inspect x --target y
call 2 'lacks its value' 'an option without its value' "$leat" train x.csv --target
call 2 'takes no value' 'a value for a flag' "$leat" train x.csv --json=1
call 2 'unknown option' 'an unknown short option' "$leat" train x.csv -z
call 2 'too few arguments' 'no DATA' "$leat" train --target y -o m.leat
call 2 'too many arguments' 'a word too many' "$leat" inspect a b
call 2 'no output' 'train without -o' "$leat" train x.csv --target y
call 2 'expected an integer' 'a --seed that is no number' "$leat" generate churn --seed abc
call 2 'expected an integer from 1' '--threads 0' "$leat" generate churn --threads 0
call 2 'share above 0' '--holdout 1.5' "$leat" train x.csv --holdout 1.5 -o m.leat
call 2 'take one of the two' '--holdout and --valid' "$leat" train x.csv --holdout 0.2 --valid y.csv -o m.leat
call 2 'NAME=VALUE' '--set without a value' "$leat" train x.csv --set l2 -o m.leat
call 2 '--checkpoint' '--resume without --checkpoint' "$leat" train x.csv --resume -o m.leat
call 2 "did you mean churn|'churn'" 'a mistyped kind of data' "$leat" generate chrun
"$leat" generate churn --rows 300 --seed 5 -o u.csv
call 2 "did you mean 'linear'" 'a mistyped family' "$leat" train u.csv --target churn --model linaer -o m.leat
call 2 "did you mean 'max_iterations'" 'a mistyped parameter' \
  "$leat" train u.csv --target churn --set max_iteration=3 -o m.leat
call 2 '' 'a parameter out of its bounds' "$leat" train u.csv --target churn --set l2=-1 -o m.leat
call 2 '' 'a parameter that is no number' "$leat" train u.csv --target churn --set l2=many -o m.leat
call 2 'no target' 'train without --target' "$leat" train u.csv -o m.leat
call 1 "churn" 'a mistyped column, with the near miss' "$leat" train u.csv --target chrun -o m.leat
call 1 '' 'a column number that is not there' "$leat" train u.csv --target 99 -o m.leat
call 1 '' 'an unknown device' "$leat" train u.csv --target churn --device tpu -o m.leat
call 1 'No such file|not found|cannot' 'a file that is not there' "$leat" train nowhere.csv --target y -o m.leat
call 1 'folder' 'DATA is a folder' "$leat" train . --target y -o m.leat
call 1 'no folder' '-o into a folder that is not there' "$leat" train u.csv --target churn -o none/m.leat
call 1 '' 'a model that is not there' "$leat" predict none.leat u.csv
call 1 '' 'a CSV where a model is expected' "$leat" predict u.csv u.csv
[ ! -e m.leat ] && ok 'nothing was written by any of these' || bad 'nothing was written by any of these'
