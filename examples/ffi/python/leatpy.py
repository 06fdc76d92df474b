"""leat from Python through ctypes, in one file: no compiler, no package beside the standard library.

A thin binding: one class for each handle, an exception for each failed call, lists or anything with the buffer
protocol (numpy arrays, array.array) as matrices. The library's own header, leat/leat.h, is the manual.
"""
import array
import ctypes
import ctypes.util
import os
from ctypes import (POINTER, Structure, byref, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_uint32,
                    c_uint64, c_void_p)

F32, F64, U8 = 1, 2, 6


class _Error(Structure):
    _fields_ = [("struct_size", c_uint64), ("code", c_int32), ("os_code", c_int32), ("detail", c_int64 * 4),
                ("message", c_char * 464)]


class _Matrix(Structure):
    _fields_ = [("struct_size", c_uint64), ("data", c_void_p), ("rows", c_int64), ("cols", c_int64),
                ("row_stride", c_int64), ("col_stride", c_int64), ("dtype", c_int64), ("flags", c_uint64)]


class _Options(Structure):
    _fields_ = [("struct_size", c_uint64), ("allocator", c_void_p), ("files", c_void_p), ("clock", c_void_p),
                ("executor", c_void_p), ("log", c_void_p), ("cache_folder", c_char_p), ("n_threads", c_int64),
                ("log_level", c_int64), ("log_bytes", c_int64), ("load_budget_bytes", c_int64), ("flags", c_uint64)]


class _Progress(Structure):
    _fields_ = [("struct_size", c_uint64), ("state", c_int64), ("step", c_int64), ("steps", c_int64),
                ("rows_seen", c_int64), ("loss", c_double), ("score", c_double), ("elapsed_ns", c_int64),
                ("bytes_in_use", c_int64)]


class _ParamInfo(Structure):
    _fields_ = [("struct_size", c_uint64), ("name", c_char_p), ("doc", c_char_p), ("default_text", c_char_p),
                ("choices", c_char_p), ("type", c_int64), ("min", c_double), ("max", c_double), ("since", c_int64),
                ("flags", c_uint64)]


class LeatError(Exception):
    """A failed call: code (negative), row and column where known, and the library's sentence."""

    def __init__(self, err):
        self.code, self.os_code = err.code, err.os_code
        self.row, self.column = err.detail[0], err.detail[1]
        self.name = _lib.leat_status_name(err.code).decode()
        super().__init__(f"{self.name}: {err.message.decode('utf-8', 'replace')}")


