"""Makes abidw's output say the ABI and nothing else: one unit; only exported functions and the types they reach; a type
that several files know (declared here, defined there) once; sorted. Where functions live and what the inner ones look
like then does not show. Reads abixml from standard input, writes abixml."""
import sys
import xml.etree.ElementTree as tree

root = tree.parse(sys.stdin).getroot()
units = root.findall("abi-instr")
if not units:
    sys.exit("no translation unit in the abixml")
types, functions = {}, {}
for unit in units:
    root.remove(unit)
    for item in unit:
        item.tail = None
        if item.get("id"):
            old = types.get(item.get("id"))
            if old is None or len(tree.tostring(item)) > len(tree.tostring(old)):
                types[item.get("id")] = item
        elif item.tag == "function-decl" and item.get("elf-symbol-id"):
            functions[item.get("elf-symbol-id")] = item

REFERENCES = ("type-id", "naming-typedef-id", "def-of-decl-id")


def rename(item, names):
    for node in item.iter():
        for attribute in REFERENCES:
            if node.get(attribute) in names:
                node.set(attribute, names[node.get(attribute)])


while True:  # types that differ by their number alone become one, until none is left
    same, names = {}, {}
    for number, item in sorted(types.items()):
        item.attrib.pop("id")
        text = tree.tostring(item, encoding="unicode")
        item.set("id", number)
        if same.setdefault(text, number) != number:
            names[number] = same[text]
    if not names:
        break
    for number in names:
        del types[number]
    for item in list(types.values()) + list(functions.values()):
        rename(item, names)

reached, ahead = set(), list(functions.values())
while ahead:
    for node in ahead.pop().iter():
        for attribute in REFERENCES:
            number = node.get(attribute)
            if number in types and number not in reached:
                reached.add(number)
                ahead.append(types[number])

merged = tree.Element("abi-instr", {"address-size": units[0].get("address-size"), "path": "leat",
                                    "language": units[0].get("language")})
for item in sorted((types[n] for n in reached), key=lambda i: (i.tag, i.get("name") or "", i.get("id"))):
    merged.append(item)
for _, item in sorted(functions.items()):
    merged.append(item)
root.append(merged)
tree.indent(root)
sys.stdout.write(tree.tostring(root, encoding="unicode") + "\n")
