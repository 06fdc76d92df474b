"""The public headers: every function says its errors and its thread word, and everything can be called through an FFI."""
import re
import common

report = common.Report("public headers")
WORDS = ("immutable", "safe", "owner", "any")
BY_VALUE = {"void", "char", "int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t",
            "float", "double", "leat_status", "leat_dtype", "leat_kind", "leat_role", "leat_device_kind",
            "leat_param_type", "leat_train_state", "leat_reason", "leat_log_level", "leat_backend_query_fn"}


def split_arguments(text):
    """Arguments of a declaration, commas inside of function pointers left alone."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += c in "(["
        depth -= c in ")]"
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [p.strip() for p in parts]


def check_type(where, text):
    if "(*" in text or text in ("void", ""):
        return
    words = [w for w in re.sub(r"[*\[\]]|\b\d+\b", " ", text).split() if w not in ("const", "struct")]
    for bad in ("bool", "_Bool", "long", "wchar_t", "FILE", "time_t", "off_t", "size_t", "enum", "union", "unsigned"):
        if bad in words:
            report.breach(where, f"'{text}': {bad} differs between platforms or bindings")
    if "*" not in text and "[" not in text and words and words[0] not in BY_VALUE:
        report.breach(where, f"'{text}': {words[0]} is passed by value")


count = 0
for path in ("include/leat/leat.h", "include/leat/backend.h", "include/leat/conformance.h"):
    text = common.read(path)
    # (comment just before, declaration)
    for match in re.finditer(r"(/\*(?:(?!\*/).)*\*/)?\s*\nLEAT_API\s+([^;]*);", text, re.S):
        comment, declaration = match.group(1) or "", " ".join(match.group(2).split())
        head = re.match(r"(.*?)\b(leat_\w+)\((.*)\)$", declaration)
        line = text.count("\n", 0, match.start(2)) + 1
        where = f"{path}:{line}"
        if not head:
            report.breach(where, f"cannot read '{declaration}'")
            continue
        count += 1
        returns, name, arguments = head.group(1).strip(), head.group(2), split_arguments(head.group(3))
        if not comment:
            report.breach(where, f"{name} has no comment just before it")
        thread = re.findall(r"Thread:\s*(\w+)", comment)
        if len(thread) != 1 or thread[0] not in WORDS:
            report.breach(where, f"{name}: 'Thread:' and one of {', '.join(WORDS)} is missing")
        if returns == "leat_status" and "Errors:" not in comment:
            report.breach(where, f"{name} returns a status but its comment has no 'Errors:'")
        if len(arguments) > 8:
            report.breach(where, f"{name} has {len(arguments)} arguments, 8 are the most")
        if "..." in head.group(3):
            report.breach(where, f"{name} has variable arguments")
        for argument in arguments + [returns]:
            check_type(where, argument)
        if re.search(r"_free$", name) and returns != "void":
            report.breach(where, f"{name} must return void")
    plain = common.code(text)
    listed = len(re.findall(r"^LEAT_API\b", plain, re.M))
    seen = len(re.findall(r"\nLEAT_API\s+[^;]*;", plain))
    if listed != seen:
        report.breach(path, f"{listed} functions, {seen} understood")
    for match in re.finditer(r"^[ \t]*#[ \t]*define\s+(\w+)\(", plain, re.M):
        report.breach(path, f"function macro {match.group(1)}: a binding cannot see it")
    for word in ("static", "inline", "union", "wchar_t", "bool", "long"):
        if re.search(rf"\b{word}\b", plain):
            report.breach(path, f"'{word}' in a public header")
    if re.search(r"^\s*\w+\s+\w+\s*:\s*\d+\s*;", plain, re.M):
        report.breach(path, "bit-field")
    for match in re.finditer(r"typedef struct (\w+) \{\s*([^;]*);", plain):
        if "uint64_t struct_size" not in match.group(2):
            report.breach(path, f"{match.group(1)}: struct_size is not the first field")
    if "\t" in text:
        report.breach(path, "tab")
    for number, row in enumerate(text.splitlines(), 1):
        if len(row) > 124:
            report.breach(f"{path}:{number}", f"{len(row)} characters")
if count > 260:
    report.breach("include/leat", f"{count} functions; 260 are the most")
print(f"{count} functions")
report.end()
