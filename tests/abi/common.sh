# Sourced by the scripts of the ABI gate; they run in the project's folder.
# shellcheck shell=bash
p=0 f=0 s=0
pass() { p=$((p + 1)); echo "ok    $*"; }
fail() { f=$((f + 1)); echo "FAIL  $*"; }
skip() { s=$((s + 1)); echo "skip  $*"; }
finish() { echo "$p passed, $f failed, $s skipped"; [ "$f" -eq 0 ]; exit $?; }
need() { # a gate that cannot run has failed
  local tool
  for tool in "$@"; do command -v "$tool" >/dev/null || { fail "$tool is missing"; finish; }; done
}
# The API as a list of declarations: preprocessed, no comments, no system types, one declaration a line.
declarations() { # FOLDER-OF-HEADERS
  gcc -E -P -nostdinc -Itests/abi/empty -I"$1" "$1/leat/backend.h" | tr -s ' \n\t' ' ' |
    sed -E 's/ ?([;{}]) ?/\1\n/g; s/\} *\n/}/g' |
    sed -E 's/^ +//; s/ +$//; /^$/d; s/([a-z_0-9])\{$/\1 {/; s/^\}([a-z])/} \1/; /^LEAT_/ { s/, /,\n/g; s/\}/\n}/ }'
}
# The ABI as XML: public types only, nothing of the place or the tool's mood in it.
abi_xml() { # LIBRARY
  abidw --headers-dir include --drop-private-types --no-corpus-path --no-comp-dir-path --no-elf-needed \
    --no-show-locs --type-id-style hash "$1" | python3 tests/abi/merge.py
}
tools_text() { echo "<!-- $(gcc -dumpfullversion) $(abidw --version) -->"; }
exported_names() { # in the headers' order
  gcc -E -P -DLEAT_API=EXPORTED -Iinclude include/leat/backend.h | tr '\n' ' ' | tr ';' '\n' | grep EXPORTED |
    sed -E 's/^[^(]*[ *](leat_[a-z0-9_]+) *\(.*/\1/'
}
