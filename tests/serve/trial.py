"""Shadow and canary with labels that come late: trial.py HOST:PORT ADMIN MODEL ROWS.csv better|worse|hand PRODUCTION CANDIDATE. The server
tries CANDIDATE against PRODUCTION; rows are asked for with their key, and labelled a few hundred requests later."""
import csv
import http.client
import json
import sys
import urllib.error
import urllib.request

address, admin, model, rows_file, what, production, candidate = sys.argv[1:8]
rows = list(csv.DictReader(open(rows_file)))
checks = 0


def check(name, ok, detail=""):
    global checks
    if not ok:
        sys.exit(f"FAIL {name}: {detail}")
    checks += 1


def ask(where, body=None, base=admin, code=200):
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    r = urllib.request.Request(f"http://{base}{where}", data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(r, timeout=30) as f:
            got, text = f.status, f.read()
    except urllib.error.HTTPError as e:
        got, text = e.code, e.read()
    check(f"{where} answers {code}", got == code, (got, text[:300]))
    return json.loads(text) if text[:1] in b"{[" else text.decode()


meta = ask(f"/v2/models/{model}", base=address)
check("it begins with production", meta["versions"] == [production], meta["versions"])
kinds = {c["name"]: c["datatype"] for c in meta["inputs"]}
connection = http.client.HTTPConnection(address, timeout=30)


def body_of(part):
    inputs = [{"name": n, "shape": [len(part)], "datatype": t,
               "data": [r[n] if t == "BYTES" else float(r[n]) if r[n] else None for r in part]} for n, t in kinds.items()]
    inputs.append({"name": "customer_id", "shape": [len(part)], "datatype": "BYTES", "data": [r["customer_id"] for r in part]})
    return json.dumps({"inputs": inputs})


def infer(part):
    connection.request("POST", f"/v2/models/{model}/infer", body_of(part))
    r = connection.getresponse()
    o = json.loads(r.read())
    check("infer", r.status == 200 and len(o["outputs"][1]["data"]) == len(part), o)
    return o


def label(part):
    o = ask("/v1/label", "".join(json.dumps({"customer_id": r["customer_id"], "churn": r["churn"]}) + "\n" for r in part).encode(), address)
    check("every label finds its prediction", o["scored"] == len(part) and o["unmatched"] == 0, o)


def metric(name, labels=""):
    text = ask("/metrics", base=address)
    for line in text.splitlines():
        if line.startswith(f"leat_{name}{{") and labels in line:
            return float(line.rsplit(" ", 1)[1])
    sys.exit(f"FAIL no metric {name} {labels}")


seen = {}  # key -> share at which the candidate answered it first


def feed(part, state):
    """Asks for each row alone, then labels all of them; how many the candidate answered."""
    by = 0
    for r in part:
        version = infer([r])["model_version"]
        check("one of the two answers", version in (production, candidate), version)
        if version == candidate:
            by += 1
            seen[r["customer_id"]] = state["share"]
    label(part)
    return by


def until(phases, most):
    at = answered = asked = 0
    state = ask("/admin/trial")
    while state["phase"] in phases and at < most:
        part = rows[at % len(rows):at % len(rows) + 200]
        at += 200
        before = state
        by = feed(part, before)
        state = ask("/admin/trial")
        if state["phase"] == before["phase"] and state["share"] == before["share"] and before["share"] == 0.1:
            answered, asked = answered + by, asked + len(part)
        if before["phase"] == state["phase"] == "shadow":
            check("nobody is answered by a shadow", by == 0, by)
    return state, answered, asked


if what == "better":
    state, by, asked = until(("shadow", "canary"), 40000)
    check("promoted", state["phase"] == "promoted" and state["loss"] < state["against_loss"], state)
    check("its share was about a tenth", asked == 0 or abs(by - asked / 10) < 4 * (asked * .09) ** .5 + 1, (by, asked))
    check("it is served", ask(f"/v2/models/{model}", base=address)["versions"] == [candidate])
    check("the metrics know", metric("trial_phase") == 3 and metric("trial_rows_total") > 0 and metric("model_version") == int(candidate))
    check("labels had delays", metric("label_delay_seconds_count") > 200 and metric("calibration_error") < .3 and
          .5 < metric("calibration_ratio") < 2, (metric("calibration_error"), metric("calibration_ratio")))
    infer(rows[:1])
elif what == "worse":
    state, _, _ = until(("shadow", "canary"), 40000)
    check("aborted", state["phase"] == "aborted" and state["loss"] > state["against_loss"], state)
    check("production is served still", ask(f"/v2/models/{model}", base=address)["versions"] == [production])
    check("the metrics know", metric("trial_phase") == 4 and metric("trial_evidence", 'that="worse"') > 1)
    check("nobody is answered by it any more", infer(rows[:50])["model_version"] == production)
else:
    ask("/admin/trial/forward", {}, code=409)
    ask("/admin/trial", {"version": int(production)}, code=409)
    ask("/admin/trial", {"version": 9999}, code=404)
    ask("/admin/trial", {"version": int(candidate), "shares": "2"}, code=400)
    ask("/admin/trial", {"version": int(candidate), "sahres": "1"}, code=400)
    ask("/admin/trial", {"version": int(candidate), "automatic": False, "shares": "0.25,1", "begin": "shadow", "alarm": 1e100})
    ask("/admin/trial", {"version": int(candidate)}, code=409)
    check("shadow", infer(rows[:50])["model_version"] == production)
    state = ask("/admin/trial/forward", {})
    check("canary", state["phase"] == "canary" and state["share"] == .25, state)
    first = [infer([r])["model_version"] for r in rows[:200]]
    check("a quarter of the keys", 25 < first.count(candidate) < 80, first.count(candidate))
    check("the same keys again", [infer([r])["model_version"] for r in rows[:200]] == first)
    mixed = infer(rows[:200])  # one request with keys of both
    check("rows of both in one answer", mixed["model_version"] == production and mixed["parameters"]["candidate_rows"] == first.count(candidate), mixed.get("parameters"))
    single = [infer([r])["outputs"][0]["data"] for r in rows[:20]]
    check("each row is as it is alone", all(single[i] == mixed["outputs"][0]["data"][2 * i:2 * i + 2] for i in range(20)))
    connection.request("POST", f"/v2/models/{model}/infer", json.dumps({"inputs": json.loads(body_of(rows[:1]))["inputs"][:-1]}))
    check("without a key: production", json.loads(connection.getresponse().read())["model_version"] == production)
    state = ask("/admin/trial/forward", {})
    check("all keys", infer(rows[:200])["model_version"] == candidate)
    ask("/admin/trial/forward", {}, code=409)
    ask("/admin/trial/back", {})
    check("the same quarter", [infer([r])["model_version"] for r in rows[:200]] == first)
    label(rows[:200])
    state = ask("/admin/trial/abort", {})
    check("aborted", state["phase"] == "aborted", state)
    check("by nobody", infer(rows[:50])["model_version"] == production)
    o = ask("/v1/label", b'{"customer_id":"nobody","churn":"yes"}\n{"customer_id":"nobody"', address, 400)
    check("which label is wrong", "label 2" in o["error"], o)
    ask("/v1/label", b'[]', address, 400)
    ask("/v1/label", b'{"churn":"yes"}', address, 400)
    ask("/v1/label", b'{"customer_id":{"a":1},"churn":"yes"}', address, 400)
    ask("/admin/trial", {"version": int(candidate), "automatic": False, "begin": "canary"})
    ask("/admin/trial/promote", {})
    check("promoted by hand", ask(f"/v2/models/{model}", base=address)["versions"] == [candidate])
print(f"trial, {what}: {checks} checks")
