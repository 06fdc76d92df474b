"""Requests without a pause while versions come and go: swaps.py HOST:PORT ADMIN MODEL SWAPS. No request may fail, and every answer
must be that of the version it names."""
import http.client
import json
import sys
import threading
import urllib.request

address, admin, model, swaps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def get(base, where, body=None):
    r = urllib.request.Request(f"http://{base}{where}", data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(r, timeout=30))


meta = get(address, f"/v2/models/{model}")
body = json.dumps({"inputs": [{"name": c["name"], "shape": [1], "datatype": c["datatype"], "data": ["dsl"] if c["datatype"] == "BYTES" else [3]} for c in meta["inputs"]]})
versions = [v["version"] for v in get(admin, "/admin/versions")["versions"]][-4:]
said, lock, stop, answers = {}, threading.Lock(), threading.Event(), [0]
trouble = []


def ask():
    c = http.client.HTTPConnection(address, timeout=30)
    n = 0
    try:
        while not stop.is_set():
            c.request("POST", f"/v2/models/{model}/infer", body)
            r = c.getresponse()
            o = json.loads(r.read())
            if r.status != 200:
                raise ValueError(f"{r.status} {o}")
            with lock:
                if said.setdefault(o["model_version"], o["outputs"][0]["data"]) != o["outputs"][0]["data"]:
                    raise ValueError(f"two answers of version {o['model_version']}")
            n += 1
    except Exception as e:
        trouble.append(repr(e))
    with lock:
        answers[0] += n


threads = [threading.Thread(target=ask) for _ in range(4)]
for t in threads:
    t.start()
for i in range(swaps):
    get(admin, "/admin/promote", {"version": versions[i % len(versions)], "stage": "production"})
stop.set()
for t in threads:
    t.join()
if trouble or answers[0] < swaps or len(said) < 2:
    sys.exit(f"FAIL swaps: {trouble[:3]}, {answers[0]} answers of {len(said)} versions")
print(f"swaps: {answers[0]} answers of {len(said)} versions during {swaps} swaps, none failed")
