#!/usr/bin/env python3
"""Time to train a sparse logistic regression (or hinge) to 0.1 % of the optimum: leat beside liblinear, in one process.

    bench/bench_sparse.py [--lib build/libleat.so] [--rows 1000000] [--bits 18] [--nnz 30] [--repeats 3] [--threads 1,2]
                          [--solvers auto,dual] [--loss logistic]

Rows of --nnz standard normal numbers in slots that are drawn evenly from 2^bits, labels from the model of a drawn weight
vector. Data lie in memory before the clock starts, as each takes them: CSR for leat (its time is set_data + fit), liblinear's
own nodes for liblinear (its time is train()). Each takes the loosest tolerance that reaches 0.1 % of the optimum (those
that --search finds on the default data), which is the least value that leat sees at a tight one. No intercept, l2 = 1 / C = 1. Rounds are interleaved; medians of wall and processor's time.
Needs numpy, scipy and liblinear.so (Debian: liblinear4).
"""
import argparse
import ctypes
import time

import numpy as np
import scipy.sparse as sp
from bench_train import Error, Leat, Matrix, Options


class Csr(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64), ("row_start", ctypes.c_void_p), ("index", ctypes.c_void_p),
                ("value", ctypes.c_void_p), ("rows", ctypes.c_int64), ("cols", ctypes.c_int64), ("dtype", ctypes.c_int64),
                ("flags", ctypes.c_uint64)]


class LeatSparse(Leat):
    def __init__(self, path, threads, x, y):
        self.c = ctypes.CDLL(path)
        self.err = Error(struct_size=ctypes.sizeof(Error))
        self.rt, self.data = ctypes.c_void_p(), ctypes.c_void_p()
        o = Options(struct_size=ctypes.sizeof(Options), n_threads=threads)
        self.call("leat_runtime_create", ctypes.byref(o), ctypes.byref(self.rt))
        self.keep = (np.ascontiguousarray(x.indptr, np.int64), np.ascontiguousarray(x.indices, np.int32),
                     np.ascontiguousarray(x.data, np.float32), np.ascontiguousarray(y, np.float64))
        start, index, value, target = self.keep
        mx = Csr(struct_size=ctypes.sizeof(Csr), row_start=start.ctypes.data, index=index.ctypes.data,
                 value=value.ctypes.data, rows=x.shape[0], cols=x.shape[1], dtype=1)
        my = Matrix(struct_size=ctypes.sizeof(Matrix), data=target.ctypes.data, rows=len(y), cols=1, dtype=2)
        self.call("leat_dataset_from_csr", self.rt, None, ctypes.byref(mx), ctypes.byref(my), None, ctypes.byref(self.data))
        self.cols = x.shape[1]


class Problem(ctypes.Structure):
    _fields_ = [("l", ctypes.c_int), ("n", ctypes.c_int), ("y", ctypes.c_void_p), ("x", ctypes.c_void_p),
                ("bias", ctypes.c_double)]


class Parameter(ctypes.Structure):
    _fields_ = [("solver_type", ctypes.c_int), ("eps", ctypes.c_double), ("C", ctypes.c_double), ("nr_weight", ctypes.c_int),
                ("weight_label", ctypes.c_void_p), ("weight", ctypes.c_void_p), ("p", ctypes.c_double),
                ("init_sol", ctypes.c_void_p)]  # as of liblinear 2.30 (Debian's)


class Model(ctypes.Structure):
    _fields_ = [("param", Parameter), ("nr_class", ctypes.c_int), ("nr_feature", ctypes.c_int),
                ("w", ctypes.POINTER(ctypes.c_double)), ("label", ctypes.POINTER(ctypes.c_int)), ("bias", ctypes.c_double)]


