"""Arrow and DLPack for leatpy: tables of pyarrow, Polars, DuckDB, pandas and arrays of NumPy or PyTorch in, datasets and
predictions out, through the two protocols that these libraries speak (`__arrow_c_stream__`, `__arrow_c_array__`,
`__dlpack__`). Nothing beside the standard library is needed here; the tables come from whatever library the caller has.

    data = leatarrow.dataset(rt, pyarrow.parquet.read_table("churn.parquet"), target="churn", key="customer")
    model = rt.trainer("model/linear").set_data(data).fit()
    table = pyarrow.table(leatarrow.predictions(model, data))
"""
import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_void_p

import leatpy

_pointer_of = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_pointer_at = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_name_at = ctypes.PYFUNCTYPE(c_char_p, c_void_p)(("PyCapsule_GetName", ctypes.pythonapi))
_rename = ctypes.PYFUNCTYPE(c_int32, ctypes.py_object, c_char_p)(("PyCapsule_SetName", ctypes.pythonapi))
_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, c_void_p, c_char_p, c_void_p)(("PyCapsule_New", ctypes.pythonapi))
_allocate = ctypes.PYFUNCTYPE(c_void_p, ctypes.c_size_t)(("PyMem_RawMalloc", ctypes.pythonapi))
_release = ctypes.PYFUNCTYPE(None, c_void_p)(("PyMem_RawFree", ctypes.pythonapi))


class _Stream(Structure):  # struct ArrowArrayStream
    _fields_ = [("get_schema", c_void_p), ("get_next", c_void_p), ("get_last_error", c_void_p), ("release", c_void_p),
                ("private_data", c_void_p)]


class _Plain(Structure):  # the end of struct DLManagedTensor
    _fields_ = [("tensor", ctypes.c_byte * 48), ("context", c_void_p), ("deleter", c_void_p)]


class _Versioned(Structure):  # the beginning of struct DLManagedTensorVersioned
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", c_void_p), ("deleter", c_void_p)]


_OPEN = ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(_Stream))
_OUT = POINTER(c_void_p)
_SIGNATURES = {
    "dataset_from_arrow": [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, _OUT],
    "dataset_from_arrow_stream": [c_void_p, c_void_p, c_void_p, c_void_p, _OUT],
    "dataset_from_arrow_source": [c_void_p, c_void_p, c_void_p, _OPEN, c_void_p, _OUT],
    "dataset_to_arrow": [c_void_p, c_int64, c_void_p],
    "dataset_from_dlpack": [c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, _OUT],
    "predict_arrow": [c_void_p, c_void_p, c_void_p, c_int64, c_void_p],
    "predictor_run_dlpack": [c_void_p, c_void_p, c_int64, _OUT],
}


def _move(source, target):
    """Moves what a capsule holds: the struct is copied, and the old one marked as released."""
    ctypes.memmove(byref(target), source, ctypes.sizeof(target))
    _Stream.from_address(source).release = None


def dataset(rt, table, schema=None, **reader):
    """A dataset from anything with __arrow_c_stream__ (a table, a reader) or __arrow_c_array__ (a record batch). `reader`
    are parameters of "reader/arrow": target="churn", key="id", stream=1, ... `schema` of a model instead of them."""
    leatpy.declare(_SIGNATURES)
    p = rt.params("reader/arrow", **reader) if reader else None
    if hasattr(table, "__arrow_c_stream__"):
        capsule = table.__arrow_c_stream__()
        stream = _pointer_of(capsule, b"arrow_array_stream")
        return leatpy.Dataset(leatpy.made("dataset_from_arrow_stream", rt, schema, p, stream))
    capsules = table.__arrow_c_array__()
    return leatpy.Dataset(leatpy.made("dataset_from_arrow", rt, schema, p, _pointer_of(capsules[0], b"arrow_schema"),
                                      _pointer_of(capsules[1], b"arrow_array")))