_lib = None
_ERR, _OUT, _TEXT = POINTER(_Error), POINTER(c_void_p), c_char_p
# What each function takes after its name, without the error that stands last.
_SIGNATURES = {
    "runtime_create": [POINTER(_Options), _OUT],
    "runtime_stat": [c_void_p, _TEXT, POINTER(c_int64)],
    "params_create": [c_void_p, _TEXT, _OUT],
    "params_count": [c_void_p, POINTER(c_int64)],
    "params_info": [c_void_p, c_int64, POINTER(_ParamInfo)],
    "params_set_text": [c_void_p, _TEXT, _TEXT],
    "dataset_from_dense": [c_void_p, c_void_p, POINTER(_Matrix), POINTER(_Matrix), POINTER(_Matrix), _OUT],
    "dataset_open": [c_void_p, c_void_p, _TEXT, c_void_p, _OUT],
    "dataset_shape": [c_void_p, POINTER(c_int64), POINTER(c_int64)],
    "dataset_slice": [c_void_p, c_int64, c_int64, _OUT],
    "dataset_rewind": [c_void_p],
    "dataset_save": [c_void_p, _TEXT, c_void_p, POINTER(c_int64)],
    "trainer_create": [c_void_p, c_void_p, c_void_p, c_void_p, _OUT],
    "trainer_set_data": [c_void_p, c_void_p, c_void_p],
    "trainer_step": [c_void_p, c_int64, POINTER(_Progress)],
    "trainer_fit": [c_void_p],
    "trainer_snapshot": [c_void_p, _OUT],
    "trainer_save": [c_void_p, _TEXT],
    "trainer_load": [c_void_p, _TEXT, c_void_p, _OUT],
    "model_load": [c_void_p, _TEXT, _OUT],
    "model_save": [c_void_p, _TEXT],
    "model_schema": [c_void_p, _OUT],
    "model_get_i64": [c_void_p, _TEXT, POINTER(c_int64)],
    "model_get_text": [c_void_p, _TEXT, c_void_p, c_uint64, POINTER(c_uint64)],
    "model_get_f64s": [c_void_p, _TEXT, c_void_p, c_uint64, POINTER(c_uint64)],
    "predictor_create": [c_void_p, c_void_p, c_void_p, _OUT],
    "predictor_reserve": [c_void_p, c_int64],
    "predictor_shape": [c_void_p, POINTER(c_int64), POINTER(c_int64)],
    "predictor_run": [c_void_p, POINTER(_Matrix), POINTER(_Matrix)],
    "predictor_run_dataset": [c_void_p, c_void_p, POINTER(_Matrix)],
    "predictor_one_f32": [c_void_p, POINTER(c_float), c_uint64, POINTER(c_float), c_uint64],
    "predictor_one_text": [c_void_p, POINTER(c_char_p), c_uint64, POINTER(c_float), c_uint64],
    "metrics_create": [c_void_p, _TEXT, _OUT],
    "metrics_update": [c_void_p, POINTER(_Matrix), POINTER(_Matrix), POINTER(_Matrix)],
    "metrics_count": [c_void_p, POINTER(c_int64)],
    "metrics_name": [c_void_p, c_int64, POINTER(c_char_p)],
    "metrics_value": [c_void_p, _TEXT, POINTER(c_double)],
}
_FREE = ("runtime", "params", "dataset", "trainer", "model", "predictor", "metrics", "schema")


def _declare(lib, signatures):
    for name, arguments in signatures.items():
        function = getattr(lib, "leat_" + name)
        function.argtypes, function.restype = arguments + [_ERR], c_int32


def declare(signatures):
    """For modules beside this one: more functions, as in _SIGNATURES."""
    load()
    _declare(_lib, signatures)


def load(path=None):
    """Loads libleat.so: from `path`, else from where the system looks. Called by Runtime() when nobody has."""
    global _lib
    if _lib is not None:
        return
    lib = ctypes.CDLL(path or ctypes.util.find_library("leat") or "libleat.so.0")
    lib.leat_version_text.restype = c_char_p
    lib.leat_version.restype = c_uint32
    lib.leat_status_name.restype = c_char_p
    lib.leat_status_name.argtypes = [c_int32]
    _declare(lib, _SIGNATURES)
    for name in _FREE:
        function = getattr(lib, f"leat_{name}_free")
        function.argtypes, function.restype = [c_void_p], None
    _lib = lib


def version():
    load()
    return _lib.leat_version_text().decode()


def _call(name, *arguments):
    err = _Error(struct_size=ctypes.sizeof(_Error))
    if getattr(_lib, "leat_" + name)(*arguments, byref(err)) != 0:
        raise LeatError(err)


def _made(name, *arguments):
    """A call whose last argument but the error is the new handle."""
    out = c_void_p()
    _call(name, *arguments, byref(out))
    return out


call, made = _call, _made  # for modules beside this one


def _path(path):
    return os.fsencode(path)


def _matrix(data, columns=None):
    """(matrix, what must live as long): from nested or flat lists, or from a C-contiguous buffer of floats or bytes."""
    try:
        view = memoryview(data)
    except TypeError:
        rows = [r if hasattr(r, "__len__") else [r] for r in data]
        width = len(rows[0]) if rows else columns or 1
        if any(len(r) != width for r in rows):
            raise ValueError("rows of different lengths") from None
        keep = array.array("d", [float("nan") if v is None else v for r in rows for v in r])
        shape, dtype = (len(rows), width), F64
    else:
        dtype = {"f": F32, "d": F64, "B": U8}.get(view.format)
        if dtype is None or not view.c_contiguous or view.ndim > 2:
            raise TypeError(f"a matrix is float32, float64 or uint8 in C order; this is '{view.format}', {view.ndim}-d")
        shape, keep = (view.shape[0], view.shape[1] if view.ndim == 2 else 1), view
    if isinstance(keep, array.array):
        address = keep.buffer_info()[0]
    else:  # read-only buffers have no address for ctypes: copy those
        keep = keep.cast("B") if keep.nbytes else keep
        keep = (c_char * keep.nbytes).from_buffer(keep) if not keep.readonly else ctypes.create_string_buffer(
            keep.tobytes(), keep.nbytes)
        address = ctypes.addressof(keep)
    m = _Matrix(struct_size=ctypes.sizeof(_Matrix), data=address, rows=shape[0], cols=shape[1], dtype=dtype)
    return m, keep


