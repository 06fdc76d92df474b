"""A client that nobody here wrote (tritonclient, HTTP) against leat-serve: client.py HOST:PORT MODEL ROWS.csv PREDICTIONS.csv.
Metadata, health, statistics; rows as JSON and as bytes, one by one and in a batch, against what `leat predict` said of them."""
import csv
import sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, model, rows_file, predictions_file = sys.argv[1:5]
rows = list(csv.DictReader(open(rows_file)))[:200]
want = [float(r["p_yes"]) for r in csv.DictReader(open(predictions_file))][:200]
checks = 0


def check(what, ok):
    global checks
    if not ok:
        sys.exit(f"FAIL {what}")
    checks += 1


c = http.InferenceServerClient(url=address)
check("live", c.is_server_live())
check("ready", c.is_server_ready())
check("model ready", c.is_model_ready(model))
check("server metadata", "binary_tensor_data" in c.get_server_metadata()["extensions"])
meta = c.get_model_metadata(model)
version = meta["versions"][0]
check("model metadata", meta["name"] == model and len(meta["inputs"]) == 9 and meta["outputs"][0]["shape"] == [-1, 2])
check("metadata of a version", c.get_model_metadata(model, version) == meta)


def inputs(part, binary):
    out = []
    for column in meta["inputs"]:
        kind = column["datatype"]
        values = [r[column["name"]] for r in part]
        if kind == "BYTES":
            data = np.array([v.encode() for v in values], dtype=np.object_)
        else:
            data = np.array([float(v) if v else np.nan for v in values], dtype=np.float64)
        if not binary and kind != "BYTES":
            data = np.nan_to_num(data)  # NaN is no JSON; the rows below that have none are compared
        t = http.InferInput(column["name"], list(data.shape), kind)
        t.set_data_from_numpy(data, binary_data=binary)
        out.append(t)
    return out


def close(a, b):
    return abs(float(a) - b) <= 2e-6 + 1e-5 * abs(b)


result = c.infer(model, inputs(rows, True), request_id="a \"quoted\" id")
p = result.as_numpy("probability")
check("binary in, binary out: shape", p.shape == (len(rows), 2))
check("binary: as leat predict", all(close(p[i][1], want[i]) for i in range(len(rows))))
check("rows sum up to 1", np.allclose(p.sum(axis=1), 1))
labels = result.as_numpy("label")
check("labels", all((labels[i] == b"yes") == (p[i][1] >= .5) for i in range(len(rows))))
check("id comes back", result.get_response()["id"] == "a \"quoted\" id")
outs = [http.InferRequestedOutput("label", binary_data=False), http.InferRequestedOutput("probability", binary_data=False)]
whole = [r for r in rows if all(r.values())]
index = [i for i, r in enumerate(rows) if all(r.values())]
result = c.infer(model, inputs(whole, False), outputs=outs, model_version=version)
q = result.as_numpy("probability")
check("JSON in, JSON out: as leat predict", all(close(q[k][1], want[i]) for k, i in enumerate(index)))
check("outputs in the order asked for", [o["name"] for o in result.get_response()["outputs"]] == ["label", "probability"])
for i in range(20):
    one = c.infer(model, inputs(rows[i:i + 1], True)).as_numpy("probability")
    check("one row equals the batch", close(one[0][1], float(p[i][1])))
stats = c.get_inference_statistics(model)["model_stats"][0]
check("statistics", stats["inference_count"] >= 420 - len(rows) + len(whole) - 200 and stats["execution_count"] >= 22)


def refused(what, word, make):
    try:
        make()
    except InferenceServerException as e:
        check(f"{what}: {e.message()}", word in e.message())
        return
    sys.exit(f"FAIL {what}: it was answered")


def wrong(name, shape, kind, data):
    t = http.InferInput(name, shape, kind)
    t.set_data_from_numpy(data)
    return inputs(rows[:1], True)[1:] + [t]


refused("unknown model", "no model", lambda: c.infer("nobody", inputs(rows[:1], True)))
refused("unknown version", "not served", lambda: c.infer(model, inputs(rows[:1], True), model_version="999999"))
refused("missing input", "is missing", lambda: c.infer(model, inputs(rows[:1], True)[1:]))
refused("unknown input", "no input", lambda: c.infer(model, wrong("rigion", [1], "BYTES", np.array([b"a"], dtype=np.object_))))
refused("wrong type", "expected BYTES", lambda: c.infer(model, wrong("region", [1], "FP32", np.array([1], dtype=np.float32))))
refused("wrong rows", "rows", lambda: c.infer(model, wrong("region", [2], "BYTES", np.array([b"a", b"b"], dtype=np.object_))))
refused("unknown output", "no output", lambda: c.infer(model, inputs(rows[:1], True), outputs=[http.InferRequestedOutput("odds")]))
print(f"client: {checks} checks")
