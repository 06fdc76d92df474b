#!/usr/bin/env python3
"""Expected calibration error (15 equal-width bins of the top label's probability; of P(yes) with two classes) after each
method, on rows that neither the weights nor the calibration have seen: leat beside scikit-learn's CalibratedClassifierCV.

Usage: LEAT_DATA_DIR=folder tests/parity/calibration.py [--leat build/leat]
Needs numpy, pandas, scikit-learn >= 1.8 and the zstd and gzip programs; exits 77 (skipped) without them, 1 when an error of
leat's is more than .005 above scikit-learn's.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    import pandas as pd
    from peers import plain, telco_frame
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.frozen import FrozenEstimator
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import LinearSVC
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
warnings.filterwarnings("ignore")
METHODS = {"none": None, "platt": "sigmoid", "isotonic": "isotonic", "temperature": "temperature"}


def ece(top, hit):
    cell = np.minimum((top * 15).astype(int), 14)
    return sum(abs(hit[cell == k].mean() - top[cell == k].mean()) * (cell == k).mean() for k in range(15) if (cell == k).any())


def error_of(p, y):
    """p [rows, classes], y [rows] codes: (ECE, log loss)."""
    loss = -np.log(np.clip(p[np.arange(len(y)), y], 1e-15, 1)).mean()
    if p.shape[1] == 2:
        return ece(p[:, 1], (y == 1).astype(float)), loss
    return ece(p.max(1), (p.argmax(1) == y).astype(float)), loss


def leat_probabilities(leat, folder, parts, target, labels, settings):
    names = [os.path.join(folder, f"{n}.csv") for n in ("train", "valid", "test")]
    model, out = os.path.join(folder, "m.leat"), os.path.join(folder, "p.csv")
    for name, part in zip(names, parts):
        part.to_csv(name, index=False)
    cmd = [leat, "train", names[0], "--target", target, "--valid", names[1], "-o", model, "--quiet", "--json", "--set=patience=0"]
    subprocess.run(cmd + [f"--set={s}" for s in settings], check=True, capture_output=True)
    subprocess.run([leat, "predict", model, names[2], "-o", out, "--quiet"], check=True, capture_output=True)
    d = pd.read_csv(out)
    return d[[f"p_{v}" for v in labels]].to_numpy()


def compare(a, name, frame, target, labels, sizes, pipeline, loss):
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    cut = np.cumsum(sizes)
    parts = [frame[: cut[0]], frame[cut[0]: cut[1]], frame[cut[1]: cut[2]]]
    code = {v: k for k, v in enumerate(labels)}
    y = [p[target].map(code).to_numpy() for p in parts]
    x = [p.drop(columns=[target]) for p in parts]
    base = pipeline.fit(x[0], y[0])
    worse = 0
    with tempfile.TemporaryDirectory() as folder:
        for ours, theirs in METHODS.items():
            if theirs is None and not hasattr(base, "predict_proba"):
                continue
            peer = base if theirs is None else CalibratedClassifierCV(FrozenEstimator(base), method=theirs).fit(x[1], y[1])
            e, s = error_of(peer.predict_proba(x[2]), y[2])
            p = leat_probabilities(a.leat, folder, parts, target, labels, [f"loss={loss}", f"calibrate={ours}"])
            le, ls = error_of(p, y[2])
            worse += le > e + 0.005
            print(f"{name:22s} {ours:12s} ECE leat {le:.4f} scikit-learn {e:.4f}   log loss leat {ls:.4f} scikit-learn {s:.4f}",
                  flush=True)
    return worse


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--leat", default="build/leat")
    a = p.parse_args()
    if not os.environ.get("LEAT_DATA_DIR"):
        print("skipped: LEAT_DATA_DIR is not set")
        sys.exit(77)
    d = telco_frame().drop(columns=["customerID"])
    numbers = ["tenure", "MonthlyCharges", "TotalCharges", "SeniorCitizen"]
    rest = [c for c in d.columns if c not in numbers + ["Churn"]]

    def columns():
        return make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                                       (OneHotEncoder(handle_unknown="ignore"), rest))
    size = [3000, 2000, 2043]
    worse = compare(a, "telco, logistic", d, "Churn", ["No", "Yes"], size,
                    make_pipeline(columns(), LogisticRegression(max_iter=1000)), "logistic")
    worse += compare(a, "telco, squared hinge", d, "Churn", ["No", "Yes"], size,
                     make_pipeline(columns(), LinearSVC(max_iter=10000)), "squared_hinge")
    c = pd.read_csv(plain("covtype_norm_93k.csv.gz"))
    target = c.columns[-1]
    worse += compare(a, "covtype, softmax", c, target, sorted(c[target].unique()), [20000, 10000, 30000],
                     make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)), "softmax")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
