#!/usr/bin/env python3
"""Rows/s of online learning from a file: leat, from the bare loop to the guarded durable learner, beside Vowpal Wabbit.

    bench/bench_online.py [DATA.svm] [--build build] [--runs 3] [--rows 1000000] [--folder FOLDER] [--only NAME,...]

DATA is a svmlight file with indices from 0, 30 of 2^18 features a row; without it `leat generate sparse` makes one. It is
rewritten in VW's text format in FOLDER. All configurations run in turn, RUNS times, each in a process of its own; medians are
printed and ratios of medians. VW (PyPI: vowpalwabbit) is left out where it is not installed. Every run is bound to one core,
but for those with two threads, so that VW's reader thread and its learner share a core as leat's single thread has one. The
rate is rows by seconds of processor time (the fair one on a machine with other work; with two threads: of the wall).
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

VW = """
import json, sys, time
import vowpalwabbit
wall, cpu = time.perf_counter(), time.process_time()
w = vowpalwabbit.Workspace("--loss_function logistic -b 18 --quiet " + sys.argv[1])
w.finish()
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
n = w.get_weighted_examples()
print(json.dumps({"rows": n, "cpu": cpu, "wall": wall, "loss": w.get_sum_loss() / n}))
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", nargs="?")
    p.add_argument("--build", default="build")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--folder")
    p.add_argument("--learner", default="coin", help="the single learner (default: coin)")
    p.add_argument("--only", help="names of configurations, a prefix will do")
    return p.parse_args()


def generate(a, path):
    text = subprocess.run([f"{a.build}/leat", "generate", "sparse", "--rows", str(a.rows), "-q"], check=True,
                          stdout=subprocess.PIPE).stdout
    with open(path, "wb") as f:  # leat's counts from 1
        for line in text.splitlines():
            label, *entries = line.split()
            f.write(label + b"".join(b" %d:%s" % (int(e.split(b":")[0]) - 1, e.split(b":")[1]) for e in entries) + b"\n")


def write_vw(data, path):
    with open(data, "rb") as f, open(path, "wb") as g:
        for line in f:
            label, rest = line.split(b" ", 1)
            g.write((b"1" if label.strip() in (b"1", b"+1") else b"-1") + b" | " + rest)


def command(name, text, cores):
    return name, (["taskset", "-c", "0"] if cores == 1 and shutil.which("taskset") else []) + text


def leat(a, name, learner, data, cores=1, store=None, **more):
    settings = dict(more, threads=cores)
    if not data.endswith(".leat"):
        settings.update(index=0, width=262144)
    if store:
        settings["store"] = store
    return command(name, [f"{a.build}/bench_online", learner, data] + [f"{k}={v}" for k, v in settings.items()], cores)


def configurations(a, data, folder):
    store = os.path.join(folder, "store")
    one, raw = a.learner, {"raw": "true", "errors": "keep", "grow": "true"}
    all_ = [
        leat(a, "single", one, data),
        leat(a, "single, gate+journal+snapshots", one, data, store=store, guard="false"),
        leat(a, "single, everything", one, data, store=store),
        leat(a, "race", "race", data),
        leat(a, "race, everything", "race", data, store=store),
        leat(a, "race, everything, raw lines kept", "race", data, store=store, **raw),
        leat(a, "race, 2 threads", "race", data, cores=2),
        leat(a, "race, everything, 2 threads", "race", data, cores=2, store=store),
    ]
    binary = os.path.join(folder, "data.leat")
    if os.path.exists(binary):
        all_ += [leat(a, "single, binary", one, binary), leat(a, "race, binary", "race", binary)]
    try:
        import vowpalwabbit  # noqa: F401
    except ImportError:
        print("vowpalwabbit is not installed: leat alone", file=sys.stderr)
        return all_
    text, cache = os.path.join(folder, "data.vw"), os.path.join(folder, "vw.cache")
    if not os.path.exists(text):
        write_vw(data, text)
    if not os.path.exists(cache):
        subprocess.run([sys.executable, "-c", VW, f"-d {text} --cache_file {cache}"], check=True, stdout=subprocess.DEVNULL)
    return [
        command("VW default", [sys.executable, "-c", VW, f"-d {text}"], 1),
        command("VW default, cache", [sys.executable, "-c", VW, f"-d {text} --cache_file {cache}"], 1),
        command("VW --coin", [sys.executable, "-c", VW, f"-d {text} --coin"], 1),
    ] + all_


def run(text, folder):
    shutil.rmtree(os.path.join(folder, "store"), ignore_errors=True)
    out = subprocess.run(text, check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]
    if out.startswith("{"):
        return json.loads(out)
    m = re.match(r"result rows (\S+) cpu (\S+) wall (\S+) loss (\S+)", out)
    return dict(zip(("rows", "cpu", "wall", "loss"), map(float, m.groups())))


def main():
    a = arguments()
    folder = a.folder or tempfile.mkdtemp(prefix="bench_online.")
    os.makedirs(folder, exist_ok=True)
    data = a.data
    if not data:
        data = os.path.join(folder, "data.svm")
        if not os.path.exists(data):
            generate(a, data)
    todo = configurations(a, data, folder)
    if a.only:
        todo = [t for t in todo if any(t[0].startswith(o) for o in a.only.split(","))]
    results = {name: [] for name, _ in todo}
    for k in range(a.runs):
        for name, text in todo:
            results[name].append(run(text, folder))
        print(f"round {k + 1} of {a.runs}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    middle = {n: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for n, rs in results.items()}
    rate = {n: m["rows"] / (m["wall"] if "2 threads" in n else m["cpu"]) for n, m in middle.items()}
    print(f"{'':36} {'rows/s':>9} {'cpu s':>7} {'range':>13} {'wall s':>7} {'loss':>7} {'x VW':>6} {'x cache':>7}")
    for n, m in middle.items():
        c = [r["cpu"] for r in results[n]]
        over = [rate[n] / rate[p] if p in rate else float("nan") for p in ("VW default", "VW default, cache")]
        print(f"{n:36} {rate[n]:9.0f} {m['cpu']:7.2f} {min(c):6.2f}-{max(c):6.2f} {m['wall']:7.2f} {m['loss']:7.4f} {over[0]:6.2f} {over[1]:7.2f}")
    if not a.folder:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
