#!/usr/bin/env python3
"""leatarrow.py with real producers and consumers: pyarrow, Polars, DuckDB, pandas, NumPy. What is not installed is skipped.

    python3 test_arrow.py [path/to/libleat.so]          the last line counts: N passed, N failed, N skipped
"""
import gc
import importlib
import os
import random
import sys
import tempfile
import traceback

import leatarrow
import leatpy

ROWS = 20000


def need(*names):
    """The modules, or None."""
    try:
        return [importlib.import_module(n) for n in names]
    except ImportError:
        raise Skip(", ".join(names)) from None


class Skip(Exception):
    pass


def columns(rows=ROWS, seed=1):
    rnd = random.Random(seed)
    x = [[rnd.gauss(0, 1) for _ in range(rows)] for _ in range(3)]
    c = [rnd.choice(["red", "green", "blue"]) for _ in range(rows)]
    i = [rnd.randrange(1000) for _ in range(rows)]
    y = [int(x[0][r] - x[1][r] + (c[r] == "red") + rnd.gauss(0, 0.5) > 0) for r in range(rows)]
    return {"a": x[0], "b": x[1], "noise": x[2], "i": i, "colour": c, "y": y}


def in_use(rt):
    return rt.stat("bytes_in_use")


def buffers(column):
    """Address and size of each chunk's values."""
    return [(c.buffers()[1].address, c.buffers()[1].size) for c in column.chunks]


def no_copy(rt):
    """A table of pyarrow makes a dataset without copying its number columns: by memory, and by addresses on the way back."""
    pa, = need("pyarrow")
    import array
    rnd = random.Random(4)
    rows = 200000
    made = {f"f64_{k}": pa.array(array.array("d", (rnd.random() for _ in range(rows)))) for k in range(4)}
    made["f32"] = made["f64_0"].cast(pa.float32())
    made["i64"] = pa.array(array.array("q", (rnd.randrange(1 << 40) for _ in range(rows))))
    made["i32"] = pa.array(array.array("i", (rnd.randrange(1000) for _ in range(rows))))
    made["u8"] = pa.array(array.array("B", (rnd.randrange(256) for _ in range(rows))))
    table = pa.table(made)
    before = in_use(rt)
    data = leatarrow.dataset(rt, table)
    grown = in_use(rt) - before
    print(f"    {table.nbytes} bytes of numbers, the library took {grown}")
    assert grown < 65536 < table.nbytes // 100
    back = pa.table(leatarrow.rows(data))
    back.validate(full=True)
    assert back.schema.names == table.schema.names and back.schema.types == table.schema.types
    for name in table.column_names:
        assert buffers(back[name]) == buffers(table[name]), name
    data.close()
    del table, made  # what went out still holds what came in
    gc.collect()
    total = sum(x.as_py() for x in back["f64_1"][:1000])
    assert 400 < total < 600
    del back
    gc.collect()
    assert in_use(rt) == before


def slices_and_chunks(rt):
    pa, = need("pyarrow")
    table = pa.table(columns())
    model = rt.trainer("model/linear").set_data(leatarrow.dataset(rt, table, target="y")).fit()
    pieces = pa.concat_tables([table.slice(0, 7), table.slice(7, 9000), table.slice(9007, 1), table.slice(9008)])
    data = leatarrow.dataset(rt, pieces, target="y")
    assert rt.trainer("model/linear").set_data(data).fit().numbers("weights") == model.numbers("weights")
    assert sum(len(buffers(pa.table(leatarrow.rows(data))["a"])) for _ in range(2)) == 8  # chunks stay chunks
    part, rows = leatarrow.dataset(rt, table.slice(100, 50), target="y"), data.slice(100, 50)
    assert pa.table(leatarrow.rows(part)).to_pylist() == pa.table(leatarrow.rows(rows)).to_pylist()
    batch = table.slice(100, 50).to_batches()[0]  # __arrow_c_array__ of a record batch
    array = type("Batch", (), {"__arrow_c_array__": batch.__arrow_c_array__})
    assert leatarrow.dataset(rt, array(), target="y").shape() == (50, part.shape()[1])


def as_csv(rt):
    """The same model from a CSV file and from its table."""
    pa, csv = need("pyarrow", "pyarrow.csv")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.csv")
        csv.write_csv(pa.table(columns(3000)), path)
        one = rt.trainer("model/linear").set_data(rt.open(path, target="y")).fit()
        two = rt.trainer("model/linear").set_data(leatarrow.dataset(rt, csv.read_csv(path), target="y")).fit()
    assert one.numbers("weights") == two.numbers("weights")
    assert one.number("n_classes") == two.number("n_classes") == 2


