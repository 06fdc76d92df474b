#!/usr/bin/env python3
"""Every loss and penalty of model/linear beside scikit-learn's counterpart on the same rows: the objective that both minimise,
computed here in double at either solution.

Usage: LEAT_DATA_DIR=folder tests/parity/losses.py [--leat build/leat] [NAME...]
Needs numpy, pandas, scikit-learn and the zstd program; exits 77 (skipped) without them, 1 when leat's objective is more
than 1e-4 relative above the peer's.
"""
import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings

try:
    import numpy as np
    import pandas as pd
    from sklearn import linear_model as lm
    from sklearn import svm
    from sklearn.datasets import load_svmlight_file
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
warnings.filterwarnings("ignore")
DATA = os.environ.get("LEAT_DATA_DIR", "")


def plain(name):
    return io.BytesIO(subprocess.run(["zstd", "-dc", os.path.join(DATA, name)], check=True, capture_output=True).stdout)


def bike(rows=None):
    d = pd.read_csv(plain("bike_hour.csv.zst"))
    x = d[["season", "yr", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "hum", "windspeed"]]
    x = x.to_numpy(float)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32).astype(float)
    y = d["cnt"].to_numpy(float)
    return (x, y) if rows is None else (x[:: len(x) // rows], y[:: len(x) // rows])


def a9a():
    x, y = load_svmlight_file(plain("a9a.libsvm.zst"), n_features=123)
    return x.toarray(), (y > 0).astype(float)


def digits():
    from sklearn.datasets import load_digits
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32).astype(float), y.astype(float)


def margin(z, y):
    return np.where(y > 0.5, z, -z)


LOSS = {
    "squared": lambda z, y: 0.5 * (z - y) ** 2,
    "poisson": lambda z, y: np.exp(z) - y * z,
    "logistic": lambda z, y: np.logaddexp(0, -margin(z, y)),
    "hinge": lambda z, y: np.maximum(0, 1 - margin(z, y)),
    "squared_hinge": lambda z, y: np.maximum(0, 1 - margin(z, y)) ** 2,
}


def huber(delta):
    return lambda z, y: np.where(abs(z - y) <= delta, 0.5 * (z - y) ** 2, delta * (abs(z - y) - 0.5 * delta))


def pinball(q):
    return lambda z, y: np.maximum(q * (y - z), (q - 1) * (y - z))


class Run:
    def __init__(self, leat, folder):
        self.leat, self.folder, self.worse = leat, folder, 0

    def fit(self, x, y, settings):
        data, out = os.path.join(self.folder, "d.csv"), os.path.join(self.folder, "m.leat")
        frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
        frame["y"] = y
        frame.to_csv(data, index=False)
        sets = dict({"standardize": "no", "l2": "0"}, **settings)
        task = "regression" if sets["loss"] in ("squared", "huber", "quantile", "poisson") else "multiclass" \
            if sets["loss"] == "softmax" else "binary"
        cmd = [self.leat, "train", data, "--target", "y", "--task", task, "-o", out, "--json", "--quiet", "--threads", "1"]
        cmd += [f"--set={k}={v}" for k, v in sets.items()]
        r = json.loads(subprocess.run(cmd, check=True, capture_output=True).stdout)
        w = json.loads(subprocess.run([self.leat, "inspect", out, "--weights", "--json"], check=True,
                                      capture_output=True).stdout)
        classes = sorted((v["output"] for v in w["intercept"]), key=lambda t: float(t or 0)) if len(w["intercept"]) > 1 else [None]
        pick = [[v for v in w["weights"] if c is None or v["output"] == c] for c in classes]
        b = [v["intercept"] for c in classes for v in w["intercept"] if c is None or v["output"] == c]
        return np.array([[v["weight"] for v in p] for p in pick]), np.array(b), r

    def compare(self, name, x, y, settings, peer, value, close=1e-4):
        begin = time.perf_counter()
        coef, b = peer()
        peer_s = time.perf_counter() - begin
        w, wb, r = self.fit(x, y, settings)
        ours, theirs = value(w, wb), value(np.atleast_2d(coef), np.atleast_1d(b))
        apart = (ours - theirs) / abs(theirs)
        self.worse += not apart <= close
        print(f"{name:24s} leat {ours:.8g} in {r['iterations']} iterations, {r['seconds']:.2f} s   "
              f"peer {theirs:.8g}, {peer_s:.2f} s   leat above by {apart:+.1e}", flush=True)


def objective(loss, x, y, l2=0.0, l1=0.0):
    return lambda w, b: loss(x @ w[0] + b[0], y).sum() + 0.5 * l2 * (w[0] @ w[0]) + l1 * abs(w[0]).sum()


def softmax_objective(x, y, l2, l1=0.0):
    from scipy.special import logsumexp

    def value(w, b):
        z = x @ w.T + b
        return (logsumexp(z, axis=1) - z[np.arange(len(y)), y.astype(int)]).sum() + 0.5 * l2 * (w * w).sum() + l1 * abs(w).sum()
    return value


def numbers(run, want):
    x, y = bike()
    n = len(y)

    def fitted(m):
        m.fit(x, y)
        return m.coef_, m.intercept_
    if want("ridge"):
        run.compare("squared l2=1", x, y, {"loss": "squared", "l2": 1}, lambda: fitted(lm.Ridge(alpha=1)),
                    objective(LOSS["squared"], x, y, 1))
    if want("lasso"):
        run.compare("squared l1", x, y, {"loss": "squared", "l1": 2 * n}, lambda: fitted(lm.Lasso(alpha=2, tol=1e-8)),
                    objective(LOSS["squared"], x, y, 0, 2 * n))
    if want("elastic"):
        run.compare("squared elastic net", x, y, {"loss": "squared", "l1": 0.5 * n, "l2": 0.5 * n},
                    lambda: fitted(lm.ElasticNet(alpha=1, l1_ratio=0.5, tol=1e-8)),
                    objective(LOSS["squared"], x, y, 0.5 * n, 0.5 * n))
    if want("poisson"):
        run.compare("poisson l2", x, y, {"loss": "poisson", "l2": 0.01 * n},
                    lambda: fitted(lm.PoissonRegressor(alpha=0.01, tol=1e-10, max_iter=1000)),
                    objective(LOSS["poisson"], x, y, 0.01 * n))
    if want("huber"):
        m = lm.HuberRegressor(epsilon=1.35, alpha=1e-3, tol=1e-8, max_iter=2000)
        begin = time.perf_counter()
        m.fit(x, y)
        seconds = time.perf_counter() - begin
        delta = 1.35 * m.scale_  # scikit-learn learns the scale too: at its scale the two objectives are one
        l2 = 1e-3 * m.scale_
        run.compare(f"huber ({seconds:.2f} s)", x, y, {"loss": "huber", "huber_delta": repr(float(delta / y.std())), "l2": repr(float(l2))},
                    lambda: (m.coef_, m.intercept_), objective(huber(delta), x, y, l2))
    if want("quantile"):
        for q in (0.1, 0.5, 0.9):
            x, y = bike(2000)
            n = len(y)
            run.compare(f"quantile {q} l1", x, y, {"loss": "quantile", "quantile": q, "l1": 1e-2 * n},
                        lambda: fitted(lm.QuantileRegressor(quantile=q, alpha=1e-2, solver="highs")),
                        objective(pinball(q), x, y, 0, 1e-2 * n))
            run.compare(f"quantile {q} no penalty", x, y, {"loss": "quantile", "quantile": q, "l2": 0},
                        lambda: fitted(lm.QuantileRegressor(quantile=q, alpha=0, solver="highs")),
                        objective(pinball(q), x, y))


def classes(run, want):
    x, y = a9a()

    def fitted(m):
        m.fit(x, y)
        return m.coef_[0], np.atleast_1d(m.intercept_) if np.ndim(m.intercept_) else np.array([m.intercept_])
    none = {"intercept": "no"}
    if want("logistic"):
        run.compare("logistic l2=1", x, y, {"loss": "logistic", "l2": 1},
                    lambda: fitted(lm.LogisticRegression(C=1, solver="newton-cholesky", tol=1e-8)),
                    objective(LOSS["logistic"], x, y, 1))
    if want("logistic_l1"):
        run.compare("logistic l1=1, no bias", x, y, dict(none, loss="logistic", l1=1),
                    lambda: fitted(lm.LogisticRegression(l1_ratio=1, C=1, solver="liblinear", tol=1e-6, max_iter=1000,
                                                         fit_intercept=False)),
                    objective(LOSS["logistic"], x, y, 0, 1))
    if want("logistic_elastic"):
        run.compare("logistic elastic net", x, y, {"loss": "logistic", "l1": 5, "l2": 5},
                    lambda: fitted(lm.LogisticRegression(l1_ratio=0.5, C=0.1, solver="saga", tol=1e-4, max_iter=300)),
                    objective(LOSS["logistic"], x, y, 5, 5))
    if want("hinge"):
        run.compare("hinge l2=1, no bias", x, y, dict(none, loss="hinge", l2=1),
                    lambda: fitted(svm.LinearSVC(loss="hinge", C=1, fit_intercept=False, tol=1e-4, max_iter=20000)),
                    objective(LOSS["hinge"], x, y, 1))
    if want("squared_hinge"):
        run.compare("squared_hinge l2=1", x, y, dict(none, loss="squared_hinge", l2=1),
                    lambda: fitted(svm.LinearSVC(C=1, fit_intercept=False, dual=False, tol=1e-8, max_iter=10000)),
                    objective(LOSS["squared_hinge"], x, y, 1))
    if want("squared_hinge_l1"):
        run.compare("squared_hinge l1=1", x, y, dict(none, loss="squared_hinge", l1=1),
                    lambda: fitted(svm.LinearSVC(penalty="l1", C=1, fit_intercept=False, dual=False, tol=1e-6,
                                                 max_iter=10000)),
                    objective(LOSS["squared_hinge"], x, y, 0, 1))


def softmax(run):
    x, y = digits()
    m = lm.LogisticRegression(C=1, solver="lbfgs", tol=1e-8, max_iter=5000)

    def peer():
        m.fit(x, y)
        return m.coef_, m.intercept_
    run.compare("softmax l2=1 (digits)", x, y, {"loss": "softmax", "l2": 1}, peer, softmax_objective(x, y, 1))


def covtype(rows):
    d = np.loadtxt(plain("covtype_first20k.csv.zst"), delimiter=",", max_rows=rows)
    x = d[:, :-1]
    x = x[:, x.std(0) > 0]
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32).astype(float)
    return x, d[:, -1] - d[:, -1].min()


