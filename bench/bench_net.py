#!/usr/bin/env python3
"""model/mlp beside PyTorch, scikit-learn and ONNX Runtime on one machine in one run, alternating: an epoch of 784-512-10 on 60 000
rows in batches of 64, and predictions. Fashion-MNIST from LEAT_DATA_DIR, else made-up images.

Usage: bench/bench_net.py --build BUILD [--runs 5] [--what epoch,predict] [--device NAME]
Peers that are not installed are left out (Debian: python3-torch; PyPI: torch, scikit-learn, onnxruntime and onnx).
An epoch of leat is (time of three epochs - time of one) / 2, so that reading and encoding rows is not counted; the peers' rows are
in memory as float32. Medians.
"""
import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

PEER = r'''
import sys, time, json
import numpy as np
import torch
torch.set_num_threads(int(sys.argv[1]))
kind, images, labels = sys.argv[2:5]
x = torch.from_numpy(np.frombuffer(open(images, "rb").read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255)
y = torch.from_numpy(np.frombuffer(open(labels, "rb").read(), np.uint8, offset=8).astype(np.int64))
net = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
if kind == "predict":
    net.eval()
    out = {}
    with torch.no_grad():
        for rows in (1, 32, 256):
            a, best = x[:rows].contiguous(), []
            for _ in range(41):
                n = max(2000 // rows, 5)
                t = time.perf_counter()
                for _ in range(n): torch.softmax(net(a), 1)
                best.append((time.perf_counter() - t) / n)
            out[rows] = sorted(best)[20]
    print(json.dumps(out))
    sys.exit()
loss = torch.nn.CrossEntropyLoss()
opt = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9) if kind == "sgd" else torch.optim.Adam(net.parameters())
def epoch():
    order = torch.randperm(len(x))
    for i in range(0, len(x), 64):
        k = order[i:i + 64]
        opt.zero_grad()
        loss(net(x[k]), y[k]).backward()
        opt.step()
t = time.perf_counter(); epoch(); print(json.dumps(time.perf_counter() - t))
'''
SKLEARN = r'''
import sys, time, json, warnings
import numpy as np
warnings.filterwarnings("ignore")
from sklearn.neural_network import MLPClassifier
kind, images, labels = sys.argv[2:5]
x = np.frombuffer(open(images, "rb").read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255
y = np.frombuffer(open(labels, "rb").read(), np.uint8, offset=8)
m = MLPClassifier(hidden_layer_sizes=[512], solver=kind, batch_size=64, max_iter=1, learning_rate_init=0.01 if kind == "sgd" else 1e-3, alpha=0)
t = time.perf_counter(); m.fit(x, y); print(json.dumps(time.perf_counter() - t))
'''
ONNX = r'''
import sys, time, json
import numpy as np, onnx, onnxruntime as ort
from onnx import helper as h, numpy_helper as nh, TensorProto as T
r = np.random.default_rng(0)
w = [nh.from_array(r.normal(0, .05, s).astype(np.float32), n) for n, s in (("a", (784, 512)), ("b", (512,)), ("c", (512, 10)), ("d", (10,)))]
g = h.make_graph([h.make_node("Gemm", ["x", "a", "b"], ["p"]), h.make_node("Relu", ["p"], ["q"]), h.make_node("Gemm", ["q", "c", "d"], ["s"]),
                  h.make_node("Softmax", ["s"], ["y"])], "net", [h.make_tensor_value_info("x", T.FLOAT, ["n", 784])],
                 [h.make_tensor_value_info("y", T.FLOAT, ["n", 10])], w)
m = h.make_model(g, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
o = ort.SessionOptions(); o.intra_op_num_threads = int(sys.argv[1]); o.inter_op_num_threads = 1
s = ort.InferenceSession(m.SerializeToString(), o, providers=["CPUExecutionProvider"])
out = {}
for rows in (1, 32, 256):
    a, best = r.random((rows, 784), np.float32), []
    for _ in range(41):
        n = max(2000 // rows, 5)
        t = time.perf_counter()
        for _ in range(n): s.run(None, {"x": a})
        best.append((time.perf_counter() - t) / n)
    out[rows] = sorted(best)[20]
print(json.dumps(out))
'''


