#!/usr/bin/env python3
"""Trains and predicts from Python: from lists, then from a CSV file with text, categories and blanks.

    python3 train_predict.py [path/to/libleat.so]
"""
import math
import os
import random
import sys
import tempfile

import leatpy


def from_lists(rt):
    rnd = random.Random(1)
    x = [[rnd.gauss(0, 1) for _ in range(4)] for _ in range(500)]
    y = [1 if r[0] - 2 * r[1] + rnd.gauss(0, 0.3) > 0 else 0 for r in x]
    model = rt.trainer("model/linear").set_data(rt.dataset(x, y)).fit()
    predictor = model.predictor()
    p = predictor.run(x)
    scores = rt.metrics("auc,accuracy").update(p, y).values()
    print(f"lists: {model.text('task')}, AUC {scores['auc']:.4f}, accuracy {scores['accuracy']:.3f}")
    weights = model.numbers("weights")
    print("weights:", " ".join(f"{model.text(f'feature:{j}')}={w:+.2f}" for j, w in enumerate(weights)))
    assert scores["auc"] > 0.97 and len(weights) == 4 and weights[0] > 0 > weights[1]
    for i in range(20):  # one row is what the batch says
        assert math.isclose(predictor.one(x[i]), p[i], rel_tol=1e-6)


def write_churn(path, rows=800):
    rnd = random.Random(2)
    with open(path, "w", encoding="utf-8") as f:
        f.write("customer,months,charge,contract,note,churn\n")
        for i in range(rows):
            months, charge = rnd.randrange(1, 72), rnd.uniform(20, 110)
            contract = rnd.choice(["monthly", "one year", "two years"])
            note = rnd.choice(["slow line", "", "happy", "called twice, moved house"])
            z = 1.5 * (contract == "monthly") - months / 24 + charge / 60 - 0.8 + rnd.gauss(0, 0.8)
            blank = "" if rnd.random() < 0.05 else f"{charge:.2f}"
            f.write(f'C{i:04d},{months},{blank},{contract},"{note}",{"yes" if z > 0 else "no"}\n')


def from_csv(rt, folder):
    csv, package, checkpoint = (os.path.join(folder, n) for n in ("churn.csv", "churn.leat", "churn.ckpt"))
    write_churn(csv)
    data = rt.open(csv, target="churn", key="customer", text="note")
    rows, _ = data.shape()
    train, test = data.slice(0, 600), data.slice(600, rows - 600)
    trainer = rt.trainer("model/linear", l2=1.0).set_data(train)
    trainer.step()
    trainer.save(checkpoint)  # stopped here, and gone on with from the file
    trainer = rt.resume(checkpoint).set_data(train)
    done = False
    while not done:
        done, iteration, loss = trainer.step()
    trainer.snapshot().save(package)
    model = rt.load(package)
    print(f"csv: {iteration} iterations, loss {loss:.4f}, {os.path.getsize(package)} bytes, classes",
          [model.text(f"class:{k}") for k in range(model.number("n_classes"))])
    predictor = model.predictor()
    p = predictor.run_dataset(test)
    with open(csv, encoding="utf-8") as f:
        y = [int(line.rstrip().endswith(",yes")) for line in f.readlines()[601:]]
    scores = rt.metrics("auc,loss").update(p, y).values()
    print(f"csv: AUC {scores['auc']:.4f}, log-loss {scores['loss']:.4f}")
    assert scores["auc"] > 0.85 and all(0 < v < 1 for v in p)
    stays = predictor.one_text(["70", "25.5", "two years", "happy"])
    leaves = predictor.one_text(["1", None, "monthly", "slow line"])
    print(f"csv: P(churn) {stays:.3f} for a customer of 70 months, {leaves:.3f} for a new one")
    assert stays < 0.2 < 0.5 < leaves


def errors(rt, folder):
    """A failed call is an exception with the library's sentence; nothing else happens."""
    for call, word in ((lambda: rt.open(os.path.join(folder, "churn.csv"), target="chrun"), "churn"),
                       (lambda: rt.trainer("model/linear", l2=-1), "l2"),
                       (lambda: rt.load(os.path.join(folder, "none.leat")), "none.leat"),
                       (lambda: rt.params("model/linaer"), "model/linear")):
        try:
            call()
        except leatpy.LeatError as e:
            print("error:", e)
            assert e.code < 0 and word in str(e), (word, str(e))
        else:
            raise AssertionError("no error was raised")


def any_order(rt):
    """Handles are freed in every order: children keep their parents."""
    rnd = random.Random(3)
    for _ in range(100):
        x = [[rnd.random()] for _ in range(30)]
        d = rt.dataset(x, [int(v[0] > 0.5) for v in x])
        t = rt.trainer().set_data(d)
        m = t.fit()
        handles = [d, t, m, m.predictor(), m.schema()]
        rnd.shuffle(handles)
        for h in handles:
            h.close()


def main():
    leatpy.load(sys.argv[1] if len(sys.argv) > 1 else None)
    print("leat", leatpy.version())
    rt = leatpy.Runtime(threads=2)
    from_lists(rt)
    with tempfile.TemporaryDirectory() as folder:
        from_csv(rt, folder)
        errors(rt, folder)
    any_order(rt)
    print("parameters of model/linear:", ", ".join(f"{n}={d}" for n, d, _ in rt.params("model/linear").list()))


if __name__ == "__main__":
    main()