def softmax_l1(run):
    for name, (x, y), l1, l2, iterations in (("digits", digits(), 1, 0, 3000), ("digits", digits(), 2, 2, 3000),
                                             ("covtype", covtype(5000), 5, 0, 2000), ("covtype", covtype(5000), 2, 1, 2000)):
        share = l1 / (l1 + l2)
        m = lm.LogisticRegression(C=1 / (l1 + l2), l1_ratio=share, solver="saga", tol=1e-6, max_iter=iterations)

        def peer():
            m.fit(x, y)
            return m.coef_, m.intercept_
        run.compare(f"softmax l1={l1} l2={l2} ({name})", x, y, {"loss": "softmax", "l1": l1, "l2": l2}, peer,
                    softmax_objective(x, y, l2, l1))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--leat", default="build/leat")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    if not DATA:
        print("skipped: LEAT_DATA_DIR is not set")
        sys.exit(77)

    def want(name):
        return not a.names or name in a.names
    with tempfile.TemporaryDirectory() as folder:
        run = Run(a.leat, folder)
        numbers(run, want)
        classes(run, want)
        if want("softmax"):
            softmax(run)
        if want("softmax_l1"):
            softmax_l1(run)
    sys.exit(1 if run.worse else 0)


if __name__ == "__main__":
    main()
