"""Requests without a pause while versions come and go: swaps.py HOST:PORT ADMIN MODEL SWAPS [ROWS.csv]. No request may fail, and every
answer must be that of the version it names. With ROWS the server learns (--learn): they are learned, predicted with their keys and labelled
meanwhile, and its metrics and numbers are asked for."""
import csv
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


def talk(step):
    """step(connection's ask, round) again and again, until the swaps are over."""
    c = http.client.HTTPConnection(address, timeout=60)

    def tell(where, body=None):
        c.request("POST" if body else "GET", where, body)
        r = c.getresponse()
        text = r.read()
        if r.status != 200:
            raise ValueError(f"{where}: {r.status} {text[:200]}")
        return text

    n = 0
    try:
        while not stop.is_set():
            step(tell, n)
            n += 1
    except Exception as e:
        trouble.append(repr(e))
    with lock:
        rounds[step.__name__] = n


rounds = {}
rows = list(csv.DictReader(open(sys.argv[5]))) if len(sys.argv) > 5 else []


def lines(part, columns):
    return "".join(json.dumps({k: r[k] for k in columns}) + "\n" for r in part)


def learn(tell, n):
    tell("/v1/learn", lines([{**r, "customer_id": f"learn-{n}-{i}"} for i, r in enumerate(rows[:20])], rows[0].keys()))


def label(tell, n):
    part = [{**r, "customer_id": f"key-{n}-{i}"} for i, r in enumerate(rows[20:30])]
    inputs = [{"name": c["name"], "shape": [len(part)], "datatype": c["datatype"],
               "data": [r[c["name"]] if c["datatype"] == "BYTES" else float(r[c["name"]] or 0) for r in part]} for c in meta["inputs"]]
    inputs.append({"name": "customer_id", "shape": [len(part)], "datatype": "BYTES", "data": [r["customer_id"] for r in part]})
    tell(f"/v2/models/{model}/infer", json.dumps({"inputs": inputs}))
    got = json.loads(tell("/v1/label", lines(part, ("customer_id", "churn"))))
    if got["unmatched"]:
        raise ValueError(f"labels: {got}")


def watch(tell, n):
    tell("/metrics")
    tell("/v1/stats")


threads = [threading.Thread(target=ask) for _ in range(4)] + [threading.Thread(target=talk, args=(s,)) for s in (learn, label, watch) if rows]
for t in threads:
    t.start()
for i in range(swaps):
    get(admin, "/admin/promote", {"version": versions[i % len(versions)], "stage": "production"})
stop.set()
for t in threads:
    t.join()
if trouble or answers[0] < swaps or len(said) < 2:
    sys.exit(f"FAIL swaps: {trouble[:3]}, {answers[0]} answers of {len(said)} versions")
if rows and not all(rounds.values()):
    sys.exit(f"FAIL swaps: {rounds}")
print(f"swaps: {answers[0]} answers of {len(said)} versions during {swaps} swaps, none failed{', ' + str(rounds) if rounds else ''}")