def source(rt, open_table, schema=None, **reader):
    """The same of a function that gives a fresh table or reader whenever it is called: with stream=1 the rows are read in
    passes, in bounded memory, and can be rewound."""
    leatpy.declare(_SIGNATURES)
    p = rt.params("reader/arrow", **reader) if reader else None

    def opened(_, out):
        try:
            capsule = open_table().__arrow_c_stream__()
            _move(_pointer_of(capsule, b"arrow_array_stream"), out.contents)
            return 0
        except Exception:  # pylint: disable=broad-except
            return 5  # EIO

    callback = _OPEN(opened)
    made = leatpy.Dataset(leatpy.made("dataset_from_arrow_source", rt, schema, p, callback, None))
    made.keep = callback
    return made


@ctypes.CFUNCTYPE(None, c_void_p)
def _drop_stream(capsule):
    at = _pointer_at(capsule, b"arrow_array_stream")
    stream = _Stream.from_address(at)
    if stream.release:  # nobody has moved it
        ctypes.CFUNCTYPE(None, c_void_p)(stream.release)(at)
    _release(at)


class Stream:
    """What other libraries pull: pyarrow.table(s), polars.DataFrame(s), duckdb.sql("from s"). Each call makes a fresh one."""

    def __init__(self, fill):
        self.fill = fill

    def __arrow_c_stream__(self, requested_schema=None):
        at = _allocate(ctypes.sizeof(_Stream))
        try:
            self.fill(at)
        except leatpy.LeatError:
            _release(at)
            raise
        return _capsule(at, b"arrow_array_stream", _drop_stream)


def rows(data, batch_rows=0):
    """A dataset's rows as an Arrow stream."""
    leatpy.declare(_SIGNATURES)
    return Stream(lambda at: leatpy.call("dataset_to_arrow", data, batch_rows, at))


def predictions(model, data, batch_rows=0):
    """Predictions as an Arrow stream of key, prediction, p_CLASS..., made as it is pulled."""
    leatpy.declare(_SIGNATURES)
    return Stream(lambda at: leatpy.call("predict_arrow", model, None, data, batch_rows, at))


# ---------------------------------------------------------------------------------------------------- DLPack

def _tensor(x, major):
    """(capsule, its pointer); the versioned form is asked for by name, as the protocol has it."""
    capsule = x.__dlpack__(max_version=(1, 0)) if major else x.__dlpack__()
    return capsule, _pointer_of(capsule, b"dltensor_versioned" if major else b"dltensor")


def from_dlpack(rt, x, y=None, major=1):
    """A dataset from arrays of NumPy, PyTorch, ...: x's numbers are not copied."""
    leatpy.declare(_SIGNATURES)
    given = [_tensor(v, major) if v is not None else (None, None) for v in (x, y)]
    made = leatpy.Dataset(leatpy.made("dataset_from_dlpack", rt, None, major, given[0][1], given[1][1], None))
    for capsule, _ in given:  # they are the library's now
        if capsule is not None:
            _rename(capsule, b"used_dltensor_versioned" if major else b"used_dltensor")
    return made


@ctypes.CFUNCTYPE(None, c_void_p)
def _drop_tensor(capsule):
    name = _name_at(capsule)
    if name.startswith(b"used_"):
        return
    at = _pointer_at(capsule, name)
    deleter = (_Versioned if name == b"dltensor_versioned" else _Plain).from_address(at).deleter
    ctypes.CFUNCTYPE(None, c_void_p)(deleter)(at)


class Tensor:
    """Predictions: numpy.from_dlpack(t), torch.from_dlpack(t)."""

    def __init__(self, predictor, data):
        self.predictor, self.data = predictor, data

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        leatpy.declare(_SIGNATURES)
        major = 1 if max_version and max_version[0] >= 1 else 0
        at = leatpy.made("predictor_run_dlpack", self.predictor, self.data, major)
        return _capsule(at.value if hasattr(at, "value") else at, b"dltensor_versioned" if major else b"dltensor", _drop_tensor)
