#!/usr/bin/env python3
"""A perceptron 784-512-10 beside PyTorch and ONNX Runtime, on one thread, taking turns: training steps at batch 64 and
predictions. The peers that this interpreter can import are measured.
  bench_mlp.py BUILD_FOLDER [ROUNDS]     (5 rounds; medians, and the median of the rounds' ratios)
"""
import os
import re
import statistics
import subprocess
import sys
import time

for name in ("OMP", "OPENBLAS", "BLIS", "MKL"):
    os.environ[name + "_NUM_THREADS"] = "1"
import numpy as np

build, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
STEPS, SIZES = 938, (1, 32, 256)
rng = np.random.default_rng(1)
X = rng.random((1024, 784), dtype=np.float32)
Y = rng.integers(0, 10, 1024)
results = {}


def note(name, seconds):
    results.setdefault(name, []).append(seconds)


def leat():
    out = subprocess.run([build + "/bench_mlp_step", "1", "1"], capture_output=True, text=True, check=True).stdout
    for kind, seconds in re.findall(r"(SGD|Adam), .*? median ([\d.]+) s", out):
        note(f"leat epoch {kind}", float(seconds))
    out = subprocess.run([build + "/bench_dense", "5"], capture_output=True, text=True, check=True).stdout
    note("read weights", float(re.search(r"read weights.*?median +([\d.]+) us", out).group(1)) * 1e-6)
    for kind, rows, micro in re.findall(r"(f32|8 bits) +(\d+) rows: median +([\d.]+) us", out):
        if int(rows) in SIZES:
            note(f"leat {kind} predict {rows}", float(micro) * 1e-6)


def timed(name, call, calls):
    start = time.perf_counter()
    for _ in range(calls):
        call()
    note(name, (time.perf_counter() - start) / calls)


def torch_rounds():
    import torch
    torch.set_num_threads(1)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    model = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    loss = torch.nn.CrossEntropyLoss()

    def one():
        for kind, optimiser in (("SGD", torch.optim.SGD(model.parameters(), lr=0.05)), ("Adam", torch.optim.Adam(model.parameters()))):
            start = time.perf_counter()
            for step in range(STEPS):
                at = step % 16 * 64
                optimiser.zero_grad()
                loss(model(x[at:at + 64]), y[at:at + 64]).backward()
                optimiser.step()
            note(f"torch {torch.__version__} epoch {kind}", time.perf_counter() - start)
        with torch.inference_mode():
            for rows in SIZES:
                timed(f"torch {torch.__version__} predict {rows}", lambda: model(x[:rows]), 1 + 512 // rows)
    return one


def onnx_rounds():
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper
    w = [rng.standard_normal(s).astype(np.float32) * 0.05 for s in ((784, 512), (512,), (512, 10), (10,))]
    nodes = [helper.make_node("Gemm", ["x", "w0", "w1"], ["h"]), helper.make_node("Relu", ["h"], ["a"]),
             helper.make_node("Gemm", ["a", "w2", "w3"], ["y"])]
    graph = helper.make_graph(nodes, "mlp", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 784])],
                              [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 10])],
                              [numpy_helper.from_array(v, f"w{i}") for i, v in enumerate(w)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def one():
        for rows in SIZES:
            timed(f"onnxruntime {ort.__version__} predict {rows}", lambda: session.run(None, {"x": X[:rows]}), 1 + 512 // rows)
    return one


peers = []
for maker in (torch_rounds, onnx_rounds):
    try:
        peers.append(maker())
    except ImportError as missing:
        print("not measured:", missing)
for _ in range(rounds):
    leat()
    for peer in peers:
        peer()
for name, times in results.items():
    each = statistics.median(times)
    rows = int(name.split()[-1]) if "predict" in name else 0
    print(f"{name:38} {each * 1e6:12.1f} us" + (f" {rows / each:10.0f} rows/s" if rows else ""), end="")
    kind = " ".join(name.split()[-2:])
    for own in (f"leat {kind}", f"leat f32 {kind}", f"leat 8 bits {kind}"):
        if not name.startswith("leat") and own in results:
            ratio = statistics.median(p / o for p, o in zip(times, results[own]))
            print(f"  {ratio:5.2f} x {own}", end="")
    print()
