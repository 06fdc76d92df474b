"""Clients that mean no good, or do not know better: hostile.py HOST PORT MODEL REQUESTS [SEED]. Wrong shapes and types, deep and broken
JSON, numbers that are none, oversized and half-sent bodies, connections that dawdle or close half way, and REQUESTS mutations of a good
request. Every whole request must be answered with a reason, never with 500, never with NaN; the server must answer a good one at the end."""
import json
import random
import socket
import sys
import time

host, port, model, requests = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
random.seed(int(sys.argv[5]) if len(sys.argv) > 5 else 1)
checks = 0
path = f"/v2/models/{model}/infer"


def fail(what):
    sys.exit(f"FAIL {what}")


def connect():
    s = socket.create_connection((host, port), timeout=40)
    return s


def read_answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return None, data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        more = s.recv(65536)
        if not more:
            break
        body += more
    return int(head.split()[1]), body


def send(body, method="POST", where=path, headers="", length=None, sock=None):
    s = sock or connect()
    if isinstance(body, str):
        body = body.encode()
    head = f"{method} {where} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body) if length is None else length}\r\n\r\n"
    s.sendall(head.encode() + body)
    answer = read_answer(s)
    if not sock:
        s.close()
    return answer


def strict(body):
    def no(word):
        raise ValueError(word)
    return json.loads(body, parse_constant=no)


def expect(what, codes, answer, word=None):
    global checks
    code, body = answer
    if code not in codes:
        fail(f"{what}: {code} instead of {codes}: {body[:200]}")
    if code != 200 and body.startswith(b"{") and "error" not in strict(body):
        fail(f"{what}: no reason in {body[:200]}")
    if word and word.encode() not in body:
        fail(f"{what}: '{word}' is not in {body[:300]}")
    checks += 1


code, body = send("", "GET", f"/v2/models/{model}")
meta = strict(body)
good = {"id": "1", "inputs": [{"name": c["name"], "shape": [2], "datatype": c["datatype"], "data": ["a", "b"] if c["datatype"] == "BYTES" else [1.5, None]}
                              for c in meta["inputs"]]}
text = json.dumps(good)
expect("a good request", [200], send(text), "probability")
inf = text.replace("1.5", "1e999", 1)
for what, body, word in [
        ("NaN", text.replace("1.5", "NaN", 1), "number"), ("Infinity", text.replace("1.5", "Infinity", 1), "number"),
        ("1e999", inf, "beyond"), ("leading zero", text.replace("1.5", "01.5", 1), ""), ("text in numbers", text.replace("1.5", '"x"', 1), "number"),
        ("number in texts", text.replace('"a"', "3", 1), "string"), ("no JSON", "hello", ""), ("empty", "", ""), ("array", "[]", "object"),
        ("two objects", text + text, "behind"), ("no inputs", "{}", "no inputs"), ("empty inputs", '{"inputs":[]}', "no inputs"),
        ("negative shape", text.replace("[2]", "[-2]", 1), "negative"), ("wrong shape", text.replace("[2]", "[3]", 1), ""),
        ("huge shape", text.replace("[2]", "[9007199254740991]"), ""), ("huge shapes", text.replace("[2]", "[2, 2147483648, 2147483648]", 1), ""),
        ("fraction in a shape", text.replace("[2]", "[2.5]", 1), "integer"), ("unknown type", text.replace("FP64", "FP65", 1), "datatype"),
        ("no name", text.replace('"name"', '"nome"', 1), "name"), ("cut", text[:-20], ""), ("control character", text.replace('"a"', '"\x01"', 1), "control"),
        ("half a surrogate", text.replace('"a"', '"\\ud800"', 1), "escape"), ("data twice", text.replace('"data"', '"parameters":{"binary_data_size":4},"data"', 1), ""),
        ("binary size without bytes", text.replace('"data": [1.5, null]', '"parameters":{"binary_data_size":16}', 1), "bytes")]:
    expect(what, [400], send(body), word)
