"""The feedback loop, the admin address and look-ups: loop.py HOST:PORT ADMIN MODEL ROWS.csv. The server was started with --learn."""
import csv
import json
import sys
import urllib.error
import urllib.request

address, admin, model, rows_file = sys.argv[1:5]
rows = list(csv.DictReader(open(rows_file)))
checks = 0


def no(word):
    raise ValueError(word)


def ask(where, body=None, base=address, headers=None, code=200):
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    r = urllib.request.Request(f"http://{base}{where}", data=data, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(r, timeout=30) as f:
            got, text = f.status, f.read()
    except urllib.error.HTTPError as e:
        got, text = e.code, e.read()
    if got != code:
        sys.exit(f"FAIL {where}: {got}, expected {code}: {text[:300]}")
    return json.loads(text, parse_constant=no) if text[:1] in b"{[" else text.decode()


def check(what, ok):
    global checks
    if not ok:
        sys.exit(f"FAIL {what}")
    checks += 1


def lines(part):
    return "".join(json.dumps({k: (float(v) if v.replace(".", "", 1).isdigit() else v) if k not in ("customer_id", "region") else v
                               for k, v in r.items() if v != ""}) + "\n" for r in part).encode()


before = ask("/v1/stats")["learner"]
got = ask("/v1/learn?source=http&first=0", lines(rows[:300]))
check(f"learned: {got}", got["rows"] == 300 and got["learned"] == 300 and got["position"] == 300 and got["mode"] == "learning")
again = ask("/v1/learn?source=http&first=0", lines(rows[:300]))
check("the same records again are known", again["learned"] == 0 and again["duplicate"] == 300)
bad = ask("/v1/learn?source=http&first=300", b'{"tenure_months": "many", "churn": "yes"}\n' + lines(rows[301:303]) + b"{broken\n")
check(f"bad records are held back: {bad}", bad["rows"] == 4 and bad["learned"] == 2 and bad["quarantined"] == 2)
ask("/v1/learn?source=x", lines(rows[:1]), code=400)
ask("/v1/learn", b"", code=400)
meta = ask(f"/v2/models/{model}")
part = rows[400:420]


def tensors(part, key):
    out = [{"name": c["name"], "shape": [len(part)], "datatype": c["datatype"],
            "data": [(r[c["name"]] or None) if c["datatype"] == "BYTES" else float(r[c["name"]]) if r[c["name"]] else None for r in part]} for c in meta["inputs"]]
    if key:
        out.append({"name": key, "shape": [len(part)], "datatype": "BYTES", "data": [r[key] for r in part]})
    return {"id": "loop", "inputs": out}


plain = ask(f"/v2/models/{model}/infer", tensors(part, None))
served = ask(f"/v2/models/{model}/infer", tensors(part, "customer_id"))
check("answered by the live model", served["model_version"] == "live" and served["id"] == "loop")
p, q = plain["outputs"][0]["data"], served["outputs"][0]["data"]
check("near to what is published", len(p) == len(q) == 40 and max(abs(a - b) for a, b in zip(p, q)) < .5)
check("they wait for labels", ask("/v1/stats")["learner"]["pending"] == before["pending"] + 20)
label = b"".join(json.dumps({"customer_id": r["customer_id"], "churn": r["churn"]}).encode() + b"\n" for r in part)
got = ask("/v1/label", label)
check(f"labels find their predictions: {got}", got["learned"] == 20 and got["unmatched"] == 0)
got = ask("/v1/label", label)
check("once only", got["learned"] == 0 and got["unmatched"] == 20)
now = ask("/v1/stats")["learner"]
check("nothing waits any more", now["pending"] == before["pending"] and now["learned"] == before["learned"] + 322)
check("progressive metrics", 0 < now["metrics"]["cumulative"]["loss"] < now["metrics"]["majority"]["loss"])
ask(f"/v2/models/{model}/infer", tensors([dict(part[0], customer_id="")], "customer_id"), code=400)
# the admin address
ask("/admin/versions", code=404)
listed = ask("/admin/versions", base=admin)
g, newest = listed["generation"], listed["versions"][-1]["version"]
old = ask("/v1/stats")["endpoint"]["version"]
ask("/admin/promote", {"version": newest, "expected_generation": g - 1}, base=admin, code=409)
ask("/admin/promote", {"version": 999999}, base=admin, code=404)
ask("/admin/promote", b"nonsense", base=admin, code=400)
ask("/admin/promote", {"version": newest}, base=admin, headers={"Content-Type": "text/plain"}, code=415)
ask("/admin/versions", base=admin, headers={"Host": "evil.example"}, code=403)
done = ask("/admin/promote", {"version": old, "stage": "production", "expected_generation": g}, base=admin)
done = ask("/admin/promote", {"version": newest, "stage": "production", "expected_generation": done["generation"]}, base=admin)
check("promoted and served", done["served"] == newest and ask(f"/v2/models/{model}")["versions"] == [str(newest)])
done = ask("/admin/rollback", {"stage": "production", "expected_generation": done["generation"]}, base=admin)
check("rolled back", done["served"] == old and ask(f"/v2/models/{model}")["versions"] == [str(old)])
snap = ask("/admin/learner/snapshot", {}, base=admin)
check("a snapshot by hand", snap["version"] > newest)
check("held records are listed", len(ask("/admin/quarantine", base=admin)["records"]) >= 2)
ask("/admin/learner/thaw", {}, base=admin, code=409)
ask("/admin/quarantine/purge", {}, base=admin, code=503)  # not while the learner is at work
checks += 1
ask("/admin/drain", {"on": True}, base=admin)
check("draining is not ready", ask("/v2/health/ready", code=503)["ready"] is False)
ask(f"/v2/models/{model}/infer", tensors(part, None), code=503)
ask("/admin/drain", {"on": False}, base=admin)
check("ready again", ask("/v2/health/ready")["ready"] is True)
# look-ups
one = ask("/v1/lookup/t/C0000001")
check("a key that is there", one["status"] == "HIT" and 0 <= one["value"][0] <= 1)
check("a key that is not", ask("/v1/lookup/t/nobody%20here") == {"key": "nobody here", "status": "MISS", "value": None})
many = ask("/v1/lookup/t", {"keys": ["C0000002", "x", "C0000003"]})["results"]
check("many keys", [m["status"] for m in many] == ["HIT", "MISS", "HIT"])
ask("/v1/lookup/none/k", code=404)
check("a published table", ask("/v1/lookup/published/C0000001") == one)
ask("/v1/lookup/t", {"keys": [1]}, code=400)
text = ask("/metrics")
for name in ["leat_learn_rows_total", "leat_learn_metric", "leat_table_lookups_total", "leat_model_rollbacks_total", "leat_quarantine_records",
             "leat_inference_duration_seconds_bucket", "leat_model_swaps_total", "leat_model_age_seconds"]:
    check(f"metric {name}", name in text)
print(f"loop: {checks} checks")
