#!/usr/bin/env python3
"""Recomputes what the parity tests compare with: the peers' results on the same rows.

Usage: LEAT_DATA_DIR=folder tests/parity/peers.py [a9a telco bike covtype agaricus]
Needs numpy, pandas, scikit-learn, and the zstd and gzip programs. a9a's objective is liblinear's, through scikit-learn's
solver 'liblinear' at a tight tolerance and through Newton-Cholesky, which must agree.
"""
import io
import os
import subprocess
import sys

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DATA = os.environ.get("LEAT_DATA_DIR", "")


def plain(name):
    tool = "zstd" if name.endswith(".zst") else "gzip"
    return io.BytesIO(subprocess.run([tool, "-dc", os.path.join(DATA, name)], check=True, capture_output=True).stdout)


def sparse(name, columns, **more):
    x, y = load_svmlight_file(plain(name), n_features=columns, **more)
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)  # what liblinear takes
    return x, y


def objective(w, x, y, l2):
    z = x @ w
    return np.logaddexp(0, -np.where(y > 0, z, -z)).sum() + 0.5 * l2 * (w @ w)


def a9a():
    x, y = sparse("a9a.libsvm.zst", 123)
    xt, yt = sparse("a9a_t.libsvm.zst", 123)
    for solver, tol in (("liblinear", 1e-2), ("liblinear", 1e-9), ("newton-cholesky", 1e-12)):
        m = LogisticRegression(C=1, fit_intercept=False, solver=solver, tol=tol, max_iter=1000).fit(x, y)
        print(f"a9a {solver} tol {tol}: objective {objective(m.coef_[0], x, y, 1):.6f}, "
              f"right {int((m.predict(xt) == yt).sum())} of {len(yt)}")


def telco_frame():
    d = pd.read_csv(plain("telco_churn.csv.zst"))
    d["TotalCharges"] = pd.to_numeric(d["TotalCharges"], errors="coerce")
    return d


def telco():
    from sklearn.impute import SimpleImputer
    d = telco_frame()
    y = (d["Churn"] == "Yes").astype(int).to_numpy()
    d = d.drop(columns=["customerID", "Churn"])
    numbers = ["tenure", "MonthlyCharges", "TotalCharges"]
    for label, num in (("SeniorCitizen as a category", numbers), ("as a number", numbers + ["SeniorCitizen"])):
        rest = [c for c in d.columns if c not in num]
        auc, acc, loss = [], [], []
        for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(d, y):
            t = make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler()), num), (OneHotEncoder(handle_unknown="ignore"), rest))
            m = make_pipeline(t, LogisticRegression(C=1, max_iter=1000, tol=1e-8)).fit(d.iloc[train], y[train])
            p = m.predict_proba(d.iloc[test])[:, 1]
            auc.append(roc_auc_score(y[test], p))
            acc.append(accuracy_score(y[test], p > 0.5))
            loss.append(log_loss(y[test], p))
        print(f"telco, SeniorCitizen {label}: AUC {np.mean(auc):.6f} accuracy {np.mean(acc):.6f} "
              f"log-loss {np.mean(loss):.6f}; folds {' '.join(f'{a:.6f}' for a in auc)}")


def bike():
    d = pd.read_csv(plain("bike_hour.csv.zst"))
    train = (d["dteday"] < "2012-10-01").to_numpy()
    y = d["cnt"].to_numpy(float)
    out = {"instant", "dteday", "casual", "registered", "cnt"}
    cats = ["season", "mnth", "hr", "weekday", "weathersit"]
    sets = {"numbers": ([c for c in d.columns if c not in out], []),
            "season, mnth, hr, weekday, weathersit one-hot": ([c for c in d.columns if c not in out and c not in cats], cats)}
    for name, (numbers, onehot) in sets.items():
        for scale in (False, True):
            parts = [(StandardScaler() if scale else "passthrough", numbers)]
            if onehot:
                parts.append((OneHotEncoder(), onehot))
            m = make_pipeline(make_column_transformer(*parts), Ridge(alpha=1.0)).fit(d[train], y[train])
            p = m.predict(d[~train])
            print(f"bike_hour, {name}, standardised {scale}: {train.sum()} + {(~train).sum()} rows, "
                  f"RMSE {np.sqrt(((p - y[~train]) ** 2).mean()):.6f}")


def covtype():
    d = pd.read_csv(plain("covtype_norm_93k.csv.gz"))
    x, y = d.iloc[:, :-1].to_numpy(float), d.iloc[:, -1].to_numpy(int)
    cut = int(0.8 * len(d))
    for l2 in (1.0,):
        m = LogisticRegression(C=1 / l2, max_iter=2000, tol=1e-6).fit(x[:cut], y[:cut])
        print(f"covtype, first {cut} rows / rest, C {1 / l2}: accuracy {m.score(x[cut:], y[cut:]):.6f}, "
              f"log-loss {log_loss(y[cut:], m.predict_proba(x[cut:])):.6f}")


def agaricus():
    x, y = sparse("agaricus.train.libsvm.zst", 127, zero_based=True)
    xt, yt = sparse("agaricus.test.libsvm.zst", 127, zero_based=True)
    print(f"agaricus: accuracy {LogisticRegression(C=1).fit(x, y).score(xt, yt):.6f}")


if __name__ == "__main__":
    if not DATA:
        sys.exit("set LEAT_DATA_DIR to the folder of the data files")
    for job in sys.argv[1:] or ["a9a", "telco", "bike", "covtype", "agaricus"]:
        globals()[job]()
