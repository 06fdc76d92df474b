#!/usr/bin/env python3
"""Time to read text into memory: leat beside pandas' C engine, XGBoost's readers and scikit-learn's.

    bench/bench_readers.py [--lib build/libleat.so] [--rows 500000] [--repeats 5] [--threads 2] [--folder FOLDER]

Writes a CSV of ROWS x 30 random numbers and a label (128 MB at 500 000 rows) and a svmlight file of ROWS x 30 non-zeros
of 2^18 (232 MB), reads each once to warm the page cache, then REPEATS times with every reader in turn. leat maps the
file (map=1) and infers kinds; pandas gets engine="c"; XGBoost builds a DMatrix with as many threads. Medians are printed,
and ratios of medians; the processor time of all threads says more where the machine is busy. Peers that are not installed are left out. Needs numpy.
"""
import argparse
import ctypes
import os
import statistics
import tempfile
import time

import numpy as np


class Error(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64), ("code", ctypes.c_int32), ("os_code", ctypes.c_int32),
                ("detail", ctypes.c_int64 * 4), ("message", ctypes.c_char * 464)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64)] + [(n, ctypes.c_void_p) for n in (
        "allocator", "files", "clock", "executor", "log", "cache_folder")] + [(n, ctypes.c_int64) for n in (
            "n_threads", "log_level", "log_bytes", "load_budget_bytes")] + [("flags", ctypes.c_uint64)]


class Leat:
    def __init__(self, path, threads):
        self.c = ctypes.CDLL(path)
        for name in ("leat_dataset_free", "leat_params_free"):
            getattr(self.c, name).argtypes = [ctypes.c_void_p]
        self.err = Error(struct_size=ctypes.sizeof(Error))
        self.rt = ctypes.c_void_p()
        o = Options(struct_size=ctypes.sizeof(Options), n_threads=threads)
        self.call("leat_runtime_create", ctypes.byref(o), ctypes.byref(self.rt))

    def call(self, name, *args):
        if getattr(self.c, name)(*args, ctypes.byref(self.err)):
            raise RuntimeError(self.err.message.decode())

    def read(self, path, spec, **settings):
        p, d = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("leat_params_create", self.rt, spec.encode(), ctypes.byref(p))
        for k, v in settings.items():
            self.call("leat_params_set_text", p, k.encode(), str(v).encode())
        t = time.perf_counter()
        self.call("leat_dataset_open", self.rt, None, path.encode(), p, ctypes.byref(d))
        t = time.perf_counter() - t
        rows, cols = ctypes.c_int64(), ctypes.c_int64()
        self.call("leat_dataset_shape", d, ctypes.byref(rows), ctypes.byref(cols))
        self.c.leat_dataset_free(d)
        self.c.leat_params_free(p)
        self.shape = rows.value, cols.value
        return t


def write_files(folder, rows):
    csv, svm = os.path.join(folder, "dense.csv"), os.path.join(folder, "sparse.svm")
    rng = np.random.default_rng(1)
    with open(csv, "w") as f, open(svm, "w") as g:
        f.write("y," + ",".join(f"x{i}" for i in range(30)) + "\n")
        for start in range(0, rows, 10000):
            n = min(10000, rows - start)
            x = rng.standard_normal((n, 30))
            index = np.sort(rng.integers(1, 1 << 18, (n, 30)), axis=1)
            for r in range(n):
                y = int(x[r, 0] > 0)
                f.write(f"{y}," + ",".join("%.5f" % v for v in x[r]) + "\n")
                seen = dict(zip(index[r].tolist(), x[r]))  # an index comes once a row
                g.write(str(y) + "".join(" %d:%.5f" % kv for kv in sorted(seen.items())) + "\n")
    return csv, svm


def readers(leat, csv, svm, threads):
    out = {"csv": {"leat": lambda: leat.read(csv, "reader/csv", target="y", map=1)},
           "svmlight": {"leat": lambda: leat.read(svm, "reader/svmlight", map=1)}}

    def timed(make):
        def run():
            t = time.perf_counter()
            made = make()
            t = time.perf_counter() - t
            del made
            return t
        return run
    try:
        import pandas
        out["csv"]["pandas " + pandas.__version__] = timed(lambda: pandas.read_csv(csv, engine="c"))
    except ImportError:
        pass
    try:
        import xgboost
        xgboost.set_config(verbosity=0)
        name = "xgboost " + xgboost.__version__
        out["csv"][name] = timed(lambda: xgboost.DMatrix(csv + "?format=csv&label_column=0", nthread=threads))
        out["svmlight"][name] = timed(lambda: xgboost.DMatrix(svm + "?format=libsvm", nthread=threads))
    except ImportError:
        pass
    try:
        import sklearn
        from sklearn.datasets import load_svmlight_file
        out["svmlight"]["sklearn " + sklearn.__version__] = timed(lambda: load_svmlight_file(svm))
    except ImportError:
        pass
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--lib", default="build/libleat.so")
    a.add_argument("--rows", type=int, default=500000)
    a.add_argument("--repeats", type=int, default=5)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--folder", help="where the files are made, or are from a run before")
    a = a.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = a.folder or made
        csv, svm = os.path.join(folder, "dense.csv"), os.path.join(folder, "sparse.svm")
        if not (os.path.exists(csv) and os.path.exists(svm)):
            csv, svm = write_files(folder, a.rows)
        leat = Leat(os.path.abspath(a.lib), a.threads)
        for kind, each in readers(leat, csv, svm, a.threads).items():
            size = os.path.getsize(csv if kind == "csv" else svm) / 1e6
            times, cpus = {name: [] for name in each}, {}
            for k in range(a.repeats + 1):
                for name, run in list(each.items()):
                    try:
                        cpu = time.process_time()
                        t = run()
                        cpu = time.process_time() - cpu
                    except Exception as e:  # a peer of another version may not read files any more
                        print(f"{kind}: {name}: {str(e).splitlines()[0]}")
                        del each[name], times[name]
                        continue
                    if k:
                        times[name].append(t)
                        cpus.setdefault(name, []).append(cpu)
            print(f"{kind}, {size:.0f} MB, {a.threads} threads, median of {a.repeats}")
            best = statistics.median(times["leat"])
            for name, t in times.items():
                m = statistics.median(t)
                print(f"  {name:16} {m:7.3f} s  [{min(t):.3f} .. {max(t):.3f}]  {size / m:7.0f} MB/s, processor time "
                      f"{statistics.median(cpus[name]):.3f} s"
                      + ("" if name == "leat" else f"  leat is {m / best:.1f} times as fast"))


if __name__ == "__main__":
    main()
