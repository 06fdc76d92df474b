#!/usr/bin/env python3
"""The online network beside the linear race and beside Vowpal Wabbit's --nn: quality and rows/s, one pass, test then train.

    bench/bench_online_mlp.py DATA.csv TARGET [--ignore A,B] [--categorical A,B] [--nn 10,32] [--runs 3] [--build build]

A target of two values is a class, any other a number. VW (PyPI: vowpalwabbit) is left out where it is not installed; it gets
the same columns as text, numbers by name, categories as words, and otherwise its defaults. Every run is a process of its own, all
run in turn RUNS times; rows by seconds of processor time, reading included, medians. Quality of VW is that of the predictions
which it writes (-p) in a run that is not timed.
"""
import argparse
import csv
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile

VW = """
import json, sys, time
import vowpalwabbit
cpu = time.process_time()
w = vowpalwabbit.Workspace("-b 18 --quiet " + sys.argv[1])
w.finish()
print(json.dumps({"rows": w.get_weighted_examples(), "cpu": time.process_time() - cpu}))
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("target")
    p.add_argument("--ignore", default="")
    p.add_argument("--categorical", default="")
    p.add_argument("--nn", default="10")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--build", default="build")
    return p.parse_args()


def number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def write_vw(a, path):
    """VW's text of the file; the labels, and whether they are classes."""
    with open(a.data, newline="") as f:
        rows = list(csv.DictReader(f))
    ignore, words = set(a.ignore.split(",")), set(a.categorical.split(","))
    labels = [r[a.target] for r in rows]
    names = sorted(set(labels))
    classes = len(names) == 2
    y = [float(names.index(v)) if classes else float(v) for v in labels]
    columns = [c for c in rows[0] if c != a.target and c not in ignore]
    with open(path, "w") as f:
        for r, v in zip(rows, y):
            parts = [f"{c}={r[c]}" if c in words or not number(r[c]) else f"{c}:{r[c]}" for c in columns]
            f.write(f"{(1 if v else -1) if classes else v:g} | {' '.join(p.replace(' ', '_') for p in parts)}\n")
    return y, classes


def vw(arguments_):
    out = subprocess.run([sys.executable, "-c", VW, arguments_], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def vw_quality(command, folder, y, classes):
    path = os.path.join(folder, "predictions")
    vw(f"{command} -p {path}" + (" --link logistic" if classes else ""))
    p = [float(line.split()[0]) for line in open(path)]
    if classes:
        loss = -sum(math.log(max(1e-12, q if v else 1 - q)) for q, v in zip(p, y)) / len(y)
        return {"loss": loss, "accuracy": sum((q >= 0.5) == (v > 0.5) for q, v in zip(p, y)) / len(y)}
    mean = statistics.fmean(y)
    mse = sum((q - v) ** 2 for q, v in zip(p, y)) / len(y)
    return {"loss": mse, "r2": 1 - mse / statistics.fmean((v - mean) ** 2 for v in y)}


def leat(a, learner):
    more = [f"target={a.target}"] + [f"{k}={v}" for k, v in (("ignore", a.ignore), ("categorical", a.categorical)) if v]
    out = subprocess.run([f"{a.build}/bench_online", learner, a.data] + more, check=True, stdout=subprocess.PIPE, text=True).stdout
    got = dict(re.findall(r"(loss|accuracy|r2) (\S+)", next(l for l in out.splitlines() if l.startswith("all"))))
    m = re.search(r"result rows (\S+) cpu (\S+)", out)
    return {k: float(v) for k, v in got.items()} | {"rows": float(m[1]), "cpu": float(m[2])}


def main():
    a = arguments()
    with tempfile.TemporaryDirectory(prefix="bench_online_mlp.") as folder:
        text, todo, quality = os.path.join(folder, "data.vw"), {}, {}
        y, classes = write_vw(a, text)
        try:
            import vowpalwabbit  # noqa: F401
            base = f"-d {text}" + (" --loss_function logistic" if classes else "")
            for name, more in [("VW", "")] + [(f"VW --nn {n}", f" --nn {n}") for n in a.nn.split(",")]:
                todo[name] = lambda c=base + more: vw(c)
                quality[name] = vw_quality(base + more, folder, y, classes)
        except ImportError:
            print("vowpalwabbit is not installed: leat alone", file=sys.stderr)
        for learner in ("race", "mlp", "net"):
            todo[f"leat {learner}"] = lambda l=learner: leat(a, l)
        results = {name: [] for name in todo}
        for _ in range(a.runs):
            for name, call in todo.items():
                results[name].append(call())
    for name, runs in results.items():
        q = quality.get(name, runs[0])
        rate = [r["rows"] / r["cpu"] for r in runs]
        print(f"{name:12} loss {q['loss']:<9.5g} {'accuracy' if classes else 'r2'} {q['accuracy' if classes else 'r2']:.4f}  "
              f"{statistics.median(rate):9.0f} rows/s ({min(rate):.0f}-{max(rate):.0f})")


if __name__ == "__main__":
    main()
