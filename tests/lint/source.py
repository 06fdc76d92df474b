"""Sizes of files and functions, calls that a library must not make, words that must not be left behind."""
import os
import re
import common

report = common.Report("sources")
BANNED = ("printf vprintf fprintf vfprintf puts fputs putchar fputc perror abort exit _exit _Exit quick_exit atexit "
          "getenv secure_getenv setenv putenv setlocale uselocale newlocale signal sigaction raise assert strtod strtof strtold atof "
          "atoi atol strtol strtoll strtoul strtoull rand srand random fopen freopen tmpfile tmpnam system popen "
          "sprintf vsprintf strcpy strcat gets strtok alloca longjmp setjmp fesetround strerror").split()
MEMORY = "malloc calloc realloc free strdup strndup posix_memalign aligned_alloc".split()
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED + MEMORY) + r")\s*\(")
# Each with the reason why it may.
ALLOWED = {
    ("lib/base/number", "strtod"): "the C library behind our own parser, in a fixed locale",
}
FLOAT_FORMAT = re.compile(r"%[-+#0-9.*]*[aefgAEFG]")
LEFT_BEHIND = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
MACHINE = re.compile(r"/wo" r"rk/|sha" r"red/data|/home/\w+/|/ro" r"ot/")


def allowed(path, call):
    return any(path.startswith(p) and call == c for p, c in ALLOWED)


for path in common.files(".c", ".h", under=("lib",)):
    text = common.read(path)
    posix = re.match(r"lib/base/posix\w*\.c$", path)
    plain = common.code(text)
    for match in CALL.finditer(plain):
        call = match.group(1)
        if (call in MEMORY and posix) or allowed(path, call):
            continue
        line = plain.count("\n", 0, match.start()) + 1
        report.breach(f"{path}:{line}", f"{call}() may not be called in the library")
    for line, literal in common.strings(text):
        if FLOAT_FORMAT.search(literal.replace("%%", "")):
            report.breach(f"{path}:{line}", f"{literal[:40]}: floating-point formats follow the locale; see lt_f64_text")

for path in common.files(".c", ".h", ".cl", ".py", ".sh", ".md", ".cmake", ".txt", "run"):
    text = common.read(path)
    lines = text.splitlines()
    most = 2000 if path == os.path.join("include", "leat", "leat.h") else 1000  # the one door
    if len(lines) > most:
        report.breach(path, f"{len(lines)} lines, {most} are the most")
    for number, row in enumerate(lines, 1):
        if LEFT_BEHIND.search(row):
            report.breach(f"{path}:{number}", row.strip()[:80])
        if MACHINE.search(row) and path != os.path.join(".ci", "run"):
            report.breach(f"{path}:{number}", f"a path of one machine: {row.strip()[:80]}")
        if path.endswith((".c", ".h")) and "\t" in row:
            report.breach(f"{path}:{number}", "tab")

longest = []
for path, name, first, last, _ in common.functions(common.files(".c", ".h")):
    size = last - first + 1
    if size > 120:
        report.breach(f"{path}:{first}", f"{name} has {size} lines, 120 are the most")
    elif size > 80:
        report.note(f"{path}:{first}", f"{name} has {size} lines (aim: 80)")
    longest.append(size)
longest.sort()
if longest:
    print(f"{len(longest)} functions: median {longest[len(longest) // 2]} lines, longest {longest[-1]}")
report.end()