def types(rt):
    """Every type that has values, with nulls, through the library and back."""
    pa, = need("pyarrow")
    import datetime
    import decimal
    day, moment = datetime.date(2020, 1, 2), datetime.datetime(2021, 3, 4, 5, 6, 7)
    table = pa.table({
        "f": pa.array([1.5, None, -2.0]), "h": pa.array([1.0, None, 3.0], pa.float16()), "i8": pa.array([1, None, -3], pa.int8()),
        "u64": pa.array([1, None, 1 << 63], pa.uint64()), "b": pa.array([True, None, False]),
        "d": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-0.01")], pa.decimal128(10, 2)),
        "day": pa.array([day, None, day]), "at": pa.array([moment, None, moment], pa.timestamp("us", "Europe/Paris")),
        "dict": pa.array(["x", None, "y"]).dictionary_encode(), "large": pa.array(["x", None, "y"], pa.large_string()),
        "view": pa.array(["x", None, "a long text of this kind"], pa.string_view()), "null": pa.nulls(3),
        "struct": pa.array([{"p": 1.0, "q": "u"}, None, {"p": None, "q": "v"}]),
        "list": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2))})
    data = leatarrow.dataset(rt, table, categorical="large,view,struct.q")
    back = pa.table(leatarrow.rows(data))
    back.validate(full=True)
    rows = back.to_pydict()
    assert rows["f"] == [1.5, None, -2.0] and rows["h"] == [1.0, None, 3.0] and rows["i8"] == [1.0, None, -3.0]
    assert rows["u64"] == [1.0, None, float(1 << 63)] and rows["b"] == [True, None, False] and rows["d"] == [1.25, None, -0.01]
    assert [v and v.date() for v in rows["day"]] == [day, None, day]
    assert back["at"].cast(pa.timestamp("us", "UTC")).to_pylist() == table["at"].cast(pa.timestamp("us", "UTC")).to_pylist()
    assert rows["dict"] == rows["large"] == ["x", None, "y"] and rows["view"][2] == "a long text of this kind"
    assert rows["struct.p"] == [1.0, None, None] and rows["struct.q"] == ["u", None, "v"] and rows["null"] == [None] * 3
    assert rows["list"] == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def predictions(rt):
    """key, prediction, p_CLASS..., as the predictor says, for tables, streams, and rows with unseen labels."""
    pa, = need("pyarrow")
    made = columns()
    table = pa.table({"id": pa.array([f"r{k}" for k in range(ROWS)]), **made})
    data = leatarrow.dataset(rt, table, target="y", key="id")
    model = rt.trainer("model/linear").set_data(data).fit()
    p = model.predictor().run_dataset(data)
    out = pa.table(leatarrow.predictions(model, data))
    out.validate(full=True)
    assert out.column_names == ["id", "prediction", "p_0", "p_1"] and out["id"].to_pylist() == table["id"].to_pylist()
    assert out["p_1"].to_pylist() == list(p) and out["prediction"].to_pylist() == [str(int(v >= 0.5)) for v in p]
    right = sum(int(a) == b for a, b in zip(out["prediction"].to_pylist(), made["y"]))
    assert right > 0.85 * ROWS, right
    stream = leatarrow.dataset(rt, pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=777)),
                               model.schema(), stream=1, key="id")
    again = pa.table(leatarrow.predictions(model, stream, 1000))
    assert again.to_pydict() == out.to_pydict() and again["p_1"].num_chunks == 20
    changed = table.set_column(5, "colour", pa.array(["mauve", None] * (ROWS // 2))).drop_columns(["y"])
    for v in pa.table(leatarrow.predictions(model, leatarrow.dataset(rt, changed, model.schema())))["p_1"].to_pylist():
        assert 0 <= v <= 1


def streams(rt):
    """One pass, and passes over a source that is opened again; memory does not depend on the number of rows."""
    pa, = need("pyarrow")
    schema = pa.schema([("x", pa.float64()), ("y", pa.int64())])

    def reader(batches=200):
        rows = pa.record_batch({"x": [float(k % 97) for k in range(10000)], "y": [k % 2 for k in range(10000)]})
        return pa.RecordBatchReader.from_batches(schema, (rows for _ in range(batches)))

    before = in_use(rt)
    data = leatarrow.source(rt, reader, target="y", stream=1)
    for _ in range(3):
        most = rows = 0
        for batch in pa.RecordBatchReader.from_stream(leatarrow.rows(data, 8192)):
            rows += batch.num_rows
            most = max(most, in_use(rt) - before)
        assert rows == 2000000 and most < 4 << 20, (rows, most)
        data.rewind()
    del batch  # it lends its rows
    data.close()
    gc.collect()
    assert in_use(rt) == before


def passes(rt):
    """Training in many passes over a stream that comes once and never lies in memory: it is written into a dataset file, block
    by block, which is mapped. The model is the one of the same rows in memory, bit for bit."""
    pa, = need("pyarrow")
    table = pa.table({**columns(20000), "note": ["fine weather today" if r % 3 else "rain is on its way" for r in range(20000)]})
    with tempfile.TemporaryDirectory() as folder:
        def model(data, name):
            made = rt.trainer("model/linear").set_data(data).fit()
            made.save(os.path.join(folder, name))
            with open(os.path.join(folder, name), "rb") as f:
                return f.read()

        before = in_use(rt)
        for name in ("stream", "source"):
            reader = lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(500))
            stream = (leatarrow.dataset(rt, reader(), target="y", text="note", stream=1) if name == "stream" else
                      leatarrow.source(rt, reader, target="y", text="note", stream=1))
            path = os.path.join(folder, name + ".ldat")
            assert stream.save(path) == 20000
            stream.close()
        with open(os.path.join(folder, "stream.ldat"), "rb") as a, open(os.path.join(folder, "source.ldat"), "rb") as b:
            assert a.read() == b.read()
        rows = rt.open(path, format="ldat", map=1)
        assert rows.shape()[0] == 20000 and in_use(rt) - before < 1 << 20, in_use(rt) - before
        assert model(rows, "passes.leat") == model(leatarrow.dataset(rt, table, target="y", text="note"), "memory.leat")


def failures(rt):
    """The producer's exception is an error with its text; nothing is lost or released twice."""
    pa, = need("pyarrow")
    schema = pa.schema([("x", pa.float64())])

    def broken(after):
        for _ in range(after):
            yield pa.record_batch({"x": [1.0, 2.0]})
        raise ValueError("the disk is on fire")

    before = in_use(rt)
    for after in (0, 1, 5):
        try:
            leatarrow.dataset(rt, pa.RecordBatchReader.from_batches(schema, broken(after)))
            raise AssertionError("no error")
        except leatpy.LeatError as e:
            assert e.name == "LEAT_E_IO" and "the disk is on fire" in str(e), str(e)
    for table, reader, word in ((pa.table({"x": [[1], [2]]}), {}, "+l"), (pa.table({"x": ["1", "b"]}), {"number": "x"}, "row 2"),
                                (pa.table({"x": [1.0]}), {"target": "z"}, "'z'"), (pa.table({"x": [1.0]}).slice(0, 0), {}, "no rows")):
        try:
            leatarrow.dataset(rt, table, **reader)
            raise AssertionError("no error")
        except leatpy.LeatError as e:
            assert word in str(e), str(e)
    gc.collect()
    assert in_use(rt) == before


def parquet(rt):
    """The recipe of docs/arrow.md."""
    pa, pq = need("pyarrow", "pyarrow.parquet")
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "t.parquet"), os.path.join(folder, "p.parquet")
        pq.write_table(pa.table({"id": [f"r{k}" for k in range(ROWS)], **columns()}), path, row_group_size=3000)
        data = leatarrow.dataset(rt, pq.read_table(path), target="y", key="id")
        model = rt.trainer("model/linear").set_data(data).fit()

        def opened():
            f = pq.ParquetFile(path)
            return pa.RecordBatchReader.from_batches(f.schema_arrow, f.iter_batches(1000))

        rows = leatarrow.dataset(rt, opened(), model.schema(), stream=1)
        with pa.RecordBatchReader.from_stream(leatarrow.predictions(model, rows, 5000)) as reader, \
                pq.ParquetWriter(out, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        assert pq.read_table(out).num_rows == ROWS


def polars(rt):
    pl, = need("polars")
    frame = pl.DataFrame(columns()).with_columns(pl.col("colour").cast(pl.Categorical))
    before = in_use(rt)
    data = leatarrow.dataset(rt, frame.select("a", "b", "noise", "i"))
    assert in_use(rt) - before < 65536
    data = leatarrow.dataset(rt, frame, target="y")
    model = rt.trainer("model/linear").set_data(data).fit()
    out = pl.DataFrame(leatarrow.predictions(model, data))
    right = (out["prediction"].cast(pl.String) == frame["y"].cast(pl.String)).mean()
    assert right > 0.85, right
    back = pl.DataFrame(leatarrow.rows(data))
    assert back["a"].to_list() == frame["a"].to_list()
    assert back["colour"].cast(pl.String).to_list() == frame["colour"].cast(pl.String).to_list()


def duckdb(rt):
    db, = need("duckdb")
    connection = db.connect()
    connection.execute(f"create table t as select random() a, random() b, case when random() < .5 then 'p' else 'q' end c, "
                       f"(random() < .5)::int y, date '2020-01-01' + (random() * 100)::int d from range({ROWS})")
    data = leatarrow.dataset(rt, connection.sql("select * from t"), target="y")
    assert data.shape() == (ROWS, 4), data.shape()
    model = rt.trainer("model/linear").set_data(data).fit()
    scored = leatarrow.predictions(model, data)
    rows, mean = connection.sql("select count(*), avg(p_1) from scored").fetchall()[0]
    assert rows == ROWS and 0.45 < mean < 0.55
    stream = leatarrow.dataset(rt, connection.sql("select a, b, c, d from t"), model.schema(), stream=1)
    again = leatarrow.predictions(model, stream)  # the first query is still open: another cursor for the second one
    assert connection.cursor().sql("select count(*) from again where p_0 + p_1 between 0.999 and 1.001").fetchall() == [(ROWS,)]


def pandas(rt):
    pd, _ = need("pandas", "pyarrow")
    frame = pd.DataFrame(columns())
    frame["colour"] = frame["colour"].astype("category")
    frame["at"] = pd.date_range("2020-01-01", periods=ROWS, freq="s")
    data = leatarrow.dataset(rt, frame, target="y")
    assert data.shape()[1] == 6
    assert rt.trainer("model/linear").set_data(data).fit().number("n_classes") == 2


def tensors(rt):
    """DLPack of both versions: any strides, no copy, and predictions as an array."""
    np, = need("numpy")
    x = np.random.default_rng(1).normal(size=(20000, 6))
    for major in (0, 1):
        for view in (x, x.astype("f4"), np.asfortranarray(x), x[::-3, 1:5:2], (x * 100).astype("i4"), x.reshape(-1, 2, 3)):
            flat = view.reshape(len(view), -1)
            y = (flat[:, 0] > 0).astype("i8")
            before = in_use(rt)
            data = leatarrow.from_dlpack(rt, view, None, major)
            assert in_use(rt) - before < 65536
            data = leatarrow.from_dlpack(rt, view, y, major)
            model = rt.trainer("model/linear").set_data(data).fit()
            copied = rt.dataset(np.ascontiguousarray(flat, dtype=view.dtype if view.dtype.kind == "f" else "f8"), y.astype("f8"))
            want = rt.trainer("model/linear").set_data(copied).fit()
            assert np.allclose(model.numbers("weights"), want.numbers("weights"), rtol=1e-6, atol=1e-9)
            p = np.from_dlpack(leatarrow.Tensor(model.predictor(), data))
            assert p.shape == (len(view), 1) and p.dtype == np.float32
            assert list(p[:, 0]) == list(np.array(model.predictor().run_dataset(data), dtype=np.float32))
            assert ((p[:, 0] >= 0.5) == (y == 1)).mean() > 0.97
    gone = leatarrow.from_dlpack(rt, np.arange(12.0).reshape(4, 3))  # the dataset keeps the array
    gc.collect()
    assert gone.shape() == (4, 3)
    try:
        leatarrow.from_dlpack(rt, np.zeros((3, 2), dtype="c16"))
        raise AssertionError("no error")
    except leatpy.LeatError as e:
        assert e.name == "LEAT_E_DTYPE"


def main():
    leatpy.load(sys.argv[1] if len(sys.argv) > 1 else None)
    rt = leatpy.Runtime(threads=2)
    passed = failed = skipped = 0
    for test in (no_copy, slices_and_chunks, as_csv, types, predictions, streams, passes, failures, parquet, polars, duckdb, pandas, tensors):
        try:
            test(rt)
            passed += 1
            print("ok   ", test.__name__)
        except Skip as e:
            skipped += 1
            print("skip ", test.__name__, "- not installed:", e)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("FAIL ", test.__name__)
            traceback.print_exc()
        gc.collect()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
