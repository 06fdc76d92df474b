"""The limits, from outside: limits.py HOST PORT MODEL PID MUTATIONS [SEED]. The server was started with --request-ms 1500 --queue 20. Slow
clients are cut off, too many are told so, bodies without end cost no memory, mutated binary tensors are answered."""
import json
import os
import random
import socket
import struct
import sys
import time

host, port, model, pid, mutations = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
random.seed(int(sys.argv[6]) if len(sys.argv) > 6 else 1)
path = f"/v2/models/{model}/infer"
checks = 0


def check(what, ok, detail=""):
    global checks
    if not ok:
        sys.exit(f"FAIL {what}: {detail}")
    checks += 1


def connect():
    return socket.create_connection((host, port), timeout=60)


def answer(s):
    """(status, head, body), or (None, b"", b"") when the connection was closed without one."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                return None, b"", b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            more = s.recv(65536)
            if not more:
                break
            body += more
    except OSError:
        return None, b"", b""
    return int(head.split()[1]), head, body


def send(body=b"", method="POST", where=path, headers="", sock=None):
    s = sock or connect()
    s.sendall(f"{method} {where} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    got = answer(s)
    if not sock:
        s.close()
    return got


def metric(name):
    text = send(method="GET", where="/metrics")[2].decode()
    return float(next(l for l in text.splitlines() if l.startswith(f"leat_{name}{{")).rsplit(" ", 1)[1])


def memory():  # highest ever, in bytes
    return next(int(l.split()[1]) * 1024 for l in open(f"/proc/{pid}/status") if l.startswith("VmHWM"))


def closed(s):
    """Reads until the server ends the connection."""
    s.settimeout(60)
    try:
        while s.recv(65536):
            pass
    except OSError:
        pass
    s.close()


meta = json.loads(send(method="GET", where=f"/v2/models/{model}")[2])
good = json.dumps({"inputs": [{"name": c["name"], "shape": [1], "datatype": c["datatype"],
                               "data": ["a"] if c["datatype"] == "BYTES" else [1.5]} for c in meta["inputs"]]}).encode()
check("a good request", send(good)[0] == 200)

# dawdlers: a header byte by byte, a body byte by byte, and ones that stop half way
ended, slow = metric("connections_ended_total"), []
for i in range(15):
    s = connect()
    s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 500\r\n\r\n{" if i % 3 else b""))
    slow.append(s)
last = time.monotonic() + 30
alive = slow[:10]
while alive and time.monotonic() < last:
    for s in list(alive):
        try:
            s.sendall(b"x")
            s.settimeout(0.01)
            if not s.recv(1):
                raise OSError
        except TimeoutError:
            pass
        except OSError:
            alive.remove(s)
    check("others are answered", send(good)[0] == 200)
    time.sleep(.1)
check("dawdlers are cut off", not alive, len(alive))
for s in slow:
    closed(s)
check("and counted", metric("connections_ended_total") >= ended + 15, metric("connections_ended_total") - ended)

# too many at once: 503 with a time to come back, and when they are gone all is well
refused, many = metric("requests_refused_total"), []
for i in range(40):
    s = connect()
    s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{")
    many.append(s)
for _ in range(100):
    code, head, body = send(good)
    if code == 503:
        break
    time.sleep(.02)
check("too many at once", code == 503 and b"retry-after" in head.lower() and b"waiting" in body, (code, body[:100]))
for s in many:
    closed(s)
check("counted", metric("requests_refused_total") > refused)
check("and over", send(good)[0] == 200)

# bodies without end
before = memory()
s = connect()
s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n")
sent = 0
try:
    for _ in range(3000):
        s.sendall(b"[" * 65536)
        sent += 65536
except OSError:
    pass
code = answer(s)[0]
s.close()
check("10 GB are refused early", code in (413, 400, None) and sent < 64 << 20, (code, sent))
s = connect()
s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
sent = 0
try:
    for _ in range(4000):
        s.sendall(b"10000\r\n" + b"[" * 65536 + b"\r\n")
        sent += 65536
except OSError:
    pass
check("chunks without end are refused", answer(s)[0] in (413, 400, None) and sent < 200 << 20, sent)
s.close()
for _ in range(50):
    s = connect()
    s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n" + b"[" * 100000)
    s.close()
check("memory is bounded", memory() - before < int(os.environ.get("LEAT_SERVE_MIB", "200")) << 20, memory() - before)
check("a good request after that", send(good)[0] == 200)

# half-closed: the request is whole, then nothing more will come
for i in range(100):
    s = connect()
    s.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(good)}\r\n\r\n".encode() + good)
    s.shutdown(socket.SHUT_WR)
    check("half-closed: answered or closed", answer(s)[0] in (200, None))
    s.close()
check("a good request after half-closed ones", send(good)[0] == 200)

# binary tensors, mutated: the JSON, its length, the bytes
parts, tensors = [], b""
for c in meta["inputs"]:
    data = struct.pack("<I", 3) + b"dsl" + struct.pack("<I", 0) if c["datatype"] == "BYTES" else struct.pack("<2d", 1.5, float("nan"))
    parts.append({"name": c["name"], "shape": [2], "datatype": c["datatype"], "parameters": {"binary_data_size": len(data)}})
    tensors += data
binary = json.dumps({"inputs": parts, "parameters": {"binary_data_output": True}}).encode()


def send_binary(head, rest, length, sock):
    return send(head + rest, headers=f"Inference-Header-Content-Length: {length}\r\n", sock=sock)


check("binary", send_binary(binary, tensors, len(binary), None)[0] == 200)
seen, s = {}, connect()
for n in range(mutations):
    head, rest = bytearray(binary), bytearray(tensors)
    for _ in range(random.randint(1, 3)):
        b = rest if random.random() < .7 else head
        at, how = random.randrange(len(b)), random.randrange(4)
        if how == 0:
            b[at] = random.randrange(256)
        elif how == 1:
            b[at:at + 4] = random.choice([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x00\x00\xf0\x7f"])
        elif how == 2:
            del b[at:at + random.randint(1, 9)]
        else:
            b[at:at] = bytes(random.randrange(256) for _ in range(random.randint(1, 9)))
    length = len(head) if random.random() < .9 else random.choice([0, 1, len(head) - 1, len(head) + 1, 2 ** 63, 10 ** 30])
    try:
        code, _, body = send_binary(bytes(head), bytes(rest), length, s)
    except OSError:
        code, body = None, b""
    seen[code] = seen.get(code, 0) + 1
    if code is None:
        s.close()
        s = connect()
    check("no mutation is the server's fault", code is None or code < 500, (n, code, body[:200]))
s.close()
check("they were answered", seen.get(None, 0) <= mutations / 50 and seen.get(400, 0) > mutations / 4, seen)
check("a good request at the end", send(good)[0] == 200)
print(f"limits: {checks} checks, {mutations} binary mutations {dict(sorted((str(k), v) for k, v in seen.items()))}, {(memory() - before) >> 20} MiB more")