expect("not UTF-8", [400], send(text.encode().replace(b'"a"', b'"\xff\xfe"', 1)), "UTF-8")
expect("31 deep", [200], send(text[:-1] + ', "extra": ' + "[" * 30 + "]" * 30 + "}"))
expect("33 deep", [400], send(text[:-1] + ', "extra": ' + "[" * 33 + "]" * 33 + "}"), "deeper")
expect("a million deep", [400], send("[" * 1000000), "")
expect("a million deep inside", [400], send(text[:-1] + ', "extra": ' + "[" * 1000000), "deeper")
expect("infer by GET", [405], send("", "GET"))
expect("no such model", [404], send(text, where="/v2/models/nobody/infer"))
expect("no such place", [404], send("", "GET", "/nowhere"))
expect("bad escape in the path", [400, 404], send("", "GET", "/v2/models/%zz"))
expect("zero in the path", [400], send("", "GET", "/v2/models/a%00b"))
expect("header longer than the body", [400], send(text, headers="Inference-Header-Content-Length: 99999999\r\n"))
expect("header that is no number", [400], send(text, headers="Inference-Header-Content-Length: many\r\n"))
expect("packed body", [415], send(text, headers="Content-Encoding: gzip\r\n"), "gzip")
expect("the admin's paths are not here", [404], send("{}", where="/admin/promote"))
# 10 GB announced: refused, or the connection is closed, before the bytes come
code, _ = send("x" * 100, length=10 * 2 ** 30)
if code not in (413, None):
    fail(f"10 GB announced: {code}")
code, _ = send("x" * 100, length=2 ** 63)
if code not in (400, 413, None):
    fail(f"2^63 bytes announced: {code}")
s = connect()  # a header without end
try:
    for _ in range(100):
        s.sendall(b"GET / HTTP/1.1\r\n" if _ == 0 else b"X-Long: " + b"a" * 1000 + b"\r\n")
    code, _ = read_answer(s)
    if code not in (400, 413, 431, None):
        fail(f"100 kB of headers: {code}")
except OSError:
    pass
s.close()
slow = []  # dawdlers, which must not keep others from being answered
for i in range(50):
    s = connect()
    s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n" + (b"\r\n{" if i % 2 else b""))
    slow.append(s)
for i in range(200):  # half-closed, closed at once, reset
    s = connect()
    s.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text.encode()[:len(text) if i % 3 else 50])
    if i % 4 == 0:
        s.shutdown(socket.SHUT_WR)
        if i % 3:
            code, _ = read_answer(s)
            if code not in (200, None):
                fail(f"half-closed: {code}")
    elif i % 4 == 1:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()
expect("a good request among dawdlers", [200], send(text))
# mutations
seen, alive, raw = {}, connect(), text.encode()
tokens = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"1e308", b"-", b"\\u0000", b"\xff", b"9007199254740993", b"[[[[", b'"shape"', b'"data"', b"BYTES", b"INT8"]
for n in range(requests):
    b = bytearray(raw)
    for _ in range(random.randint(1, 4)):
        at, how = random.randrange(len(b) + 1), random.randrange(5)
        if how == 0 and at < len(b):
            b[at] = random.randrange(256)
        elif how == 1:
            b[at:at] = random.choice(tokens)
        elif how == 2:
            del b[at:at + random.randint(1, 12)]
        elif how == 3:
            to = random.randrange(len(b) + 1)
            b[at:at] = b[to:to + random.randint(1, 40)]
        elif at < len(b):
            b[at:at + 3] = random.choice(tokens)
    where = path if random.random() < .97 else random.choice(["/v1/label", "/v1/learn", "/v1/lookup/t", "/v2", "/v2/models/%41/", f"/v2/models/{model}/versions/1/infer"])
    headers = "" if random.random() < .95 else f"Inference-Header-Content-Length: {random.randrange(len(b) + 3)}\r\n"
    try:
        code, answer = send(bytes(b), where=where, headers=headers, sock=alive)
    except OSError:
        code, answer = None, b""
    seen[code] = seen.get(code, 0) + 1
    if code is None:
        alive.close()
        alive = connect()
    elif code >= 500:
        fail(f"mutation {n}: {code} {answer[:200]} for {bytes(b)[:3000]}")
    elif answer.startswith(b"{"):
        strict(answer)
alive.close()
if seen.get(None, 0) > requests / 50:
    fail(f"{seen[None]} of {requests} mutations got no answer")
expect("a good request at the end", [200], send(text))
for s in slow:
    s.close()
print(f"hostile: {checks} checks, {requests} mutations answered {dict(sorted((str(k), v) for k, v in seen.items()))}")