class _Handle:
    """Owns one handle. Freed in any order, by Python's collector or by close()."""
    kind = ""

    def __init__(self, handle):
        self._as_parameter_ = handle

    def close(self):
        handle, self._as_parameter_ = getattr(self, "_as_parameter_", None), None
        if handle and _lib is not None:
            getattr(_lib, f"leat_{self.kind}_free")(handle)

    def __del__(self):
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Runtime(_Handle):
    kind = "runtime"

    def __init__(self, threads=1, library=None):
        load(library)
        options = _Options(struct_size=ctypes.sizeof(_Options), n_threads=threads)
        super().__init__(_made("runtime_create", byref(options)))

    def stat(self, name):
        value = c_int64()
        _call("runtime_stat", self, name.encode(), byref(value))
        return value.value

    def params(self, spec, **values):
        p = Params(_made("params_create", self, spec.encode()))
        for name, value in values.items():
            p[name] = value
        return p

    def dataset(self, x, y=None):
        """From rows of numbers (None is missing) and targets."""
        mx, keep_x = _matrix(x)
        my, keep_y = _matrix(y) if y is not None else (None, None)
        d = Dataset(_made("dataset_from_dense", self, None, byref(mx), byref(my) if my else None, None))
        del keep_x, keep_y
        return d

    def open(self, path, schema=None, format="csv", **reader):
        """From a file; `reader` are parameters of "reader/csv" (or another format): target="churn", key="id", ..."""
        p = self.params("reader/" + format, **reader) if reader or format != "csv" else None
        return Dataset(_made("dataset_open", self, schema, _path(path), p))

    def trainer(self, spec="model/linear", **values):
        return Trainer(_made("trainer_create", self, self.params(spec, **values), None, None))

    def resume(self, path):
        """A trainer from a checkpoint; set_data must follow."""
        return Trainer(_made("trainer_load", self, _path(path), None))

    def load(self, path):
        return Model(_made("model_load", self, _path(path)))

    def metrics(self, names):
        return Metrics(_made("metrics_create", self, names.encode()))


class Params(_Handle):
    kind = "params"

    def __setitem__(self, name, value):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        _call("params_set_text", self, name.encode(), text.encode())

    def list(self):
        """[(name, default, doc)]"""
        count, found = c_int64(), []
        _call("params_count", self, byref(count))
        for i in range(count.value):
            info = _ParamInfo(struct_size=ctypes.sizeof(_ParamInfo))
            _call("params_info", self, i, byref(info))
            found.append((info.name.decode(), info.default_text.decode(), info.doc.decode()))
        return found


class Dataset(_Handle):
    kind = "dataset"

    def shape(self):
        rows, cols = c_int64(), c_int64()
        _call("dataset_shape", self, byref(rows), byref(cols))
        return rows.value, cols.value

    def rewind(self):
        _call("dataset_rewind", self)

    def save(self, path):
        """The rows from the present one on, as a dataset file (.ldat). Returns how many."""
        rows = c_int64()
        _call("dataset_save", self, _path(path), None, byref(rows))
        return rows.value

    def slice(self, first, count):
        return Dataset(_made("dataset_slice", self, first, count))


