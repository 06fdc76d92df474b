"""Names: file names and lt_/leat_ functions are there once in the tree, exported ones are the headers'."""
import os
import re
import common

report = common.Report("names")
where = {}
for path in common.files(".c", ".h", under=("lib", "src", "opencl")):
    key = os.path.basename(path)
    if key in where:
        report.breach(path, f"a second file of this name, beside {where[key]}")
    where[key] = path
public = set(re.findall(r"\b(leat_\w+)\(", common.code(common.read("include/leat/leat.h") +
                                                       common.read("include/leat/backend.h"))))
defined, local = {}, {}


inner_headers = [common.read(path) for path in common.files(".h", under=("lib",))]


def static_by_macro(path, line):
    """A macro in front of the function that says static: #define X ... static inline."""
    word = re.match(r"[A-Z][A-Z0-9_]+\b", common.read(path).splitlines()[line - 1])
    return word and any(re.search(rf"^#\s*define\s+{word.group(0)}\b[^\n]*\bstatic\b", text, re.M)
                        for text in [common.read(path)] + inner_headers)


for path, name, first, _, is_static in common.functions(common.files(".c", ".h", under=("lib",))):
    here = f"{path}:{first}"
    if name.startswith(("lt_", "leat_")):
        if name in defined and defined[name].split(":")[0] != path:  # in one file: for one machine or the other
            report.breach(here, f"{name} is defined at {defined[name]} too")
        defined[name] = here
        if name.startswith("leat_") and name not in public:
            report.breach(here, f"{name} is not in the public headers")
        if name.startswith("leat_") and not path.startswith("lib/api/"):
            report.breach(here, f"{name}: exported functions live in lib/api/")
    elif name.isupper():
        continue  # a macro that makes functions
    elif not is_static and path.endswith(".c") and not static_by_macro(path, first):
        report.breach(here, f"{name} is neither static nor lt_")
    else:
        if name in local and local[name].split(":")[0] != path:
            report.note(here, f"static {name} is a name of {local[name]} too")
        local.setdefault(name, here)
# Every function that an inner header promises is there: a promise without code links nowhere.
for path in common.files(".h", under=("lib",)):
    for match in re.finditer(r"^(?!static)[a-z][\w \*]*?\b(lt_\w+)\(", common.code(common.read(path)), re.M):
        if match.group(1) not in defined and "typedef" not in match.group(0):
            report.breach(path, f"{match.group(1)} is declared but defined nowhere")
for name in sorted(public - set(defined) - {"leat_backend_query_v1"}):
    report.breach("include/leat", f"{name} is declared but defined nowhere")
report.end()
