"""Prints offsets.c: a _Static_assert for the size of each public struct and the offset of each field, as they are now."""
import os
import re
import subprocess
import sys
import tempfile

text = subprocess.run(["gcc", "-E", "-P", "-nostdinc", "-Itests/abi/empty", "-Iinclude", "include/leat/backend.h"],
                      capture_output=True, text=True, check=True).stdout
structs = []
for match in re.finditer(r"typedef struct (\w+) \{(.*?)\} (\w+);", text, re.S):
    fields = []
    for line in match.group(2).split(";"):
        line = " ".join(line.split())
        if not line:
            continue
        pointer = re.search(r"\(\*(\w+)\)\(", line)
        if pointer:
            fields.append(pointer.group(1))
            continue
        first, *rest = line.split(",")
        names = [re.sub(r"\[.*", "", first).split()[-1].lstrip("*")]
        names += [re.sub(r"\[.*", "", r).strip().lstrip("* ") for r in rest]
        fields += names
    structs.append((match.group(3), fields))
if not structs:
    sys.exit("no struct found in the headers")
with tempfile.TemporaryDirectory() as folder:
    source = os.path.join(folder, "o.c")
    with open(source, "w", encoding="utf-8") as f:
        f.write('#include "leat/backend.h"\n#include <stdio.h>\nint main(void) {\n')
        for name, fields in structs:
            f.write(f'  printf("SIZE({name}, %zu)\\n", sizeof({name}));\n')
            for field in fields:
                f.write(f'  printf("AT({name}, {field}, %zu)\\n", offsetof({name}, {field}));\n')
        f.write("  return 0;\n}\n")
    subprocess.run(["gcc", "-Iinclude", source, "-o", source[:-2]], check=True)
    rows = subprocess.run([source[:-2]], capture_output=True, text=True, check=True).stdout
print("""/* Where every field of every public struct lies, on LP64. Written by tests/abi/update.sh; compiled by every run of the
 * gate. From the first release a line may be added for a new field at a struct's end, and none changed. */
#include "leat/backend.h"
#if UINTPTR_MAX != UINT64_MAX
#error "this table is for 64-bit pointers"
#endif
#define SIZE(type, n) _Static_assert(sizeof(type) == (n), "the size of " #type " has changed")
#define AT(type, field, n) _Static_assert(offsetof(type, field) == (n), #type "." #field " has moved")""")
for row in rows.splitlines():
    print(row + ";")
