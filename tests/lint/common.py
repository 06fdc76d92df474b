"""What the lints share: the list of files, comments and strings taken out of C, and the report."""
import os
import re
import subprocess
import sys

FOLDERS = ("include", "lib", "opencl", "src", "examples", "tests", "bench", "cmake", "pkgconfig", ".ci", "docs")
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*suffixes, under=FOLDERS):
    """Files of the project, by folder; build folders and hidden ones stay outside."""
    found = []
    for folder in under:
        for path, dirs, names in os.walk(folder):
            dirs[:] = sorted(d for d in dirs if not d.startswith((".", "build", "__pycache__")))
            found += [os.path.join(path, n) for n in sorted(names) if n.endswith(suffixes)]
    return found


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def code(text, keep_strings=False):
    """C without comments (and strings), lines kept where they are."""
    def blank(match):
        s = match.group(0)
        if s[0] in "\"'":
            return s if keep_strings else s[0] + s[0]
        return "\n" * s.count("\n") or " "
    return _TOKEN.sub(blank, text)


def strings(text):
    """(line, literal) of each string of C."""
    for match in _TOKEN.finditer(text):
        if match.group(0)[0] == '"':
            yield text.count("\n", 0, match.start()) + 1, match.group(0)


def functions(paths):
    """(path, name, first line, last line, is_static) of each function that is defined in the C files."""
    if not paths:
        return []
    out = subprocess.run(["ctags", "--languages=C", "--language-force=C", "--kinds-C=f", "--fields=+neSf", "-I",
                          "LT_PRINTF+", "-x", "--_xformat=%F\t%N\t%n\t%e\t%f", *paths],
                         capture_output=True, text=True, check=True).stdout
    found = []
    for line in out.splitlines():
        path, name, first, last, local = (line + "\t").split("\t")[:5]
        if last.isdigit():
            found.append((path, name, int(first), int(last), local.strip() not in ("", "-")))
    return found


class Report:
    def __init__(self, what):
        self.what, self.bad = what, 0

    def breach(self, where, text):
        self.bad += 1
        print(f"{where}: error: {text}")

    def note(self, where, text):
        print(f"{where}: note: {text}")

    def end(self):
        print(f"{self.what}: {self.bad} breaches")
        sys.exit(1 if self.bad else 0)