class Trainer(_Handle):
    kind = "trainer"

    def set_data(self, train, valid=None):
        _call("trainer_set_data", self, train, valid)
        return self

    def step(self, rows=0):
        """(done, iteration, loss) after about `rows` more rows; 0: one iteration."""
        p = _Progress(struct_size=ctypes.sizeof(_Progress))
        _call("trainer_step", self, rows, byref(p))
        return p.state == 2, p.step, p.loss

    def fit(self):
        _call("trainer_fit", self)
        return self.snapshot()

    def snapshot(self):
        return Model(_made("trainer_snapshot", self))

    def save(self, path):
        _call("trainer_save", self, _path(path))


class Schema(_Handle):
    kind = "schema"


class Model(_Handle):
    kind = "model"

    def save(self, path):
        _call("model_save", self, _path(path))

    def schema(self):
        return Schema(_made("model_schema", self))

    def number(self, name):
        value = c_int64()
        _call("model_get_i64", self, name.encode(), byref(value))
        return value.value

    def text(self, name):
        buf, needed = ctypes.create_string_buffer(4096), c_uint64()
        _call("model_get_text", self, name.encode(), buf, len(buf), byref(needed))
        return buf.value.decode()

    def numbers(self, name):
        """ "weights" or "intercept" as a list."""
        needed = c_uint64()
        try:
            _call("model_get_f64s", self, name.encode(), None, 0, byref(needed))
        except LeatError:
            if needed.value == 0:
                raise
        buf = (c_double * needed.value)()
        _call("model_get_f64s", self, name.encode(), buf, needed.value, byref(needed))
        return list(buf)

    def predictor(self):
        return Predictor(_made("predictor_create", self, None, None))


class Predictor(_Handle):
    """For one thread at a time."""
    kind = "predictor"

    def __init__(self, handle):
        super().__init__(handle)
        cols, width = c_int64(), c_int64()
        _call("predictor_shape", self, byref(cols), byref(width))
        self.cols, self.width = cols.value, width.value
        self._row, self._out = (c_float * max(1, cols.value))(), (c_float * width.value)()

    def _rows(self, out, n):
        return list(out) if self.width == 1 else [list(out[i * self.width:(i + 1) * self.width]) for i in range(n)]

    def run(self, x):
        """A prediction (or a list of class probabilities) for each row of x."""
        mx, keep = _matrix(x, self.cols)
        out = (c_float * (mx.rows * self.width))()
        mo = _Matrix(struct_size=ctypes.sizeof(_Matrix), data=ctypes.addressof(out), rows=mx.rows, cols=self.width,
                     dtype=F32)
        _call("predictor_run", self, byref(mx), byref(mo))
        del keep
        return self._rows(out, mx.rows)

    def run_dataset(self, data):
        rows = data.shape()[0]
        out = (c_float * (rows * self.width))()
        mo = _Matrix(struct_size=ctypes.sizeof(_Matrix), data=ctypes.addressof(out), rows=rows, cols=self.width, dtype=F32)
        _call("predictor_run_dataset", self, data, byref(mo))
        return self._rows(out, rows)

    def one(self, row):
        if len(row) == len(self._row):
            self._row[:] = row
            _call("predictor_one_f32", self, self._row, len(row), self._out, self.width)
        else:
            wrong = (c_float * len(row))(*row)
            _call("predictor_one_f32", self, wrong, len(row), self._out, self.width)
        return self._out[0] if self.width == 1 else list(self._out)

    def one_text(self, fields):
        """One raw row of strings, in the order of the model's features; None or "" is missing."""
        row = (c_char_p * len(fields))(*[None if f is None else f.encode() for f in fields])
        _call("predictor_one_text", self, row, len(fields), self._out, self.width)
        return self._out[0] if self.width == 1 else list(self._out)


class Metrics(_Handle):
    kind = "metrics"

    def update(self, predictions, targets):
        mp, keep_p = _matrix(predictions)
        my, keep_y = _matrix(targets)
        _call("metrics_update", self, byref(mp), byref(my), None)
        del keep_p, keep_y
        return self

    def values(self):
        count, found = c_int64(), {}
        _call("metrics_count", self, byref(count))
        for i in range(count.value):
            name, value = c_char_p(), c_double()
            _call("metrics_name", self, i, byref(name))
            _call("metrics_value", self, name.value, byref(value))
            found[name.value.decode()] = value.value
        return found
