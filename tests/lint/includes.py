"""Includes point down the floors of lib/, never up, never across one floor, never in a circle."""
import os
import re
import common

FLOOR = {"leat": 0, "base": 1, "device": 2, "stats": 2, "data": 3, "model": 4, "train": 5, "serve": 5,
         "lifecycle": 6, "api": 7}
POSIX = re.compile(r"^(unistd|pthread|fcntl|dirent|dlfcn|sched|semaphore|signal|poll|termios|sys/.*|locale|fenv)\.h$")
POSIX_FREE = {"fenv.h"}  # C11, and only the floating-point guard needs it
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

report = common.Report("include graph")
graph = {}
for path in common.files(".c", ".h", under=("include", "lib")):
    folder = path.split(os.sep)[1]
    if folder not in FLOOR:
        report.breach(path, f"lib/{folder} is no floor of the house")
        continue
    for match in INCLUDE.finditer(common.code(common.read(path), keep_strings=True)):
        quote, name = match.groups()
        line = common.read(path).count("\n", 0, match.start()) + 1
        where = f"{path}:{line}"
        if quote == "<":
            inner = os.path.basename(path).startswith("posix") and folder == "base"
            if POSIX.match(name) and name not in POSIX_FREE and not inner:
                report.breach(where, f"<{name}> belongs in lib/base/posix*.c")
            continue
        target = name if "/" in name else f"{folder}/{name}"
        to = target.split("/")[0]
        if to not in FLOOR:
            report.breach(where, f'"{name}" is outside the house')
            continue
        if to != folder and FLOOR[to] >= FLOOR[folder]:
            report.breach(where, f'"{name}": {folder} (floor {FLOOR[folder]}) may not see {to} (floor {FLOOR[to]})')
        real = os.path.join("include" if to == "leat" else "lib", target)
        if not os.path.exists(real):
            report.breach(where, f'"{name}" does not exist')
        graph.setdefault(path, set()).add(real)

done, stack = set(), []


def walk(path):
    if path in stack:
        report.breach(path, "circle: " + " -> ".join(stack[stack.index(path):] + [path]))
        return
    if path in done:
        return
    stack.append(path)
    for to in sorted(graph.get(path, ())):
        walk(to)
    stack.pop()
    done.add(path)


for path in sorted(graph):
    walk(path)
# Programs and examples are hosts like any other: the public headers and their own files, nothing of lib/.
for path in common.files(".c", ".h", under=("src", "examples", "opencl")):
    for match in INCLUDE.finditer(common.code(common.read(path), keep_strings=True)):
        quote, name = match.groups()
        if name.startswith("leat/") or quote == "<":
            continue
        beside = os.path.join(os.path.dirname(path), name)
        if not os.path.exists(beside) and not os.path.exists(os.path.join(path.split(os.sep)[0], name)):
            report.breach(path, f'"{name}": a host sees only leat/leat.h and leat/backend.h')
report.end()