def python_with(module):
    for p in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(p) and subprocess.run([p, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return p
    return None


def peer(python, code, threads, *args):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    out = subprocess.run([python, "-c", code, str(threads), *args], capture_output=True, env=env)
    if out.returncode:
        raise SystemExit(out.stderr.decode()[-2000:])
    return json.loads(out.stdout)


def images(folder):
    data = os.environ.get("LEAT_DATA_DIR", "")
    x, y = os.path.join(folder, "images-idx3-ubyte"), os.path.join(folder, "labels-idx1-ubyte")
    source = os.path.join(data, "fashion-train-images-idx3-ubyte.zst")
    if data and os.path.exists(source):
        subprocess.run(["zstd", "-dqf", source, "-o", x], check=True)
        with open(y, "wb") as f:
            f.write(gzip.open(os.path.join(data, "fashion-train-labels-idx1-ubyte.gz")).read())
        return x, y
    r = np.random.default_rng(1)
    labels = r.integers(0, 10, 60000, np.uint8)
    centres = r.integers(0, 200, (10, 784))
    with open(x, "wb") as f:
        f.write(bytes([0, 0, 8, 3]) + np.array([60000, 28, 28], ">i4").tobytes())
        f.write((centres[labels] + r.integers(0, 56, (60000, 784))).astype(np.uint8).tobytes())
    with open(y, "wb") as f:
        f.write(bytes([0, 0, 8, 1]) + np.array([60000], ">i4").tobytes() + labels.tobytes())
    return x, y


def train(args, x, y, optimizer, threads, epochs, out):
    run = [os.path.join(args.build, "leat"), "train", x, "--labels", y, "--model", "mlp", "--set", "layers=512", "--set",
           f"optimizer={optimizer}", "--set", f"max_iterations={epochs}", "--threads", str(threads), "-o", out, "--json", "--quiet"]
    if args.device:
        run += ["--device", args.device]
    return json.loads(subprocess.run(run, check=True, capture_output=True).stdout)["seconds"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--what", default="epoch,predict")
    p.add_argument("--device")
    args = p.parse_args()
    torch, onnx, sk = python_with("torch"), python_with("onnxruntime, onnx"), python_with("sklearn")
    with tempfile.TemporaryDirectory() as folder:
        x, y = images(folder)
        model = os.path.join(folder, "m.leat")
        for optimizer in ("sgd", "adam") if "epoch" in args.what else ():
            t = {}
            for _ in range(args.runs):
                for threads in (1, 2):
                    one = train(args, x, y, optimizer, threads, 1, model)
                    t.setdefault(("leat", threads), []).append((train(args, x, y, optimizer, threads, 3, model) - one) / 2)
                    if torch:
                        t.setdefault(("torch", threads), []).append(peer(torch, PEER, threads, optimizer, x, y))
                if sk:
                    t.setdefault(("scikit-learn", 1), []).append(peer(sk, SKLEARN, 1, optimizer, x, y))
            own = statistics.median(t[("leat", 1)])
            for (who, threads), v in sorted(t.items()):
                m = statistics.median(v)
                print(f"epoch {optimizer:4} {who:12} {threads} thread(s): {m:6.3f} s  [{min(v):.3f}, {max(v):.3f}]  {m / own:5.2f} x leat's one",
                      flush=True)
        if "predict" in args.what:
            train(args, x, y, "sgd", 1, 1, model)
            lines = {}
            for _ in range(args.runs):
                out = subprocess.run([os.path.join(args.build, "bench_net"), model, "0.3"], check=True, capture_output=True)
                for k, v in json.loads(out.stdout).items():
                    lines.setdefault("leat " + k, []).append(v)
                for who, python, code, arg in (("torch", torch, PEER, ["predict", x, y]), ("onnxruntime", onnx, ONNX, [])):
                    if python:
                        for rows, s in peer(python, code, 1, *arg).items():
                            name, v = (f"{who} one_us", 1e6 * s) if rows == "1" else (f"{who} batch_{rows}_rows_per_s", int(rows) / s)
                            lines.setdefault(name, []).append(v)
            for name, v in lines.items():
                print(f"predict {name:36} {statistics.median(v):12.2f}  [{min(v):.2f}, {max(v):.2f}]")


main()
