#!/usr/bin/env python3
"""model/mlp beside scikit-learn's MLPClassifier and MLPRegressor: the same rows, layers, optimiser, batches and epochs; each with
its own first weights and orders, so the medians over seeds are compared.

Usage: LEAT_DATA_DIR=folder tests/parity/networks.py [--leat build/leat] [--seeds N] [telco|bike|covtype|fashion ...]
Needs numpy, pandas, scikit-learn and the zstd program; exits 77 (skipped) without them, 1 when leat's median is worse than the
peer's by more than the data set's margin (about twice the spread of the peer over seeds).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

try:
    import numpy as np
    import pandas as pd
    from sklearn.metrics import accuracy_score, mean_squared_error, roc_auc_score
    from sklearn.neural_network import MLPClassifier, MLPRegressor
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
warnings.filterwarnings("ignore")
DATA = os.environ.get("LEAT_DATA_DIR", "")


def read(name, **how):
    data = os.path.join(DATA, name)
    if name.endswith(".zst"):
        import io
        data = io.BytesIO(subprocess.run(["zstd", "-dc", data], check=True, capture_output=True).stdout)
    return pd.read_csv(data, **how)


def telco():
    d = read("telco_churn.csv.zst").drop(columns="customerID")
    d["TotalCharges"] = pd.to_numeric(d["TotalCharges"], errors="coerce")
    d = d.sample(frac=1, random_state=0)
    return d[:5634], d[5634:], "Churn", []


def bike():
    d = read("bike_hour.csv.zst")
    early = d["dteday"] < "2012-10-01"
    d = d.drop(columns=["instant", "dteday", "casual", "registered"])
    return d[early], d[~early], "cnt", ["season", "mnth", "hr", "weekday", "weathersit"]


def covtype():
    d = read("covtype_norm_93k.csv.gz")
    d.columns = list(d.columns[:-1]) + ["kind"]
    cut = len(d) * 4 // 5
    return d[:cut], d[cut:], "kind", []


def idx(name, count):
    raw = subprocess.run(["zstd" if name.endswith("zst") else "gzip", "-dc", os.path.join(DATA, name)], check=True,
                         capture_output=True).stdout
    return np.frombuffer(raw, np.uint8, offset=16 if count > 1 else 8).reshape(-1, count)


def fashion():
    out = []
    for part in ("train", "t10k"):
        x = pd.DataFrame(idx(f"fashion-{part}-images-idx3-ubyte.zst", 784), columns=[f"p{i}" for i in range(784)])
        x["label"] = idx(f"fashion-{part}-labels-idx1-ubyte.gz", 1)[:, 0]
        out.append(x)
    return out[0], out[1], "label", []


# data, hidden layers, epochs, batch, metric, margin, larger is better
SETS = {
    "telco": (telco, [16], 10, 64, "auc", 0.004, True),
    "bike": (bike, [64, 64], 20, 64, "rmse", 3.0, False),
    "covtype": (covtype, [64], 8, 128, "accuracy", 0.006, True),
    "fashion": (fashion, [128], 10, 128, "accuracy", 0.005, True),
}


def encode(train, test, target, categories):
    x, z = train.drop(columns=target), test.drop(columns=target)
    names = [c for c in x.columns if not pd.api.types.is_numeric_dtype(x[c]) or c in categories]
    both = pd.get_dummies(pd.concat([x, z]), columns=names, dtype=float)
    both = both.fillna(both[: len(x)].mean())
    a, b = both[: len(x)].to_numpy(float), both[len(x):].to_numpy(float)
    mean, dev = a.mean(0), a.std(0)
    dev[dev == 0] = 1
    return (a - mean) / dev, (b - mean) / dev


def score(metric, y, p):
    if metric == "rmse":
        return mean_squared_error(y, p) ** 0.5
    return roc_auc_score(y, p) if metric == "auc" else accuracy_score(y, p)


def peer(data, layers, epochs, batch, metric, seed):
    x, z, y, t = data
    if metric == "rmse":  # the target's scale is leat's own business, so the peer gets it scaled too
        mean, dev = y.mean(), y.std()
        m = MLPRegressor(hidden_layer_sizes=layers, alpha=0, batch_size=batch, max_iter=epochs, random_state=seed).fit(x, (y - mean) / dev)
        return score(metric, t, m.predict(z) * dev + mean)
    m = MLPClassifier(hidden_layer_sizes=layers, alpha=0, batch_size=batch, max_iter=epochs, random_state=seed).fit(x, y)
    return score(metric, t, m.predict_proba(z)[:, 1] if metric == "auc" else m.predict(z))


def ours(args, folder, target, categories, layers, epochs, batch, metric, seed):
    model = os.path.join(folder, "m.leat")
    more = ["--categorical", ",".join(categories)] if categories else []
    run = [args.leat, "train", os.path.join(folder, "train.csv"), "--target", target, "--model", "mlp", "-o", model, "--quiet",
           "--set", "layers=" + ",".join(map(str, layers)), "--set", f"max_iterations={epochs}", "--set", f"batch_size={batch}",
           "--seed", str(seed), "--threads", "1"] + more
    subprocess.run(run, check=True, capture_output=True)
    out = subprocess.run([args.leat, "evaluate", model, os.path.join(folder, "test.csv"), "--json"], check=True, capture_output=True)
    return json.loads(out.stdout)["metrics"][metric]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--leat", default="build/leat")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    if not DATA:
        print("skipped: LEAT_DATA_DIR is not set")
        return 77
    bad = 0
    for name in args.names or ["telco", "bike", "covtype"]:
        load, layers, epochs, batch, metric, margin, larger = SETS[name]
        train, test, target, categories = load()
        x, z = encode(train, test, target, categories)
        y, t = train[target].to_numpy(), test[target].to_numpy()
        if metric == "auc":
            y, t = (y == "Yes").astype(int), (t == "Yes").astype(int)
        with tempfile.TemporaryDirectory() as folder:
            train.to_csv(os.path.join(folder, "train.csv"), index=False)
            test.to_csv(os.path.join(folder, "test.csv"), index=False)
            begun = time.time()
            a = [ours(args, folder, target, categories, layers, epochs, batch, metric, s) for s in range(args.seeds)]
            middle = time.time()
            b = [peer((x, z, y, t), layers, epochs, batch, metric, s) for s in range(args.seeds)]
            end = time.time()
        worse = statistics.median(b) - statistics.median(a) if larger else statistics.median(a) - statistics.median(b)
        bad += worse > margin
        print(f"{'FAIL' if worse > margin else 'ok  '} {name}: {metric} leat {statistics.median(a):.4f} "
              f"[{min(a):.4f}, {max(a):.4f}], scikit-learn {statistics.median(b):.4f} [{min(b):.4f}, {max(b):.4f}]; "
              f"{middle - begun:.1f} s against {end - middle:.1f} s ({args.seeds} seeds)", flush=True)
    return 1 if bad else 0


sys.exit(main())