class Liblinear:
    def __init__(self, x, y):
        self.c = ctypes.CDLL("liblinear.so.4")
        self.c.train.restype = ctypes.POINTER(Model)
        self.quiet = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda s: None)
        self.c.set_print_string_function(self.quiet)
        rows = x.shape[0]
        counts = np.diff(x.indptr)
        nodes = np.zeros(x.nnz + rows, dtype=np.dtype([("index", np.int32), ("value", np.float64)], align=True))
        place = np.arange(x.nnz) + np.repeat(np.arange(rows), counts)
        nodes["index"] = -1
        nodes["index"][place] = x.indices + 1
        nodes["value"][place] = x.data
        self.nodes, self.y = nodes, np.where(y > 0, 1.0, -1.0)
        self.starts = nodes.ctypes.data + (x.indptr[:-1].astype(np.int64) + np.arange(rows)) * nodes.itemsize
        self.problem = Problem(rows, x.shape[1], self.y.ctypes.data, self.starts.ctypes.data, -1)

    def fit(self, solver, eps):
        p = Parameter(solver_type=solver, eps=eps, C=1, p=0.1)
        begun, cpu = time.perf_counter(), time.process_time()
        m = self.c.train(ctypes.byref(self.problem), ctypes.byref(p))
        seconds = time.perf_counter() - begun, time.process_time() - cpu
        w = np.ctypeslib.as_array(m.contents.w, (self.problem.n,)) * (1 if m.contents.label[0] == 1 else -1)
        self.c.free_and_destroy_model(ctypes.byref(m))
        return seconds, w


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--lib", default="build/libleat.so")
    a.add_argument("--rows", type=int, default=1000000)
    a.add_argument("--bits", type=int, default=18)
    a.add_argument("--nnz", type=int, default=30)
    a.add_argument("--repeats", type=int, default=3)
    a.add_argument("--threads", default="1,2")
    a.add_argument("--solvers", default="auto")
    a.add_argument("--loss", default="logistic", choices=["logistic", "hinge", "squared_hinge"])
    a.add_argument("--dual", action="store_true", help="liblinear's dual solver too")
    a.add_argument("--search", action="store_true", help="find the loosest tolerances that reach 0.1 %% again")
    a = a.parse_args()
    rng = np.random.default_rng(0)
    width = 1 << a.bits
    index = np.sort(rng.integers(0, width, (a.rows, a.nnz), dtype=np.int32), axis=1).ravel()
    x = sp.csr_matrix((rng.standard_normal(a.rows * a.nnz, dtype=np.float32), index, np.arange(a.rows + 1) * a.nnz),
                      shape=(a.rows, width))
    x.sum_duplicates()
    true = rng.standard_normal(width).astype(np.float32) * 0.5
    y = (rng.random(a.rows) < 1 / (1 + np.exp(-(x @ true)))).astype(np.float64)
    sign = np.where(y > 0, 1.0, -1.0)
    loss = {"logistic": lambda m: np.logaddexp(0, -m), "hinge": lambda m: np.maximum(0, 1 - m),
            "squared_hinge": lambda m: np.maximum(0, 1 - m) ** 2}[a.loss]

    def objective(w):
        return loss(sign * (x @ w)).sum() + 0.5 * (w @ w)

    peers = {"logistic": (0, 7), "hinge": (3,), "squared_hinge": (2, 1)}[a.loss][:2 if a.dual else 1]
    linear = Liblinear(x, y)
    base = dict(l2=1, standardize="no", intercept="no", loss=a.loss)
    runs = {}
    leats = {t: LeatSparse(a.lib, t, x, y) for t in (int(t) for t in a.threads.split(","))}
    first = leats[min(leats)]
    best = min(objective(first.fit(**base, tolerance=1e-6, solver=s)[1]) for s in a.solvers.split(","))
    print(f"{a.rows} x 2^{a.bits}, {a.nnz} a row, {a.loss}, optimum {best:.4f}", flush=True)
    for s in a.solvers.split(","):
        for tol in ("1e-1", "3e-2", "1e-2", "1e-3", "1e-4", "1e-5") if a.search else ("1e-2",):
            if a.search and objective(first.fit(**base, tolerance=tol, solver=s)[1]) <= best * 1.001:
                break
        for t, leat in leats.items():
            runs[f"leat {s} tol {tol}, {t} threads"] = (
                lambda leat, s, tol: lambda: leat.fit(**base, tolerance=tol, solver=s)[:2])(leat, s, tol)
    for k in peers:
        for eps in (1, 0.3, 0.1, 0.03, 0.01, 0.001) if a.search else (0.03,):
            if a.search and objective(linear.fit(k, eps)[1]) <= best * 1.001:
                break
        runs[f"liblinear -s {k} -e {eps}"] = (lambda k, eps: lambda: linear.fit(k, eps))(k, eps)
    times, gaps = {n: [] for n in runs}, {}
    for _ in range(a.repeats):
        for name, run in runs.items():
            s, w = run()
            times[name].append(s)
            gaps[name] = objective(w) / best - 1
    for name, t in times.items():
        wall, cpu = np.median(t, axis=0)
        print(f"  {name:34s} wall {wall:7.3f} s   processor {cpu:7.3f} s   above the optimum by {gaps[name]:.1e}")


if __name__ == "__main__":
    main()
