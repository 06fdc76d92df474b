/* leat.h: the whole life of a machine-learning model behind one C ABI.
 *
 * This header is the manual. It is written in chapters; stop after any of them.
 *   1 numbers     2 handles     3 structs      4 version      5 runtime     6 devices
 *   7 parameters  8 schema      9 batches     10 datasets    11 trainers   12 models
 *  13 predictors 14 metrics    15 inspection   16 store    17 learner   18 quarantine
 *  19 tables     20 monitor   21 endpoint
 *
 * A host that trains, saves, loads and predicts needs five calls:
 *   leat_runtime_create, leat_dataset_open, leat_trainer_create + leat_trainer_fit,
 *   leat_trainer_snapshot, leat_predictor_run.
 *
 * Rules that hold for every function
 *  - Status. 0 (LEAT_OK) is success, a negative number is a failure; the set is open. On failure every
 *    out-argument is NULL or 0, there is nothing to clean up and the inputs are unchanged.
 *  - Error text. `err` may be NULL. Else the caller owns it and has set err->struct_size; on failure it receives the
 *    code, numbers (row, column, ...) and a sentence that says what was wrong, where, and what would be right.
 *  - Memory. Plain pointers are borrowed for the call and copied if kept; only Arrow and DLPack structs change
 *    owner. Outputs go to caller buffers with `cap` and `needed` (LEAT_E_CAPACITY tells that `needed` is
 *    more than `cap`; it counts the final NUL of text). A returned `const char *` lives as long as the handle it came from.
 *  - Handles. `free` takes NULL and is legal in any order: a child keeps a counted reference to its parents.
 *  - Structs. `struct_size` first, set by the caller to sizeof; zero means default; an unknown non-zero tail is refused.
 *  - The library never prints, aborts, exits, reads the environment, installs signal handlers or changes the locale.
 *    Compute entries run in the default floating-point environment and restore the caller's.
 *  - Text is UTF-8. Sizes are bytes, times are nanoseconds, shapes are written [rows, cols].
 *
 * Thread words (one a function)
 *   immutable  any number of threads at any time, also on the same object
 *   safe       locked inside: any thread, any time
 *   owner      one thread at a time on one object (it may be another thread later); a second one gets LEAT_E_BUSY
 *   any        made to be called from another thread while the owner works (cancel, progress)
 */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H
#include <stddef.h>
#include <stdint.h>

#ifndef LEAT_API
#define LEAT_API
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ 1. Numbers
 * Typedef'd integers and anonymous enums: open sets without sentinels. Expect values that are not listed here. */
typedef int32_t leat_status;
enum {
  LEAT_OK = 0,
  LEAT_E_ARG = -1,          /* an argument is NULL, misspelt or out of its domain */
  LEAT_E_STATE = -2,        /* the object is not in a state that allows the call */
  LEAT_E_MEMORY = -3,       /* the allocator returned NULL, or a memory budget is used up */
  LEAT_E_IO = -4,           /* the file system failed; os_code says how */
  LEAT_E_FORMAT = -5,       /* a file is damaged, cut, or not of the kind that was expected */
  LEAT_E_VERSION = -6,      /* a file or struct is of a newer version than this library reads */
  LEAT_E_UNSUPPORTED = -7,  /* valid, but not by this object (a sparse row for a dense model) */
  LEAT_E_NOT_FOUND = -8,    /* no such name, file, column, device, index */
  LEAT_E_SHAPE = -9,        /* rows, columns or strides do not fit together */
  LEAT_E_DTYPE = -10,       /* the element type is not taken here */
  LEAT_E_RANGE = -11,       /* a number is outside the stated bounds */
  LEAT_E_CAPACITY = -12,    /* the caller's buffer is too small; `needed` says how large it must be */
  LEAT_E_BUSY = -13,        /* another thread is inside this owner object */
  LEAT_E_CANCELLED = -14,   /* leat_trainer_cancel was called */
  LEAT_E_DEVICE = -15,      /* a device failed */
  LEAT_E_BACKEND = -16,     /* a device plug-in cannot be loaded or broke its contract */
  LEAT_E_DATA = -17,        /* the data cannot be used: ragged row, junk number, one class only, ... */
  LEAT_E_NUMERIC = -18,     /* training met a non-finite number that it cannot step around */
  LEAT_E_INTERNAL = -19     /* a bug in leat */
};

typedef int32_t leat_dtype; /* element types of arrays */
enum {
  LEAT_F32 = 1, LEAT_F64 = 2, LEAT_F16 = 3, LEAT_BF16 = 4, LEAT_I8 = 5, LEAT_U8 = 6,
  LEAT_I16 = 7, LEAT_U16 = 8, LEAT_I32 = 9, LEAT_U32 = 10, LEAT_I64 = 11, LEAT_U64 = 12
};
typedef int32_t leat_kind; /* what a column holds */
enum { LEAT_NUMBER = 1, LEAT_CATEGORY = 2, LEAT_TEXT = 3, LEAT_BOOL = 4, LEAT_TIME = 5, LEAT_ID = 6 };
typedef int32_t leat_role; /* what a column is for */
enum {
  LEAT_ROLE_FEATURE = 1, LEAT_ROLE_TARGET = 2, LEAT_ROLE_WEIGHT = 3, LEAT_ROLE_KEY = 4, LEAT_ROLE_TIME = 5,
  LEAT_ROLE_GROUP = 6, LEAT_ROLE_IGNORE = 7
};
typedef int32_t leat_device_kind;
enum { LEAT_CPU = 1, LEAT_GPU = 2, LEAT_FPGA = 3, LEAT_OTHER = 4 };
typedef int32_t leat_param_type;
enum { LEAT_PARAM_I64 = 1, LEAT_PARAM_F64 = 2, LEAT_PARAM_TEXT = 3, LEAT_PARAM_CHOICE = 4, LEAT_PARAM_BOOL = 5 };
typedef int32_t leat_train_state; /* leat_progress.state */
enum { LEAT_TRAIN_NEW = 0, LEAT_TRAIN_RUNNING = 1, LEAT_TRAIN_DONE = 2, LEAT_TRAIN_CANCELLED = 3 };
typedef int32_t leat_log_level;
enum { LEAT_LOG_ERROR = 1, LEAT_LOG_WARN = 2, LEAT_LOG_INFO = 3, LEAT_LOG_DEBUG = 4 };

typedef int32_t leat_reason; /* why a record was held back, or noticed; numbers and names never change */
enum {
  LEAT_REASON_PARSE = 100,            /* the record cannot be cut into fields: ragged row, stray quote */
  LEAT_REASON_TOO_LONG = 102,         /* longer than a record may be */
  LEAT_REASON_MISSING = 200,          /* a required field is missing, or every feature is */
  LEAT_REASON_TYPE = 202,             /* a field is not of its column's kind: junk in a number */
  LEAT_REASON_SHAPE = 203,            /* an index or length that the schema does not allow */
  LEAT_REASON_NON_FINITE = 300,       /* an infinite number */
  LEAT_REASON_RANGE = 302,            /* outside the bounds that were set for the column */
  LEAT_REASON_UNSEEN_CATEGORY = 304,  /* a label that has not come up before */
  LEAT_REASON_OUTLIER = 305,          /* far outside everything the column has shown */
  LEAT_REASON_LABEL_MISSING = 400,    /* no target: predicted, nothing to learn */
  LEAT_REASON_LABEL_INVALID = 402,    /* a target that is no number, not finite, or one class too many */
  LEAT_REASON_LABEL_LATE = 403,       /* a label whose prediction is not (or no longer) waiting */
  LEAT_REASON_WEIGHT = 500,           /* a weight that is negative, missing or not finite */
  LEAT_REASON_TOO_OLD = 502,          /* the record's time is further behind the newest one than max_age */
  LEAT_REASON_DUPLICATE = 503,        /* the source's position was taken before */
  LEAT_REASON_LOSS_SPIKE = 701,       /* the loss is far above the faded loss */
  LEAT_REASON_ROLLBACK_SUSPECT = 800, /* learned while the model went wrong, which was rolled back */
  LEAT_REASON_USER = 900              /* the host said so */
};
typedef int32_t leat_event_kind; /* what a store's history tells */
enum {
  LEAT_EVENT_VERSION = 1,      /* a version was added; value: rows trained */
  LEAT_EVENT_STAGE = 2,        /* a version was promoted; name: the stage */
  LEAT_EVENT_STAGE_BACK = 3,   /* a stage was rolled back to version; name: the stage */
  LEAT_EVENT_PIN = 4,          /* value 1 pinned, 0 no longer */
  LEAT_EVENT_REMOVED = 5,      /* a version's file was removed */
  LEAT_EVENT_TABLE = 6,        /* a table was published; name: its own, row: its generation, value: rows, threshold: psi */
  LEAT_EVENT_TABLE_BACK = 7,   /* a table went back to the generation in row */
  LEAT_EVENT_WARNING = 10,     /* a detector warns; name: which, value and threshold */
  LEAT_EVENT_ALARM = 11,       /* a detector's alarm: a suspect period begins */
  LEAT_EVENT_CERTIFIED = 12,   /* version became last-good */
  LEAT_EVENT_ROLLBACK = 13,    /* the learner went back to last-good (name "rollback") */
  LEAT_EVENT_RESTART = 14,     /* a fresh model has replaced the live one */
  LEAT_EVENT_PIN_BACK = 15,    /* the learner went back to the pinned model */
  LEAT_EVENT_UNDO = 16,        /* the model before the last swap is live again */
  LEAT_EVENT_ROLLBACK_BY_HAND = 17,
  LEAT_EVENT_NON_FINITE = 18,  /* a parameter was not finite: last-good is live */
  LEAT_EVENT_FROZEN = 19,      /* learning stopped; text says why */
  LEAT_EVENT_THAWED = 20,      /* learning goes on */
  LEAT_EVENT_HELD = 21,        /* suspects went to quarantine; value: how many */
  LEAT_EVENT_GATE = 22,        /* the gate forgot a column's statistics: a regime change; name: the column */
  LEAT_EVENT_MONITORED = 23,   /* data was compared with version's reference profiles; row: how many rows; name, value and
                                  threshold: the feature furthest beyond its limit, psi, the alert's limit */
  LEAT_EVENT_REFRESH_DUE = 24, /* version should be trained again; value: LEAT_DUE_* bits; text says why */
  LEAT_EVENT_DRIFT = 26,       /* a learner's monitor raises an alert; name: what has drifted; value: psi; text: where */
  LEAT_EVENT_DRIFT_OVER = 27,  /* and clears it */
  LEAT_EVENT_RACE = 28,        /* name "champion": another learner's model is live; "dropped", "memory": it races no more */
  LEAT_EVENT_TRIAL = 29,       /* an endpoint's trial of version; name: "begun", "forward", "back", "promoted", "aborted";
                                  value: the share of the keys that it answers from now on; text says why */
  LEAT_EVENT_ALERT = 30,       /* raised by the clock: name "(labels)": predictions wait and no label comes, "(age)":
                                  nothing is learned; or a host's (leat_store_alert). value and threshold: seconds */
  LEAT_EVENT_ALERT_OVER = 31,  /* and over */
  LEAT_EVENT_REFRESH = 25      /* version was tried against production; name "promoted" or "kept"; value: the difference of
                                  the mean losses, threshold: its upper bound less what is allowed (below 0: no worse) */
};
typedef int32_t leat_learner_mode;
enum {
  LEAT_LEARNING = 1,           /* all is well */
  LEAT_FROZEN = 2,             /* it predicts and scores but does not learn, until leat_learner_thaw */
  LEAT_STOPPED = 3             /* the disk failed or is full: it predicts; open the store again to go on */
};
enum {                         /* what is timed: see leat_runtime_set_latency */
  LEAT_LATENCY_ONE = 0,        /* a prediction of one row */
  LEAT_LATENCY_ROWS = 1,       /* a call that predicts many */
  LEAT_LATENCY_FEED = 2,       /* a learner takes a batch: gate, journal, prediction, learning */
  LEAT_LATENCY_JOURNAL = 3,    /* a journal is written through to the disk */
  LEAT_LATENCY_SNAPSHOT = 4,   /* a learner writes a snapshot into the store */
  LEAT_LATENCY_ADD = 5,        /* a version is added to a store */
  LEAT_LATENCY_SWAP = 6,       /* an endpoint loads a version, tests it and swaps it in */
  LEAT_LATENCY_HOST = 8,       /* eight of the host's own, 8 to 15, which it adds itself */
  LEAT_LATENCY_OPS = 16
};
typedef int32_t leat_table_answer; /* what a look-up found; positive, never an error */
enum {
  LEAT_TABLE_MISS = 1,         /* the key is not there; the values are NaN */
  LEAT_TABLE_HIT = 2,          /* the table's prediction */
  LEAT_TABLE_DEFAULT = 3,      /* the key is not there: the table's default values */
  LEAT_TABLE_FALLBACK = 4,     /* the key is not there, or stale: the live model was asked */
  LEAT_TABLE_STALE = 5         /* the table's prediction, but the table's time is over */
};
typedef int32_t leat_table_change; /* what leat_table_diff tells of a key */
enum { LEAT_TABLE_ADDED = 1, LEAT_TABLE_REMOVED = 2, LEAT_TABLE_CHANGED = 3 };

typedef int32_t leat_drift_state; /* of a feature */
enum {
  LEAT_DRIFT_INSUFFICIENT = 0, /* too few rows to say anything */
  LEAT_DRIFT_OK = 1, LEAT_DRIFT_WARN = 2, LEAT_DRIFT_ALERT = 3
};

/* ------------------------------------------------------------------------------------------------ 2. Handles */
typedef struct leat_runtime leat_runtime;
typedef struct leat_device leat_device;
typedef struct leat_params leat_params;
typedef struct leat_schema leat_schema;
typedef struct leat_batch leat_batch;
typedef struct leat_dataset leat_dataset;
typedef struct leat_trainer leat_trainer;
typedef struct leat_model leat_model;
typedef struct leat_predictor leat_predictor;
typedef struct leat_metrics leat_metrics;
typedef struct leat_inspection leat_inspection;
typedef struct leat_store leat_store;
typedef struct leat_learner leat_learner;
typedef struct leat_quarantine leat_quarantine;
typedef struct leat_table leat_table;
typedef struct leat_table_reader leat_table_reader;
typedef struct leat_table_writer leat_table_writer;
typedef struct leat_follower leat_follower;
typedef struct leat_monitor leat_monitor;
typedef struct leat_endpoint leat_endpoint;

/* Arrow's C data and stream interfaces, as https://arrow.apache.org/docs/format/CDataInterface.html defines them for
 * copying: the same text, behind the same guards, as in other headers that have them. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};
#endif

/* ------------------------------------------------------------------------------------------------ 3. Structs
 * Caller-owned. A host may pass NULL wherever a host table is taken: the default is used. */

/* Where and why a call failed. detail[0] row (from 1, 0 unknown), [1] column (from 1, 0 unknown), [2] byte offset or
 * index, [3] the size or value that would have been right; each 0 where it has no meaning. */
typedef struct leat_error {
  uint64_t struct_size;
  int32_t code;
  int32_t os_code;
  int64_t detail[4];
  char message[464];
} leat_error;

/* Memory. All three must be thread-safe. `align` is a power of two, at least 16. alloc and resize return NULL on
 * failure (resize leaves the old block as it was). resize may be NULL: then alloc + copy + release. */
typedef struct leat_allocator {
  uint64_t struct_size;
  void *user;
  void *(*alloc)(void *user, uint64_t size, uint64_t align);
  void *(*resize)(void *user, void *p, uint64_t old_size, uint64_t new_size, uint64_t align);
  void (*release)(void *user, void *p, uint64_t size, uint64_t align);
} leat_allocator;

/* The host's threads. run() must call task(arg, i) once for each i in [0, n_tasks), on any threads, and return when
 * all are done. width: how many run at once (a hint; results never depend on it). */
typedef struct leat_executor {
  uint64_t struct_size;
  void *user;
  int64_t width;
  leat_status (*run)(void *user, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg);
} leat_executor;

/* Clocks, in nanoseconds: now_ns since 1970-01-01 UTC, monotonic_ns from any start. */
typedef struct leat_clock {
  uint64_t struct_size;
  void *user;
  int64_t (*now_ns)(void *user);
  int64_t (*monotonic_ns)(void *user);
} leat_clock;

/* How long an operation has taken, in nanoseconds. Quantiles are upper ends of buckets: at most 1/32 above the true
 * ones. */
typedef struct leat_latency {
  uint64_t struct_size;
  int64_t count, sum_ns, max_ns, p50_ns, p90_ns, p99_ns, p999_ns;
} leat_latency;

/* Files. Every function returns 0 or an errno value (ENOENT, ENOSPC, EIO, ...). Thread-safe; a file is used by one
 * thread at a time except read_at. Modes of open: LEAT_FILE_*. list calls `each` with every name in the folder but
 * "." and "..", in any order. lock takes an advisory lock on an open file (2 exclusive, 1 shared, 0 release) without
 * waiting: EWOULDBLOCK when another process holds it. map and unmap may be NULL. */
enum { LEAT_FILE_READ = 1, LEAT_FILE_WRITE = 2, LEAT_FILE_CREATE = 4, LEAT_FILE_TRUNCATE = 8, LEAT_FILE_EXCLUSIVE = 16 };
typedef struct leat_file_system {
  uint64_t struct_size;
  void *user;
  int32_t (*open)(void *user, const char *path, uint64_t mode, void **file);
  int32_t (*close)(void *user, void *file);
  int32_t (*size)(void *user, void *file, uint64_t *size);
  int32_t (*read_at)(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done);
  int32_t (*write_at)(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done);
  int32_t (*truncate)(void *user, void *file, uint64_t size);
  int32_t (*sync)(void *user, void *file);
  int32_t (*rename)(void *user, const char *from, const char *to);
  int32_t (*remove)(void *user, const char *path);
  int32_t (*make_folder)(void *user, const char *path);
  int32_t (*sync_folder)(void *user, const char *path);
  int32_t (*list)(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg);
  int32_t (*lock)(void *user, void *file, int64_t kind);
  int32_t (*map)(void *user, void *file, uint64_t size, const void **data);
  int32_t (*unmap)(void *user, const void *data, uint64_t size);
} leat_file_system;

/* Log callback; only ever runs on a thread that called into the library. `text` is `size` bytes, not NUL-terminated. */
typedef struct leat_log_sink {
  uint64_t struct_size;
  void *user;
  void (*write)(void *user, int64_t level, const char *text, uint64_t size);
} leat_log_sink;

/* The tables are copied, what `user` points to must outlive the runtime.
 *   cache_folder       where devices may cache compiled programs; NULL: nowhere
 *   n_threads          threads that work, the caller's own among them; 0 = 1. Ignored with an executor.
 *   log_level          LEAT_LOG_*; 0 = WARN         log_bytes  size of the log ring; 0 = 64 KiB
 *   load_budget_bytes  the most memory that loading one file may take; 0 = 4 GiB */
typedef struct leat_runtime_opts {
  uint64_t struct_size;
  const leat_allocator *allocator;
  const leat_file_system *files;
  const leat_clock *clock;
  const leat_executor *executor;
  const leat_log_sink *log;
  const char *cache_folder;
  int64_t n_threads;
  int64_t log_level;
  int64_t log_bytes;
  int64_t load_budget_bytes;
  uint64_t flags;
} leat_runtime_opts;

/* A dense matrix [rows, cols]: element (r, c) is data[r * row_stride + c * col_stride], strides in elements, may be
 * negative or swapped. Both strides 0: row-major, packed. */
typedef struct leat_matrix {
  uint64_t struct_size;
  void *data;
  int64_t rows, cols;
  int64_t row_stride, col_stride;
  int64_t dtype;
  uint64_t flags;
} leat_matrix;

/* A sparse matrix [rows, cols] in compressed rows: row r holds index[k], value[k] for k in [row_start[r],
 * row_start[r+1]). Indices are from 0 and ascend strictly in a row. value NULL: all ones. dtype: LEAT_F32 or LEAT_F64. */
typedef struct leat_csr {
  uint64_t struct_size;
  const int64_t *row_start;
  const int32_t *index;
  const void *value;
  int64_t rows, cols;
  int64_t dtype;
  uint64_t flags;
} leat_csr;

/* How far training is. step of steps (steps is the limit, training may converge earlier); rows_seen counts rows over
 * all passes; loss: mean training loss with penalty; score: validation loss (NaN without a validation set). */
typedef struct leat_progress {
  uint64_t struct_size;
  int64_t state;
  int64_t step, steps;
  int64_t rows_seen;
  double loss;
  double score;
  int64_t elapsed_ns;
  int64_t bytes_in_use;
} leat_progress;

/* One hyper-parameter. `choices`: for LEAT_PARAM_CHOICE, separated by '|', else NULL. min and max are inclusive and
 * hold for numbers. */
typedef struct leat_param_info {
  uint64_t struct_size;
  const char *name, *doc, *default_text, *choices;
  int64_t type;
  double min, max;
  int64_t since;
  uint64_t flags;
} leat_param_info;

/* One column. width: numbers a row (1, or more for a block such as the pixels of an image). n_categories: known labels
 * of a CATEGORY. flags: LEAT_COLUMN_SPARSE. */
enum { LEAT_COLUMN_SPARSE = 1 };
typedef struct leat_column_info {
  uint64_t struct_size;
  const char *name;
  int64_t kind, role, width, n_categories;
  uint64_t flags;
} leat_column_info;

/* One section of a leat file. Sizes in bytes: as stored, and unpacked; codec: "raw" or "zstd". */
typedef struct leat_section_info {
  uint64_t struct_size;
  const char *name, *codec;
  int64_t stored_bytes, raw_bytes;
  uint64_t flags;
} leat_section_info;

/* A version of a store. parent: the version it grew from, 0 none; rows_learned by its trainer; row: of the learner that
 * took it as a snapshot, else 0. origin: "train", "snapshot", ...; stages: comma-separated, "" none. flags:
 * LEAT_VERSION_*. */
enum { LEAT_VERSION_PINNED = 1, LEAT_VERSION_CERTIFIED = 2, LEAT_VERSION_SNAPSHOT = 4, LEAT_VERSION_REMOVED = 8 };
typedef struct leat_version_info {
  uint64_t struct_size;
  int64_t version, parent, created_ns, rows_learned, row, bytes;
  uint64_t flags;
  double loss;            /* faded progressive loss when it was taken; NaN for an added one */
  char checksum[40];      /* the package's, hex */
  char origin[64];
  char stages[128];
} leat_version_info;

/* One event of a store's history. generation: the store's after it; row: records learned (learner's events). */
typedef struct leat_event {
  uint64_t struct_size;
  int64_t generation, time_ns, kind, version, row;
  double value, threshold;
  char name[64];
  char text[256];
} leat_event;

/* Should production be trained again? reasons: LEAT_DUE_* bits, 0 no. version: production; age_ns since it was made; rows
 * that monitors have seen since (leat_store_monitored); feature, drift and limit: of the last of them. */
enum { LEAT_DUE_AGE = 1, LEAT_DUE_ROWS = 2, LEAT_DUE_DRIFT = 4 };
typedef struct leat_due_info {
  uint64_t struct_size;
  int64_t reasons, version, age_ns, rows;
  double drift, limit;
  char feature[64];
} leat_due_info;

/* A challenger against production on rows that it was not trained on. version: the challenger's in the store; against:
 * production's (0: there was none); losses: means over `rows` (log-loss, or squared error of numbers); upper: bound of
 * loss - (1 + margin) * against_loss at the confidence asked for; promoted: 1 when it is at most 0. */
typedef struct leat_challenge_info {
  uint64_t struct_size;
  int64_t version, against, rows, promoted;
  double loss, against_loss, upper;
} leat_challenge_info;

/* How a learner fared up to a moment: records learned (row), scored (rows) and held back so far, and the means over all
 * that were scored: loss and score (accuracy, or RMSE of numbers) of the predictions served, and of the two baselines.
 * Windows are differences of neighbours. flags: LEAT_POINT_NUMBERS when the target is a number. loss_deviation: standard
 * deviation of one row's loss, for intervals; NaN where an older leat wrote the point, or with fewer than two rows. */
enum { LEAT_POINT_NUMBERS = 1 };
typedef struct leat_point {
  uint64_t struct_size;
  int64_t time_ns, row, rows, quarantined;
  double loss, score, no_change_loss, no_change_score, majority_loss, majority_score;
  uint64_t flags;
  double loss_deviation;
} leat_point;

/* A learner now. mode: leat_learner_mode. position-independent counts, for the store's whole life. */
typedef struct leat_learner_state {
  uint64_t struct_size;
  int64_t mode;
  int64_t rows_seen, rows_learned, rows_quarantined, rows_duplicate, rows_counted;
  int64_t labels_pending, labels_unmatched, labels_expired;
  int64_t live_version;   /* newest version taken from it, 0 none */
  int64_t good_version;   /* certified last-good, 0 none */
  int64_t swaps, rollbacks, snapshots;
  int64_t suspect;        /* 1: a suspect period is open */
  int64_t model_age_ns;   /* since the last record was learned */
  int64_t journal_bytes;
  int64_t label_delay[12]; /* labels since it was opened, by how long their prediction has waited: as in leat_score_state */
  double label_delay_seconds; /* their sum */
} leat_learner_state;

/* A record of the quarantine. column: in its schema, from 0, -1 the whole record; position in its source; state:
 * LEAT_HELD_*; replays: how often a release was tried. Texts are cut to fit. */
enum { LEAT_HELD = 1, LEAT_HELD_RELEASED = 2, LEAT_HELD_PURGED = 3 };
typedef struct leat_held_info {
  uint64_t struct_size;
  int64_t id, reason, column, position, time_ns, row, state, replays;
  uint64_t raw_bytes;
  char source[256], column_name[128], detail[256];
} leat_held_info;

/* One feature, or the target, against its reference. value: the population stability index psi = sum (p - q) ln(p / q)
 * over the cells of the reference profile; js: Jensen-Shannon distance (base 2); ks: Kolmogorov-Smirnov distance over
 * the ordered cells (NaN for a category); linf: largest difference of one cell's shares. warn and alert are the limits
 * for value at these numbers of rows. worst_cell adds most: share in the window, reference_share before. windows: in a
 * row in this state. */
typedef struct leat_drift_info {
  uint64_t struct_size;
  int64_t state, rows, reference_rows, windows;
  double value, warn, alert, js, ks, linf, share, reference_share;
  char name[128], worst_cell[64];
} leat_drift_info;

/* A learner's monitor at a window's end: one feature, "(prediction)" or "(calibration)" (value: expected calibration error,
 * share: how often the worst cell came true, reference_share: what was predicted). row: records learned; since: compared
 * rows when the state began. */
typedef struct leat_drift_point {
  uint64_t struct_size;
  int64_t time_ns, row, since;
  leat_drift_info drift;
} leat_drift_point;

/* A predictor on loan from an endpoint, the model it predicts with (borrowed for as long as the loan), and the model's
 * version in the store. serial: of the swap that brought it, to tell whether anything has changed since the last loan.
 * place is the endpoint's own. flags: LEAT_LEASE_*. */
enum { LEAT_LEASE_CANDIDATE = 1 }; /* of a trial's candidate */
typedef struct leat_lease {
  uint64_t struct_size;
  leat_predictor *predictor;
  const leat_model *model;
  int64_t version, serial, place;
  uint64_t flags;
} leat_lease;

typedef int32_t leat_trial_phase;
enum {
  LEAT_TRIAL_NONE = 0,         /* there has been none */
  LEAT_TRIAL_SHADOW = 1,       /* the candidate predicts beside what is served, and answers nobody */
  LEAT_TRIAL_CANARY = 2,       /* it answers a share of the keys */
  LEAT_TRIAL_PROMOTED = 3,     /* over: it was promoted */
  LEAT_TRIAL_ABORTED = 4       /* over: it answers nobody */
};
typedef int32_t leat_trial_action; /* by hand */
enum { LEAT_TRIAL_FORWARD = 1, LEAT_TRIAL_BACK = 2, LEAT_TRIAL_ABORT = 3, LEAT_TRIAL_PROMOTE = 4 };

/* A trial now, or the last one. version: the candidate; against: what it is compared with; step of steps, 0 is shadow;
 * share of the keys that it answers. labels: rows that both have predicted and whose labels came; step_labels: of this
 * step; answered: of them, by the candidate. loss, against_loss: means over them, log-loss (numbers: Huber's, in units
 * of the root mean square error), cut at 3. no_worse, worse: evidence (step forward at `evidence`, back at `caution`,
 * abort at `alarm`). text: what happened last, and why. */
typedef struct leat_trial_state {
  uint64_t struct_size;
  int64_t phase, version, against, step, steps, since_ns, labels, step_labels, answered, automatic;
  double share, loss, against_loss, no_worse, worse, evidence, caution, alarm;
  char text[256];
} leat_trial_state;

/* Predictions to be remembered until their label comes: p [n] is what was answered, on the loan `served`; q [m] what
 * the other one of a pair says, on the loan `beside` (NULL or without a predictor: there is none).
 * n and m: out_cols. */
typedef struct leat_noted {
  uint64_t struct_size;
  const void *key;
  uint64_t key_size;
  const leat_lease *served, *beside;
  const double *p, *q;
} leat_noted;

/* What an endpoint has noted. dropped: notes for which there was no room; waiting for labels now; scored; unmatched:
 * labels that nothing waited for; expired: predictions whose labels never came; unscored: of a version that is long
 * gone. loss: of what was answered, as in leat_trial_state, faded over 1000 labels. calibration_error: expected
 * calibration error over ten equal bins, calibration_ratio: predicted over happened (1: right on average), both faded
 * over 10 000 labels; two classes: of the second one, more: of the likeliest. NaN: not known. delay: labels that came
 * within 0.1 s, 1 s, 10 s, 1 min, 5 min, 30 min, 1 h, 6 h, 1, 3, 7 days, later; delay_seconds: their sum. */
enum { LEAT_DELAY_BUCKETS = 12 };
typedef struct leat_score_state {
  uint64_t struct_size;
  int64_t noted, dropped, waiting, scored, unmatched, expired, unscored, last_label_ns;
  double loss, calibration_error, calibration_ratio, delay_seconds;
  int64_t delay[12];
} leat_score_state;

/* What an endpoint serves: a version (0 none), since when, for which stage; the version before. serial counts swaps.
 * failures: versions that did not load or failed their self-test; failed_version (0 none) should be served but cannot be,
 * and failure says why. load_ns: what the last load, self-test and warm-up took. leases: loans now; resident: versions
 * in memory. generation: the store's when it was looked at last. */
typedef struct leat_endpoint_state {
  uint64_t struct_size;
  int64_t version, previous_version, serial, since_ns, generation;
  int64_t failures, failed_version, load_ns, leases, resident;
  char stage[64];
  char failure[512];
} leat_endpoint_state;

/* A device. Memory in bytes, 0 unknown; alignment in bytes for wrapped host memory; dtype_mask: bit (1 << LEAT_F32)...;
 * flags: LEAT_DEVICE_FLUSHES when numbers below the normal range (denormals) may count as 0. */
enum { LEAT_DEVICE_FLUSHES = 1 };
typedef struct leat_device_props {
  uint64_t struct_size;
  const char *name, *vendor, *driver, *backend;
  int64_t kind;
  int64_t mem_total, mem_free, max_alloc, alignment;
  uint64_t dtype_mask, flags;
} leat_device_props;

/* A table of predictions. layout: "sorted" or "hash"; key_type: "bytes" or "u64"; model_checksum: of the model that
 * predicted, hex, "" when none was named; value_names [values]; default_values [values] or NULL; key_bytes: of the longest
 * key; valid_until_ns: 0 for ever. The pointers live as long as the table. */
typedef struct leat_table_info {
  uint64_t struct_size;
  const char *layout, *key_type, *model_checksum, *checksum;
  const char *const *value_names;
  const float *default_values;
  int64_t rows, values, bytes, key_bytes, created_ns, valid_until_ns;
  uint64_t flags;
} leat_table_info;

/* How a table differs from another one: keys. max_difference: the largest of any value of a key that both have. */
typedef struct leat_table_changes {
  uint64_t struct_size;
  int64_t same, added, removed, changed;
  double max_difference;
} leat_table_changes;

/* A table that is published in a store. generation: of this name, from 1; previous: where a rollback leads, 0 none;
 * newest: the highest one that was ever given. psi: of its predictions against the one before, NaN when there was nothing
 * to compare. flags: LEAT_PUBLISHED_*. */
enum { LEAT_PUBLISHED_FORCED = 1 };
typedef struct leat_published_info {
  uint64_t struct_size;
  int64_t generation, previous, newest, published_ns, rows, bytes;
  double psi;
  uint64_t flags;
  char name[64], checksum[40], model_checksum[40];
} leat_published_info;

/* What publishing found. generation: the new one, 0 when it was refused; previous_*: what it was compared with, 0
 * nothing; psi: of the value that moved most, its name in value, and psi_limit, above which it is refused; NaN: not
 * compared. */
typedef struct leat_publish_report {
  uint64_t struct_size;
  int64_t generation, rows, previous_generation, previous_rows;
  double psi, psi_limit;
  char value[64];
} leat_publish_report;

/* ------------------------------------------------------------------------------------------------ 4. Version */

/* The library's version: major << 16 | minor << 8 | patch. Thread: immutable. */
LEAT_API uint32_t leat_version(void);
/* The same as text, "0.1.0". Static memory. Thread: immutable. */
LEAT_API const char *leat_version_text(void);
/* What this build can do, by name ("avx2", "blis", "zstd", ...): *value is 0 or a number that is not 0.
 * Errors: ARG, NOT_FOUND (name unknown to this version). Thread: immutable. */
LEAT_API leat_status leat_feature(const char *name, int64_t *value);
/* "LEAT_E_ARG" and the like; "LEAT_E_UNKNOWN" for numbers this version does not know. Static. Thread: immutable. */
LEAT_API const char *leat_status_name(leat_status status);
/* A short sentence for a status. Static memory. Thread: immutable. */
LEAT_API const char *leat_status_text(leat_status status);

/* ------------------------------------------------------------------------------------------------ 5. Runtime
 * Owns the host tables, the thread pool, the devices and the log. A process may hold several. */

/* Makes a runtime. opts NULL: all defaults. Owner: caller, leat_runtime_free.
 * Errors: ARG, MEMORY, VERSION, BACKEND (BLIS is the OpenMP build). Thread: immutable. */
LEAT_API leat_status leat_runtime_create(const leat_runtime_opts *opts, leat_runtime **out, leat_error *err);
/* Gives up the caller's reference; the runtime goes when its last child has gone. Thread: safe. */
LEAT_API void leat_runtime_free(leat_runtime *rt);
/* The file system that a runtime uses when it is given none, for a host that changes some of its functions and hands the
 * rest on (their `user` is files->user). Fills as much as files->struct_size says. Errors: ARG. Thread: immutable. */
LEAT_API leat_status leat_files_default(leat_file_system *files, leat_error *err);
/* Takes the oldest message out of the log ring into buf (UTF-8, NUL-terminated). *needed 0: the ring is empty.
 * level and time_ns may be NULL. Errors: ARG, CAPACITY (the message stays). Thread: safe. */
LEAT_API leat_status leat_runtime_log_read(leat_runtime *rt, int64_t *level, int64_t *time_ns, char *buf, uint64_t cap,
                                           uint64_t *needed);
/* A number of the runtime's: bytes_in_use, bytes_peak, allocations, threads, log_lost, fallback_ops.
 * Errors: ARG, NOT_FOUND. Thread: safe. */
LEAT_API leat_status leat_runtime_stat(const leat_runtime *rt, const char *name, int64_t *value, leat_error *err);
/* Times the operations LEAT_LATENCY_* of this runtime from now on: of predictions of one row one of every `every`, of the
 * rest all that succeed. 0: off, as it is at first; no clock is read then. What was counted stays. Each has a histogram of
 * fixed size (9 KB; 32 buckets a doubling, as G. Tene's HdrHistogram), which threads add to without a lock. Errors: ARG,
 * MEMORY. Thread: safe. */
LEAT_API leat_status leat_runtime_set_latency(leat_runtime *rt, int64_t every, leat_error *err);
/* What was counted of an operation; all 0 when nothing was. Errors: ARG (op outside [0, LEAT_LATENCY_OPS)).
 * Thread: safe. */
LEAT_API leat_status leat_runtime_latency(const leat_runtime *rt, int64_t op, leat_latency *out, leat_error *err);
/* The buckets that hold anything, ascending: upper_ns [cap] the largest value of each, count [cap] how many. *needed: how
 * many there are (at most 1152). Errors: ARG, CAPACITY (then as many as fit are given). Thread: safe. */
LEAT_API leat_status leat_runtime_latency_buckets(const leat_runtime *rt, int64_t op, int64_t *upper_ns, int64_t *count,
                                                  int64_t cap, int64_t *needed, leat_error *err);
/* Counts `count` times ns: the host's own operations; or, bucket after bucket, what another process has counted. Errors:
 * ARG (negative, or a product beyond 64 bits), STATE (latency was never switched on). Thread: safe. */
LEAT_API leat_status leat_runtime_latency_add(leat_runtime *rt, int64_t op, int64_t ns, int64_t count, leat_error *err);
/* Loads a device plug-in from a shared library; path has a '/' (nothing is searched).
 * Errors: ARG, NOT_FOUND, BACKEND, VERSION, MEMORY. Thread: safe. */
LEAT_API leat_status leat_runtime_load_backend(leat_runtime *rt, const char *path, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 6. Devices
 * Borrowed: a device lives as long as its runtime. "cpu" is always there, and "reference", plain C to compare with. */

/* How many devices there are. Errors: ARG. Thread: safe. */
LEAT_API leat_status leat_device_count(const leat_runtime *rt, int64_t *count, leat_error *err);
/* The device at index in [0, count). Errors: ARG, NOT_FOUND. Thread: safe. */
LEAT_API leat_status leat_device_at(const leat_runtime *rt, int64_t index, const leat_device **out, leat_error *err);
/* The device of a name ("cpu", "reference", "opencl:0"). Errors: ARG, NOT_FOUND. Thread: safe. */
LEAT_API leat_status leat_device_find(const leat_runtime *rt, const char *name, const leat_device **out,
                                      leat_error *err);
/* Its properties; set props->struct_size first. Errors: ARG, VERSION. Thread: immutable. */
LEAT_API leat_status leat_device_get_props(const leat_device *dev, leat_device_props *props, leat_error *err);
/* Why the device cannot be used, as text in buf; empty (*needed 1) when it can. Errors: ARG, CAPACITY. Thread: safe. */
LEAT_API leat_status leat_device_state(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed,
                                       leat_error *err);
/* The operations of docs/ops.md that the device offers itself, in any of their forms, as names with a space between them
 * in buf; what it lacks the CPU computes. Opens the device. Errors: ARG, CAPACITY, what opening it gives. Thread: safe. */
LEAT_API leat_status leat_device_ops(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 7. Parameters
 * Hyper-parameters are named, typed and listed. A spec names a set of them: "model/linear", "reader/csv",
 * "reader/svmlight", "reader/idx", "reader/npy", "reader/arrow", "predictor", "store", "learner". Setting checks name, type
 * and bounds at once. */

/* How many specs there are. Errors: ARG. Thread: immutable. */
LEAT_API leat_status leat_spec_count(const leat_runtime *rt, int64_t *count, leat_error *err);
/* The name of spec `index` in [0, count). Static memory. Errors: ARG, NOT_FOUND. Thread: immutable. */
LEAT_API leat_status leat_spec_name(const leat_runtime *rt, int64_t index, const char **name, leat_error *err);
/* A parameter set of a spec, all at their defaults. Owner: caller. Errors: ARG, NOT_FOUND, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_params_create(leat_runtime *rt, const char *spec, leat_params **out, leat_error *err);
/* Frees it; users have copied it. Thread: owner. */
LEAT_API void leat_params_free(leat_params *p);
/* A copy. Owner: caller. Errors: ARG, MEMORY. Thread: owner. */
LEAT_API leat_status leat_params_copy(const leat_params *p, leat_params **out, leat_error *err);
/* How many parameters the set has. Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_params_count(const leat_params *p, int64_t *count, leat_error *err);
/* What parameter `index` in [0, count) is; set info->struct_size first. Errors: ARG, NOT_FOUND, VERSION. Thread: owner. */
LEAT_API leat_status leat_params_info(const leat_params *p, int64_t index, leat_param_info *info, leat_error *err);
/* Sets an integer (a BOOL takes 0 and 1, an F64 takes any). Errors: ARG, NOT_FOUND (with the nearest name), RANGE.
 * Thread: owner. */
LEAT_API leat_status leat_params_set_i64(leat_params *p, const char *name, int64_t value, leat_error *err);
/* Sets a real number. Errors: ARG, NOT_FOUND, RANGE. Thread: owner. */
LEAT_API leat_status leat_params_set_f64(leat_params *p, const char *name, double value, leat_error *err);
/* Sets any type from text ("0.1", "true", "lbfgs"). Errors: ARG, NOT_FOUND, RANGE. Thread: owner. */
LEAT_API leat_status leat_params_set_text(leat_params *p, const char *name, const char *value, leat_error *err);
/* Reads an integer or BOOL. Errors: ARG, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_params_get_i64(const leat_params *p, const char *name, int64_t *value, leat_error *err);
/* Reads a real number or an integer. Errors: ARG, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_params_get_f64(const leat_params *p, const char *name, double *value, leat_error *err);
/* Reads any type as text. Errors: ARG, NOT_FOUND, CAPACITY. Thread: owner. */
LEAT_API leat_status leat_params_get_text(const leat_params *p, const char *name, char *buf, uint64_t cap,
                                          uint64_t *needed, leat_error *err);
/* Back to the default; name NULL: all of them. Errors: ARG, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_params_reset(leat_params *p, const char *name, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 8. Schema
 * The columns of a data set: name, kind, role, width, and the labels of categories. */

/* An empty schema. Owner: caller. Errors: ARG, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_schema_create(leat_runtime *rt, leat_schema **out, leat_error *err);
/* Frees it; users have copied it. Thread: owner. */
LEAT_API void leat_schema_free(leat_schema *s);
/* Adds a column of one value a row. Errors: ARG (name empty or taken, kind or role unknown), MEMORY. Thread: owner. */
LEAT_API leat_status leat_schema_add_column(leat_schema *s, const char *name, leat_kind kind, leat_role role,
                                            leat_error *err);
/* Adds a block: `width` NUMBER features a row under one name; sparse 1: rows are given as CSR. At most one sparse block.
 * Errors: ARG, RANGE (width outside [1, 2^31 - 1]), MEMORY. Thread: owner. */
LEAT_API leat_status leat_schema_add_block(leat_schema *s, const char *name, int64_t width, int64_t sparse,
                                           leat_error *err);
/* Adds a label to a CATEGORY column; codes count from 0 in the order of adding. Errors: ARG (label is there already, or
 * column is no CATEGORY), NOT_FOUND, MEMORY. Thread: owner. */
LEAT_API leat_status leat_schema_add_category(leat_schema *s, int64_t column, const char *label, leat_error *err);
/* Changes the role of a column. Errors: ARG, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_schema_set_role(leat_schema *s, int64_t column, leat_role role, leat_error *err);
/* How many columns. Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_schema_count(const leat_schema *s, int64_t *count, leat_error *err);
/* Column `index` in [0, count); set info->struct_size first. Errors: ARG, NOT_FOUND, VERSION. Thread: owner. */
LEAT_API leat_status leat_schema_column(const leat_schema *s, int64_t index, leat_column_info *info, leat_error *err);
/* The index of a column by name. Errors: ARG, NOT_FOUND (with the nearest name). Thread: owner. */
LEAT_API leat_status leat_schema_find(const leat_schema *s, const char *name, int64_t *index, leat_error *err);
/* The label of code `index` of a CATEGORY column. Errors: ARG, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_schema_category(const leat_schema *s, int64_t column, int64_t index, const char **label,
                                          leat_error *err);

/* ------------------------------------------------------------------------------------------------ 9. Batches
 * The one unit that flows: n rows of a schema. Fill it by one of set_dense, set_csr, add_text; clear and refill it
 * without allocation once it has grown.
 *
 * Numbers that stand for other kinds (set_dense, leat_predictor_run, _one_f32, _one_f64): a CATEGORY is its code from 0
 * (NaN or negative missing, at or above n_categories unseen), a BOOL 0 or 1, a TIME nanoseconds since 1970; NaN is
 * missing. TEXT and ID columns have no number and are skipped in the count of columns. */

/* An empty batch. Owner: caller. Errors: ARG, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_batch_create(leat_runtime *rt, const leat_schema *s, leat_batch **out, leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_batch_free(leat_batch *b);
/* Takes all rows out, keeps the memory. Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_batch_clear(leat_batch *b, leat_error *err);
/* Sets the feature columns from x [rows, feature numbers of the schema in order], F32 or F64 or U8.
 * Errors: ARG, SHAPE, DTYPE, MEMORY. Thread: owner. */
LEAT_API leat_status leat_batch_set_dense(leat_batch *b, const leat_matrix *x, leat_error *err);
/* Sets the sparse block from x [rows, at most width]. Errors: ARG, SHAPE, DTYPE, DATA (indices do not ascend),
 * UNSUPPORTED (no sparse block), MEMORY. Thread: owner. */
LEAT_API leat_status leat_batch_set_csr(leat_batch *b, const leat_csr *x, leat_error *err);
/* Adds one row of strings, one for each column that is not IGNORE, in the schema's order; NULL or "" is missing.
 * Errors: ARG, SHAPE, DATA (junk number, unseen label of the target), MEMORY. Thread: owner. */
LEAT_API leat_status leat_batch_add_text(leat_batch *b, const char *const *fields, uint64_t n, leat_error *err);
/* Sets the target y [rows, 1] (class codes or numbers) and weights w [rows, 1] (NULL: all 1), F32 or F64.
 * Errors: ARG, SHAPE, DTYPE, MEMORY. Thread: owner. */
LEAT_API leat_status leat_batch_set_labels(leat_batch *b, const leat_matrix *y, const leat_matrix *w, leat_error *err);
/* Says where the rows come from: row i has position first + i in `source` (a file, a topic and partition; at most 255
 * bytes). A learner takes each position of a source once. leat_dataset_next says it by itself: the file's name and the
 * record's number in it from 0. leat_batch_clear takes it back. Errors: ARG, RANGE, MEMORY. Thread: owner. */
LEAT_API leat_status leat_batch_set_source(leat_batch *b, const char *source, int64_t first, leat_error *err);
/* Adds a row that could not be read: all its fields are missing, and a learner's gate holds it back for `reason` with
 * these raw bytes. column: at fault, from 0, -1 none. Errors: ARG, RANGE, MEMORY. Thread: owner. */
LEAT_API leat_status leat_batch_add_bad(leat_batch *b, leat_reason reason, int64_t column, const void *raw, uint64_t size,
                                        leat_error *err);
/* How many rows. Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_batch_rows(const leat_batch *b, int64_t *rows, leat_error *err);
/* A field of a batch as text, as a reader would read it back: numbers at full precision, labels of categories, empty
 * when missing. For a block only width 1. Errors: ARG, NOT_FOUND, UNSUPPORTED, CAPACITY. Thread: owner. */
LEAT_API leat_status leat_batch_text(const leat_batch *b, int64_t row, int64_t column, char *buf, uint64_t cap,
                                     uint64_t *needed, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 10. Datasets
 * Immutable rows of a schema, in memory, or read in passes from a file (reader parameter stream=1). The readers' parameters
 * errors=keep, raw and grow are for learners: records that cannot be read come as rows without fields and with their
 * reason, the bytes of rows travel with them, and labels that come up late get into the schema (docs/data.md). */

/* From x [rows, cols] (F32, F64, U8; any strides), y [rows, 1] and w [rows, 1] (each may be NULL; F32, F64, or for y
 * I32, I64, U8 too). s NULL: one block "x", target "y": a CATEGORY when y has at most 20 distinct integers.
 * Else x has the schema's feature numbers in order. Copies. Owner: caller.
 * Errors: ARG, SHAPE, DTYPE, DATA, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_from_dense(leat_runtime *rt, const leat_schema *s, const leat_matrix *x,
                                             const leat_matrix *y, const leat_matrix *w, leat_dataset **out,
                                             leat_error *err);
/* The same from a sparse matrix. Errors: ARG, SHAPE, DTYPE, DATA, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_from_csr(leat_runtime *rt, const leat_schema *s, const leat_csr *x,
                                           const leat_matrix *y, const leat_matrix *w, leat_dataset **out,
                                           leat_error *err);
/* From a file. `reader` is a parameter set of "reader/csv", "reader/ndjson", "reader/svmlight", "reader/ldat",
 * "reader/idx" or "reader/npy"; NULL: by the file's name. zstd-compressed files are read as they are. s NULL: kinds and
 * roles are inferred and the reader's parameters target, key, weight, time, ignore, categorical, text, task are used. s
 * given (a model's schema): columns are found by name; TARGET, KEY and WEIGHT may be absent, features may not. Owner:
 * caller. Errors: ARG, IO, FORMAT, DATA (file, row, column in the message and detail), NOT_FOUND (a column), UNSUPPORTED
 * (a dataset file's column is of another kind than that of s), MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_open(leat_runtime *rt, const leat_schema *s, const char *path,
                                       const leat_params *reader, leat_dataset **out, leat_error *err);
/* From bytes that `pull` gives: it fills buf with up to cap bytes and returns how many, 0 at the end, negative on
 * failure; it runs on the calling thread only and, for a streaming dataset, also inside leat_dataset_next. `name` is
 * used in messages. Errors: as leat_dataset_open; IO when pull fails. Thread: immutable. */
LEAT_API leat_status leat_dataset_from_reader(leat_runtime *rt, const leat_schema *s, const leat_params *reader,
                                              const char *name, int64_t (*pull)(void *user, void *buf, uint64_t cap),
                                              void *user, leat_dataset **out, leat_error *err);
/* From an Arrow array of structs (a record batch) and its schema. What lies as leat wants it is used where it lies: numbers
 * without nulls (floats also in fixed-size lists), times in nanoseconds, the bytes of texts; the rest is converted. p:
 * parameters of "reader/arrow" (NULL: defaults): target, key, ignore, categorical, ...; s as in leat_dataset_open. Types
 * are believed; dictionaries and strings are categories, nulls are missing, structs are taken apart ("a.b"); docs/arrow.md.
 * Ownership: success moves both (their release is NULL then); a failure leaves both as they were. Owner: caller.
 * Errors: ARG, DTYPE (a type that is not taken), FORMAT (the array breaks Arrow's rules), DATA (row and column in detail),
 * NOT_FOUND (a column), MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_from_arrow(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                             struct ArrowSchema *schema, struct ArrowArray *array, leat_dataset **out,
                                             leat_error *err);
/* From an Arrow stream, all of its arrays (chunks are not joined), or with stream=1 one after the other: then the dataset
 * can be read by leat_dataset_next once. Ownership: the stream is moved, and released when it has been read; a failure
 * before the first get_next leaves it as it was, after a later one it is released and marked so. Errors: as
 * leat_dataset_from_arrow; IO (the producer failed; os_code is what it returned). Thread: immutable. */
LEAT_API leat_status leat_dataset_from_arrow_stream(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                                    struct ArrowArrayStream *stream, leat_dataset **out,
                                                    leat_error *err);
/* The same of a source that can be read more than once: `open` fills *out with a fresh stream of the same columns and rows
 * (0, or an errno value), now and whenever leat_dataset_rewind is called with stream=1, on the calling thread. Owner:
 * caller. Errors: as leat_dataset_from_arrow_stream. Thread: immutable. */
LEAT_API leat_status leat_dataset_from_arrow_source(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                                    int32_t (*open)(void *user, struct ArrowArrayStream *out),
                                                    void *user, leat_dataset **out, leat_error *err);
/* A dataset's rows as an Arrow stream, batch_rows an array (0: as they lie), of columns that have data; a streaming dataset
 * from its position on. Number, time and text columns are lent where they lie; NaN and other missing values are null. The
 * caller releases *out; stream and arrays keep what they need, and may be released on any thread. The stream is for one
 * thread at a time; it must not be pulled while another thread is inside a streaming dataset. Errors: ARG, RANGE, MEMORY.
 * Thread: owner. */
LEAT_API leat_status leat_dataset_to_arrow(leat_dataset *d, int64_t batch_rows, struct ArrowArrayStream *out,
                                           leat_error *err);
/* From DLPack tensors x [rows, ...], y [rows] and w [rows] (each of the two may be NULL), as leat_dataset_from_dense; major
 * 0: each is a DLManagedTensor, 1: a DLManagedTensorVersioned. x's numbers (F32, F64, integers, booleans; any strides, on
 * the CPU) are used where they lie; y and w are copied, and so is x when s has features that are no numbers. Ownership:
 * success moves all three (their deleters are called once by the library); a failure leaves them. Owner: caller.
 * Errors: ARG, SHAPE, DTYPE, UNSUPPORTED (another device), VERSION, DATA, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_from_dlpack(leat_runtime *rt, const leat_schema *s, int64_t major, void *x, void *y,
                                              void *w, leat_dataset **out, leat_error *err);
/* Rows [first, first + count) as a dataset; nothing is copied. Owner: caller. Errors: ARG, RANGE, UNSUPPORTED
 * (streaming), MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_slice(const leat_dataset *d, int64_t first, int64_t count, leat_dataset **out,
                                        leat_error *err);
/* The given rows, in this order, repeats allowed; only the n numbers are copied. Errors: ARG, RANGE, UNSUPPORTED,
 * MEMORY. Thread: immutable. */
LEAT_API leat_status leat_dataset_take(const leat_dataset *d, const int64_t *rows, uint64_t n, leat_dataset **out,
                                       leat_error *err);
/* Rows, and feature numbers a row (the in_cols of a predictor). rows is -1 for a stream that is not read to its end.
 * Errors: ARG. Thread: immutable. */
LEAT_API leat_status leat_dataset_shape(const leat_dataset *d, int64_t *rows, int64_t *cols, leat_error *err);
/* Its schema, a copy; of a stream with grow=1, as of the rows that leat_dataset_next has given. Owner: caller.
 * Errors: ARG, MEMORY. Thread: immutable; of such a stream, owner. */
LEAT_API leat_status leat_dataset_schema(const leat_dataset *d, leat_schema **out, leat_error *err);
/* The next at most max_rows rows into `rows` (a batch of the dataset's schema, cleared first); *got 0 at the end. Works
 * on any dataset; the position is the dataset's. A stream with grow=1 may have got labels since `rows` was made of its
 * schema: `rows` then becomes a batch of the schema as it is now, in which all labels so far keep their codes.
 * Errors: ARG, IO, FORMAT, DATA, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_dataset_next(leat_dataset *d, int64_t max_rows, leat_batch *rows, int64_t *got,
                                       leat_error *err);
/* Back to the first row. Errors: ARG, IO, UNSUPPORTED (a pull stream), BUSY. Thread: owner. */
LEAT_API leat_status leat_dataset_rewind(leat_dataset *d, leat_error *err);
/* Writes the rows from the dataset's position on as a dataset file (.ldat, docs/formats.md), in the memory of one block of
 * rows: a stream of any length becomes a file that is mapped, streamed and read in any order, with its schema, labels and
 * roles. settings: of "dataset/save"; NULL: defaults. *rows (may be NULL): how many were written. What stood at `path`
 * stays until the new file is whole. Errors: ARG, IO, DATA (no rows), MEMORY, BUSY, and those of leat_dataset_next.
 * Thread: owner. */
LEAT_API leat_status leat_dataset_save(leat_dataset *d, const char *path, const leat_params *settings, int64_t *rows,
                                       leat_error *err);
/* Frees it. Thread: safe. */
LEAT_API void leat_dataset_free(leat_dataset *d);

/* ------------------------------------------------------------------------------------------------ 11. Trainers
 * A trainer owns a model that is being made. Offline: set_data, then fit, or a loop over step; snapshot gives a model.
 * The same data, seed, library and device give the same bytes at any number of threads.
 *
 * Online ("online/linear", "online/mlp"): learn or test_then_train batch after batch, as rows come; snapshot gives a
 * model at any time, save and load keep everything. Nothing is tuned and there is no first pass: numbers are
 * standardised by what was seen so far, labels, words and sparse indices are hashed, new classes may come up. A row
 * without a label is predicted but not learned, a missing or infinite number is left out, a row of weight 0 is scored
 * but not learned. Rows are learned one after the other: the same rows give the same bytes however they are cut into
 * calls (of whole chunks). set_data, fit and step are UNSUPPORTED on an online trainer, the online calls on an offline
 * one. */

/* A trainer for a model parameter set ("model/linear", "model/mlp", "online/linear", "online/mlp"). s: the schema of
 * the data (NULL: taken from set_data, or from the first rows learned). dev NULL: the cpu device. p is copied. Owner:
 * caller. Errors: ARG, DATA (online: no target, too many classes), UNSUPPORTED, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_trainer_create(leat_runtime *rt, const leat_params *p, const leat_schema *s,
                                         const leat_device *dev, leat_trainer **out, leat_error *err);
/* A trainer that starts warm: from m's parameters and with m's encoder. p NULL: m's own. Errors: ARG, UNSUPPORTED,
 * MEMORY. Thread: immutable. */
LEAT_API leat_status leat_trainer_from_model(const leat_model *m, const leat_params *p, const leat_device *dev,
                                             leat_trainer **out, leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_trainer_free(leat_trainer *t);
/* The training rows, and rows for early stopping (or NULL). Both are kept by reference. After leat_trainer_load the data
 * must be the checkpoint's (checked by rows and a checksum). Errors: ARG, STATE, DATA (one class, no feature, no row),
 * SHAPE, UNSUPPORTED, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_trainer_set_data(leat_trainer *t, const leat_dataset *train, const leat_dataset *valid,
                                           leat_error *err);
/* Trains to the end. Errors: STATE, NUMERIC, MEMORY, CANCELLED (what was reached stays, step may go on), BUSY.
 * Thread: owner. */
LEAT_API leat_status leat_trainer_fit(leat_trainer *t, leat_error *err);
/* Trains on for about max_rows rows (rounded up to whole tiles; 0: one iteration), then returns; progress in out (may
 * be NULL), out->state LEAT_TRAIN_DONE at the end. How the work is cut into steps does not change the result.
 * Errors: as fit. Thread: owner. */
LEAT_API leat_status leat_trainer_step(leat_trainer *t, int64_t max_rows, leat_progress *out, leat_error *err);
/* Online: learns rows, of which nothing is predicted or scored. The first rows' schema is the trainer's unless create was
 * given one; later ones need its feature columns by name. Errors: ARG, UNSUPPORTED, NOT_FOUND (a column), DATA (no target,
 * a target or weight that is no number: nothing is learned then), MEMORY (where a new class comes up, detail[0]: the
 * rows before it are learned), BUSY. Thread: owner. */
LEAT_API leat_status leat_trainer_learn(leat_trainer *t, const leat_batch *rows, leat_error *err);
/* Online, progressive validation: predicts chunk_rows rows, then scores and learns them, and so on to the end. With 1,
 * every row is predicted by what was learned from all rows before it. The last chunk of a call may be shorter.
 * pred [rows, 1] (F32, F64; may be NULL): the number, or P(class 1) of up to two classes; or [rows, at least the classes
 * after this call]: the probability of each class (0 before it has come up). Errors: as learn, RANGE, SHAPE, DTYPE.
 * Thread: owner. */
LEAT_API leat_status leat_trainer_test_then_train(leat_trainer *t, const leat_batch *rows, int64_t chunk_rows,
                                                  leat_matrix *pred, leat_error *err);
/* Online: predictions of the present state, pred as above; what a snapshot's predictor gives, bit for bit.
 * Errors: ARG, UNSUPPORTED, STATE (no row and no schema yet), NOT_FOUND, SHAPE, DTYPE, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_trainer_predict(leat_trainer *t, const leat_batch *rows, leat_matrix *pred, leat_error *err);
/* How far it is; set out->struct_size. Online: step and rows_seen are rows learned, loss and score the cumulative and the
 * faded progressive loss. Errors: ARG. Thread: any. */
LEAT_API leat_status leat_trainer_progress(const leat_trainer *t, leat_progress *out, leat_error *err);
/* Asks the owner's call to return LEAT_E_CANCELLED soon (fit and step); when none is under way, the next one does.
 * Errors: ARG. Thread: any. */
LEAT_API leat_status leat_trainer_cancel(leat_trainer *t);
/* Metrics of the present parameters on the training rows (set 0) or the validation rows (set 1). Owner: caller.
 * Online, of test_then_train's predictions: set 0 all rows, 1 faded (a row counts half after half_life more), 2 the last
 * `window` rows (with auc), 3 what repeating the label before would have given, 4 what the commonest label so far (the
 * mean) would have. Errors: ARG, STATE, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_trainer_metrics(leat_trainer *t, int64_t set, leat_metrics **out, leat_error *err);
/* The present parameters as an immutable model (with early stopping: the best so far; online: the whole state, so that
 * leat_trainer_from_model goes on from it). Owner: caller. Errors: ARG, STATE (online: no row, or one class only), MEMORY,
 * BUSY. Thread: owner. */
LEAT_API leat_status leat_trainer_snapshot(leat_trainer *t, leat_model **out, leat_error *err);
/* Writes a checkpoint, atomically (temporary file, fsync, rename). Training that goes on from it gives the bytes of
 * training that was never stopped. It holds the last whole iteration: of one that has begun, the work is done again.
 * Errors: ARG, STATE, IO, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_trainer_save(leat_trainer *t, const char *path, leat_error *err);
/* A trainer from a checkpoint; offline, set_data must follow. Owner: caller. Errors: ARG, IO, FORMAT, VERSION, MEMORY.
 * Thread: immutable. */
LEAT_API leat_status leat_trainer_load(leat_runtime *rt, const char *path, const leat_device *dev, leat_trainer **out,
                                       leat_error *err);

/* ------------------------------------------------------------------------------------------------ 12. Models
 * Immutable: schema, encoder, parameters, reference profile, lineage, golden rows. Shared by any number of threads. */

/* Loads a package (.leat): every section's checksum is verified before it is parsed, then the golden rows are predicted
 * and compared. Owner: caller. Errors: ARG, NOT_FOUND, IO, FORMAT, VERSION, MEMORY (budget). Thread: immutable. */
LEAT_API leat_status leat_model_load(leat_runtime *rt, const char *path, leat_model **out, leat_error *err);
/* The same from memory, which is copied. Errors: ARG, FORMAT, VERSION, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_model_load_bytes(leat_runtime *rt, const void *data, uint64_t size, leat_model **out,
                                           leat_error *err);
/* Writes the package, atomically: on failure the old file stays. Errors: ARG, IO, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_model_save(const leat_model *m, const char *path, leat_error *err);
/* The package's bytes into buf. Errors: ARG, CAPACITY, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_model_save_bytes(const leat_model *m, void *buf, uint64_t cap, uint64_t *needed,
                                           leat_error *err);
/* Integers: n_classes (0 regression), in_cols, out_cols, n_features (encoded), n_parameters, rows_trained, iterations,
 * format_version.
 * Errors: ARG, NOT_FOUND. Thread: immutable. */
LEAT_API leat_status leat_model_get_i64(const leat_model *m, const char *name, int64_t *value, leat_error *err);
/* Texts: family, task (binary, multiclass, regression), target, checksum (hex), kernels, lineage, library (version that
 * made it), data (checksum of the training data, hex), class:K (label of class K), feature:J (name of encoded feature J),
 * param:NAME (a hyper-parameter). Errors: ARG, NOT_FOUND, CAPACITY. Thread: immutable. */
LEAT_API leat_status leat_model_get_text(const leat_model *m, const char *name, char *buf, uint64_t cap,
                                         uint64_t *needed, leat_error *err);
/* Arrays: weights [outputs, encoded features] in units of the encoded features, intercept [outputs]; threshold [1] of two
 * classes: the second is the answer from this probability on; interval [3]: the share of new rows that lie within it, then
 * what is added to a prediction for its lower and its upper end (NOT_FOUND: the model has none). cap and needed count
 * numbers. Errors: ARG, NOT_FOUND, UNSUPPORTED, CAPACITY. Thread: immutable. */
LEAT_API leat_status leat_model_get_f64s(const leat_model *m, const char *name, double *buf, uint64_t cap,
                                         uint64_t *needed, leat_error *err);
/* Its schema, a copy. Owner: caller. Errors: ARG, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_model_schema(const leat_model *m, leat_schema **out, leat_error *err);
/* One more reference. Thread: immutable. */
LEAT_API void leat_model_ref(const leat_model *m);
/* One reference less. Thread: immutable. */
LEAT_API void leat_model_free(const leat_model *m);

/* ------------------------------------------------------------------------------------------------ 13. Predictors
 * One for each thread, cheap, on a shared model. Outputs a row: out_cols numbers: the prediction (regression), the
 * probability of class 1 (binary), or of every class (multiclass). reserve once, then nothing is allocated. */

/* A predictor. p: parameters of "predictor", NULL: defaults. dev NULL: cpu. Owner: caller.
 * Errors: ARG, UNSUPPORTED, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_predictor_create(const leat_model *m, const leat_params *p, const leat_device *dev,
                                           leat_predictor **out, leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_predictor_free(leat_predictor *q);
/* Makes room for calls of up to max_rows rows and, for text rows, fields of up to 64 KiB. Errors: ARG, RANGE, MEMORY,
 * BUSY. Thread: owner. */
LEAT_API leat_status leat_predictor_reserve(leat_predictor *q, int64_t max_rows, leat_error *err);
/* in_cols: feature numbers a row; out_cols: numbers a prediction. Errors: ARG. Thread: immutable. */
LEAT_API leat_status leat_predictor_shape(const leat_predictor *q, int64_t *in_cols, int64_t *out_cols,
                                          leat_error *err);
/* out [rows, out_cols] (F32 or F64) from x [rows, in_cols] (F32, F64, U8; codes for categories as in chapter 9).
 * Errors: ARG, SHAPE, DTYPE, UNSUPPORTED (text columns or a sparse block in the model), MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_predictor_run(leat_predictor *q, const leat_matrix *x, leat_matrix *out, leat_error *err);
/* The same for a batch of a schema with the model's feature columns. Errors: as run, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_predictor_run_batch(leat_predictor *q, const leat_batch *rows, leat_matrix *out,
                                              leat_error *err);
/* The same for all rows of a dataset in memory; uses the runtime's threads. Errors: as run_batch. Thread: owner. */
LEAT_API leat_status leat_predictor_run_dataset(leat_predictor *q, const leat_dataset *d, leat_matrix *out,
                                                leat_error *err);
/* The same into a fresh DLPack tensor [rows, out_cols] of F32; major 0: *tensor is a DLManagedTensor, 1: a
 * DLManagedTensorVersioned. Owner: caller, who calls its deleter, on any thread. Errors: as run_dataset, RANGE (no rows).
 * Thread: owner. */
LEAT_API leat_status leat_predictor_run_dlpack(leat_predictor *q, const leat_dataset *d, int64_t major, void **tensor,
                                               leat_error *err);
/* Predictions of d's rows as an Arrow stream, made when it is pulled, batch_rows an array (0: 65536): the KEY column when d
 * has one, `prediction` (a number, or a dictionary of the classes), and `p_CLASS` for every class (of two, the second one
 * is predicted from 0.5 on). A streaming dataset is read from its position on, so files larger than memory pass through.
 * The stream has a predictor of its own, with parameters p of "predictor" (NULL: defaults). Owner: caller, who releases
 * *out; it keeps m and d; it is for one thread at a time. Errors: ARG, RANGE, NOT_FOUND (a feature column), MEMORY.
 * Thread: owner. */
LEAT_API leat_status leat_predict_arrow(const leat_model *m, const leat_params *p, leat_dataset *d, int64_t batch_rows,
                                        struct ArrowArrayStream *out, leat_error *err);
/* One row x [in_cols] into out [out_cols]. Errors: ARG, SHAPE, CAPACITY, UNSUPPORTED, BUSY. Thread: owner. */
LEAT_API leat_status leat_predictor_one_f32(leat_predictor *q, const float *x, uint64_t n, float *out, uint64_t cap,
                                            leat_error *err);
/* One row of doubles. Errors: as one_f32. Thread: owner. */
LEAT_API leat_status leat_predictor_one_f64(leat_predictor *q, const double *x, uint64_t n, double *out, uint64_t cap,
                                            leat_error *err);
/* One sparse row: nnz pairs, idx from 0, any order, repeats add up; val NULL: ones. idx outside the model's width: an
 * unseen feature, ignored. Errors: ARG, CAPACITY, UNSUPPORTED (no sparse block), BUSY. Thread: owner. */
LEAT_API leat_status leat_predictor_one_sparse(leat_predictor *q, const int32_t *idx, const float *val, uint64_t nnz,
                                               float *out, uint64_t cap, leat_error *err);
/* One row of strings, one for each FEATURE column of the model in its order; NULL or "" is missing.
 * Errors: ARG, SHAPE, DATA (junk number: detail[1] is the column), CAPACITY, UNSUPPORTED, BUSY. Thread: owner. */
LEAT_API leat_status leat_predictor_one_text(leat_predictor *q, const char *const *fields, uint64_t n, float *out,
                                             uint64_t cap, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 14. Metrics
 * Weighted running metrics. Predictions as a predictor gives them, targets as class codes or numbers. */

/* names: comma-separated of rows, loss, accuracy, auc, brier, ece, kappa, f1, rmse, mae, r2, calibration (predicted over
 * true, of class 1 or of numbers); or a task's name (binary, binary:T with class 1 guessed from probability T on,
 * multiclass:K, regression) for all that it has. Owner: caller.
 * Errors: ARG, NOT_FOUND, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_metrics_create(leat_runtime *rt, const char *names, leat_metrics **out, leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_metrics_free(leat_metrics *k);
/* Adds rows: pred [rows, out_cols], y [rows, 1], w [rows, 1] or NULL; F32 or F64. Errors: ARG, SHAPE, DTYPE, MEMORY,
 * BUSY. Thread: owner. */
LEAT_API leat_status leat_metrics_update(leat_metrics *k, const leat_matrix *pred, const leat_matrix *y,
                                         const leat_matrix *w, leat_error *err);
/* Adds what another one of the same names has seen. Errors: ARG, SHAPE, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_metrics_merge(leat_metrics *k, const leat_metrics *other, leat_error *err);
/* Forgets all rows. Errors: ARG, BUSY. Thread: owner. */
LEAT_API leat_status leat_metrics_reset(leat_metrics *k, leat_error *err);
/* How many metrics. Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_metrics_count(const leat_metrics *k, int64_t *count, leat_error *err);
/* Name of metric `index` in [0, count). Errors: ARG, NOT_FOUND. Thread: owner. */
LEAT_API leat_status leat_metrics_name(const leat_metrics *k, int64_t index, const char **name, leat_error *err);
/* Its value; NaN while it is undefined (no rows, AUC of one class). Errors: ARG, NOT_FOUND, BUSY.
 * Thread: owner. */
LEAT_API leat_status leat_metrics_value(const leat_metrics *k, const char *name, double *value, leat_error *err);
/* 95 % confidence interval of loss, rmse, mae (normal), accuracy (Wilson) or auc (Hanley and McNeil), rows taken as
 * independent and each as one; NaN for others and while it is undefined. Errors: ARG, NOT_FOUND, BUSY. Thread: owner. */
LEAT_API leat_status leat_metrics_interval(const leat_metrics *k, const char *name, double *low, double *high,
                                           leat_error *err);

/* ------------------------------------------------------------------------------------------------ 15. Inspection
 * What any leat file holds, and that it is whole. The contents are not parsed. */

/* Opens a file, whatever its kind, verifies the checksum of every section and unpacks it. Owner: caller.
 * Errors: ARG, IO, NOT_FOUND, FORMAT (no leat file, cut or damaged: the message names the section), MEMORY (budget).
 * Thread: immutable. */
LEAT_API leat_status leat_inspection_open(leat_runtime *rt, const char *path, leat_inspection **out, leat_error *err);
/* Frees it. Thread: safe. */
LEAT_API void leat_inspection_free(leat_inspection *in);
/* Integers: version (of the file's format), sections. Errors: ARG, NOT_FOUND.
 * Thread: immutable. */
LEAT_API leat_status leat_inspection_get_i64(const leat_inspection *in, const char *name, int64_t *value,
                                             leat_error *err);
/* Texts: format ("model", "checkpoint", or the four letters of another kind), checksum (hex). Errors: ARG, NOT_FOUND,
 * CAPACITY. Thread: immutable. */
LEAT_API leat_status leat_inspection_get_text(const leat_inspection *in, const char *name, char *buf, uint64_t cap,
                                              uint64_t *needed, leat_error *err);
/* Section `index` in [0, sections); set info->struct_size first. Errors: ARG, NOT_FOUND, VERSION. Thread: immutable. */
LEAT_API leat_status leat_inspection_section(const leat_inspection *in, int64_t index, leat_section_info *info,
                                             leat_error *err);

/* ------------------------------------------------------------------------------------------------ 16. Store
 * A folder that keeps one named model's versions, stages and history, and a learner's journal, snapshots and quarantine.
 * One learner at a time writes; any number of handles, threads and processes read, promote and roll back.
 * Stages: "testing", "production", "previous" (what production was before). The history is kept for ever. */

/* Opens a store. p: parameters of "store" (NULL: defaults): create (make the folder when it is absent; complete it when a
 * crash left it half made), read_only, ring sizes. Owner: caller.
 * Errors: ARG, IO, NOT_FOUND (no store there), STATE (the folder holds other things), FORMAT (damaged), VERSION, MEMORY.
 * Thread: immutable. */
LEAT_API leat_status leat_store_open(leat_runtime *rt, const char *path, const leat_params *p, leat_store **out,
                                     leat_error *err);
/* Frees it. Thread: safe. */
LEAT_API void leat_store_free(leat_store *s);
/* Generation: 1 more with every change, whoever makes it; reads what other processes have written. Errors: ARG, IO,
 * FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_generation(leat_store *s, int64_t *generation, leat_error *err);
/* How many versions there are, removed ones not counted. Errors: ARG, IO, FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_count(leat_store *s, int64_t *count, leat_error *err);
/* Version `index` in [0, count), oldest first; set info->struct_size. Errors: ARG, NOT_FOUND, VERSION. Thread: safe. */
LEAT_API leat_status leat_store_at(leat_store *s, int64_t index, leat_version_info *info, leat_error *err);
/* Adds a model; origin: a word of the caller's ("train"). *version is its number, from 1. Errors: ARG, IO, STATE (read
 * only), BUSY (locked by another process for 15 seconds), FORMAT, MEMORY; so with all calls that change a store.
 * Thread: safe. */
LEAT_API leat_status leat_store_add(leat_store *s, const leat_model *m, const char *origin, int64_t *version,
                                    leat_error *err);
/* Writes the package of a version to path. Errors: ARG, NOT_FOUND, IO, FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_export(leat_store *s, int64_t version, const char *path, leat_error *err);
/* The model of a version. Owner: caller. Errors: ARG, NOT_FOUND, IO, FORMAT, MEMORY. Thread: safe. */
LEAT_API leat_status leat_store_load(leat_store *s, int64_t version, leat_model **out, leat_error *err);
/* The version of a stage, without loading it. Errors: ARG, NOT_FOUND (nothing there), IO, FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_stage(leat_store *s, const char *stage, int64_t *version, leat_error *err);
/* Puts a version on a stage in one record (production's old version becomes "previous"); the package is verified first.
 * expected_generation: refuse with STATE when the store has changed since (-1: do not care). *generation (may be NULL):
 * the new one; the present one when the version is there already. Errors: ARG, NOT_FOUND, STATE, BUSY, FORMAT, IO.
 * Thread: safe. */
LEAT_API leat_status leat_store_promote(leat_store *s, int64_t version, const char *stage, int64_t expected_generation,
                                        int64_t *generation, leat_error *err);
/* Puts a stage back to the version it had before; again: one further back, up to 63. The package is verified first.
 * Errors: ARG, NOT_FOUND (there was none), STATE, BUSY, FORMAT, IO. Thread: safe. */
LEAT_API leat_status leat_store_rollback(leat_store *s, const char *stage, int64_t expected_generation,
                                         int64_t *generation, leat_error *err);
/* Keeps a version from being removed (1), or no longer (0). Errors: ARG, NOT_FOUND, STATE, BUSY, IO. Thread: safe. */
LEAT_API leat_status leat_store_pin(leat_store *s, int64_t version, int64_t pinned, leat_error *err);
/* The next event behind *cursor (0 at first; moved on), oldest first. NOT_FOUND: no more now. Errors: ARG, NOT_FOUND, IO,
 * FORMAT, VERSION. Thread: safe. */
LEAT_API leat_status leat_store_history(leat_store *s, int64_t *cursor, leat_event *out, leat_error *err);
/* The next point of the learner's series behind *cursor (0 at first; moved on), oldest first, one a window. NOT_FOUND:
 * no more now, or there never was a learner. Errors: ARG, NOT_FOUND, IO, FORMAT, VERSION. Thread: safe. */
LEAT_API leat_status leat_store_series(leat_store *s, int64_t *cursor, leat_point *out, leat_error *err);
/* The next drift point of the learner's series, likewise: what each monitor said at each window's end. Errors: as
 * leat_store_series. Thread: safe. */
LEAT_API leat_status leat_store_drift(leat_store *s, int64_t *cursor, leat_drift_point *out, leat_error *err);
/* What the operations of the store's learner took (op: LEAT_LATENCY_*), as it noted at its last window's end or when it
 * was freed, since its runtime was timed (leat_runtime_set_latency). Errors: ARG, NOT_FOUND (it was never timed), IO,
 * FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_latency(leat_store *s, int64_t op, leat_latency *out, leat_error *err);
/* Notes in the history what a monitor of the production model has found (MONITORED). Errors: ARG, NOT_FOUND (no
 * production), STATE (read only; a monitor of another model, or without rows), BUSY, IO, FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_monitored(leat_store *s, const leat_monitor *w, leat_error *err);
/* A host's own alert: raised (1) or over (0), with its value and threshold; text may be NULL. Noted in the history (ALERT,
 * ALERT_OVER) when that does not say so already. Errors: ARG (a name of 1 to 63 bytes is needed), STATE (read only),
 * BUSY, IO, FORMAT. Thread: safe. */
LEAT_API leat_status leat_store_alert(leat_store *s, const char *name, int64_t raised, double value, double threshold,
                                      const char *text, leat_error *err);
/* Should the production model be trained again? p: parameters of "refresh" (NULL: defaults). When the store can be
 * written, a reason that is new is noted in the history once (REFRESH_DUE). Errors: ARG, NOT_FOUND (no production), IO,
 * FORMAT, BUSY. Thread: safe. */
LEAT_API leat_status leat_store_due(leat_store *s, const leat_params *p, leat_due_info *info, leat_error *err);
/* Shadows a challenger against production: both predict the labelled rows d (in memory, of their columns; neither should
 * have been trained on them). The challenger is added to the store (origin "refresh") and, when it is no worse at the
 * confidence of p ("refresh"; NULL: defaults), promoted; the history says so. A production that changed meanwhile is
 * left alone; a challenger that is production, bit for bit, is not added. Errors: ARG, NOT_FOUND (no production, a
 * column), DATA (too few labelled rows), UNSUPPORTED (classes against numbers, a stream), STATE, BUSY, IO, FORMAT,
 * MEMORY. Thread: safe. */
LEAT_API leat_status leat_store_challenge(leat_store *s, const leat_model *m, const leat_dataset *d, const leat_params *p,
                                          leat_challenge_info *info, leat_error *err);
/* Reads and verifies every file of the store. Errors: ARG, FORMAT (the message names the file), IO. Thread: safe. */
LEAT_API leat_status leat_store_verify(leat_store *s, leat_error *err);
/* Removes files that nothing needs (of removed versions, journal segments behind the checkpoints, leftovers of crashes)
 * and compacts the MANIFEST; *bytes (may be NULL): how many were freed. Errors: ARG, IO, STATE, BUSY. Thread: safe. */
LEAT_API leat_status leat_store_gc(leat_store *s, int64_t *bytes, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 17. Learner
 * The durable learner: journal, gate, predict, score, learn, guard, snapshot. What it has acknowledged (commit) survives
 * kill -9 and power loss; after a crash its state is, bit for bit, that of an unbroken run over the same records. */

/* A new learner in a store that has none. model: parameters of "online/linear" or "online/mlp" (NULL: defaults of the
 * first); settings: of "learner" (NULL: defaults); schema: of the rows, or NULL: of the first rows fed; from: a model
 * of the online family to start from, or NULL. Owner: caller. Errors: ARG, STATE (the store has a learner), BUSY
 * (another process learns), UNSUPPORTED, IO, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_learner_create(leat_store *s, const leat_params *model, const leat_params *settings,
                                         const leat_schema *schema, const leat_model *from, leat_learner **out,
                                         leat_error *err);
/* The learner of a store as it was: the newest checkpoint and the journal behind it. Owner: caller.
 * Errors: ARG, NOT_FOUND (no learner there), BUSY, FORMAT, VERSION, IO, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_learner_open(leat_store *s, leat_learner **out, leat_error *err);
/* Frees it, without commit: what was not committed may be lost. Thread: owner. */
LEAT_API void leat_learner_free(leat_learner *l);
/* Takes rows: journals them, and for each one: gate, predict, score, learn. Rows whose (source, position) was taken before
 * are skipped; without leat_batch_set_source, rows count as source "" behind all before. pred as in
 * leat_trainer_test_then_train (may be NULL; NaN for rows held back). On IO, and on MEMORY half way, the mode is
 * STOPPED: the position tells after opening what was taken. A reason whose action is stop freezes learning; the call
 * succeeds. Errors: ARG, DATA, NOT_FOUND, SHAPE, STATE (STOPPED; a duplicate when their action is stop), IO, MEMORY,
 * BUSY. Thread: owner. */
LEAT_API leat_status leat_learner_feed(leat_learner *l, const leat_batch *rows, leat_matrix *pred, leat_error *err);
/* Predicts rows whose labels will come later: each is journalled under the text of its KEY column, with its prediction,
 * until leat_learner_label brings the label or it expires. While STOPPED it predicts from memory and journals nothing.
 * Errors: as feed, DATA (no KEY column, or an empty key). Thread: owner. */
LEAT_API leat_status leat_learner_predict(leat_learner *l, const leat_batch *keyed_rows, leat_matrix *pred,
                                          leat_error *err);
/* Brings labels: rows of KEY and TARGET (and WEIGHT); other columns are ignored. The prediction that was served is scored,
 * the row is learned. Keys that do not wait are counted. Errors: as feed. Thread: owner. */
LEAT_API leat_status leat_learner_label(leat_learner *l, const leat_batch *keyed_labels, leat_error *err);
/* The next position of a source that has not been taken (0 at first). Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_learner_position(const leat_learner *l, const char *source, int64_t *position,
                                           leat_error *err);
/* All that was taken so far is on the disk when this returns OK. Errors: IO (mode is STOPPED then), BUSY. Thread: owner. */
LEAT_API leat_status leat_learner_commit(leat_learner *l, leat_error *err);
/* The model that was published last (at a snapshot, at a swap), one reference more. Owner: caller. Errors: ARG, STATE
 * (none yet). Thread: any. */
LEAT_API leat_status leat_learner_model(const leat_learner *l, leat_model **out, leat_error *err);
/* The live model as it is now. Owner: caller. Errors: ARG, STATE (nothing learned, or one class), MEMORY, BUSY.
 * Thread: owner. */
LEAT_API leat_status leat_learner_live(leat_learner *l, leat_model **out, leat_error *err);
/* Takes a snapshot now, as a version of the store. Errors: STATE, IO, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_learner_snapshot(leat_learner *l, int64_t *version, leat_error *err);
/* Makes a version live (-1: last-good) and learns on from there. Errors: ARG, NOT_FOUND, UNSUPPORTED (not of this
 * learner's family or schema), IO, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_learner_rollback(leat_learner *l, int64_t version, leat_error *err);
/* Learns again after FROZEN. Errors: ARG, STATE (not frozen), IO, BUSY. Thread: owner. */
LEAT_API leat_status leat_learner_thaw(leat_learner *l, leat_error *err);
/* How it is; set out->struct_size. Errors: ARG, VERSION. Thread: owner. */
LEAT_API leat_status leat_learner_get_state(const leat_learner *l, leat_learner_state *out, leat_error *err);
/* Progressive metrics; set as in leat_trainer_metrics. Owner: caller. Errors: ARG, STATE, RANGE, MEMORY. Thread: owner. */
LEAT_API leat_status leat_learner_metrics(const leat_learner *l, int64_t set, leat_metrics **out, leat_error *err);
/* The next learner's event behind *cursor (0 at first), also of times before a restart. NOT_FOUND: no more now. Errors:
 * ARG, NOT_FOUND, IO, VERSION. Thread: owner. */
LEAT_API leat_status leat_learner_next_event(leat_learner *l, int64_t *cursor, leat_event *out, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 18. Quarantine
 * Records that would have harmed the model, with their raw bytes and the reason. They can be released, or purged. */

/* "outlier" for LEAT_REASON_OUTLIER, and so on; "unknown" for numbers that this version does not know. Static memory.
 * Thread: immutable. */
LEAT_API const char *leat_reason_name(leat_reason reason);
/* The quarantine of a store. Owner: caller. Errors: ARG, IO, FORMAT, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_quarantine_open(leat_store *s, leat_quarantine **out, leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_quarantine_free(leat_quarantine *q);
/* Records that are held for a reason (0: all). Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_quarantine_count(const leat_quarantine *q, int64_t reason, int64_t *count, leat_error *err);
/* The next record behind *cursor (0 at first; moved on) that is held for `reason` (0: all), by id; set
 * info->struct_size. Errors: ARG, NOT_FOUND (no more), IO, FORMAT, VERSION. Thread: owner. */
LEAT_API leat_status leat_quarantine_next(leat_quarantine *q, int64_t reason, int64_t *cursor, leat_held_info *info,
                                          leat_error *err);
/* A record's raw bytes. Errors: ARG, NOT_FOUND, CAPACITY, IO, FORMAT. Thread: owner. */
LEAT_API leat_status leat_quarantine_read(leat_quarantine *q, int64_t id, void *buf, uint64_t cap, uint64_t *needed,
                                          leat_error *err);
/* Feeds held records to l, of the same store, in the order given; ids NULL: all that are held. The reason that held a
 * record no longer counts against it, every other check does. *released: how many were taken; the others stay held. A
 * record that was released before is skipped. Errors: ARG, NOT_FOUND, STATE, IO, FORMAT, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_quarantine_release(leat_quarantine *q, leat_learner *l, const int64_t *ids, uint64_t n,
                                             int64_t *released, leat_error *err);
/* Removes records and overwrites what the disk holds of them; ids NULL: all. *purged (may be NULL): how many. Errors: ARG,
 * NOT_FOUND, BUSY, IO, FORMAT. Thread: owner. */
LEAT_API leat_status leat_quarantine_purge(leat_quarantine *q, const int64_t *ids, uint64_t n, int64_t *purged,
                                           leat_error *err);

/* ------------------------------------------------------------------------------------------------ 19. Tables
 * Predictions made beforehand, in an immutable file that answers keys: offline inference. Two layouts: "sorted" (what
 * scoring writes; ranges, scans, small) and "hash" (the fastest look-ups). A key is 1 to 65535 bytes, or a uint64_t where
 * key_type is u64 (then key points to one and key_size is 8). Every look-up says what it found: LEAT_TABLE_HIT, _MISS, ...
 * (NaN values for MISS); a damaged row is FORMAT, never a wrong value. */

/* A table that is written to path when finish returns; until then the old file stays. p: parameters of "table/write"
 * (NULL: defaults): layout, key_type, memory_bytes, duplicates, default, valid_until_ns, shard and shards, ... m: the model
 * whose predictions these are, or NULL: then p says how many values a key has. Owner: caller.
 * Errors: ARG, RANGE, UNSUPPORTED, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_table_writer_create(leat_runtime *rt, const char *path, const leat_params *p,
                                              const leat_model *m, leat_table_writer **out, leat_error *err);
/* Frees it; without finish nothing has happened. Thread: owner. */
LEAT_API void leat_table_writer_free(leat_table_writer *w);
/* Adds a key with its value [n], in any order. Beyond memory_bytes sorted runs go to a temporary file beside path.
 * Errors: ARG, SHAPE, STATE (finished, or an earlier call failed), IO, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_table_writer_add(leat_table_writer *w, const void *key, uint64_t key_size, const float *value,
                                           uint64_t n, leat_error *err);
/* Predicts every row from the dataset's position on and adds it under the text of its KEY column. dev NULL: cpu.
 * Errors: ARG, STATE (no model), DATA (no KEY column, a row without key: detail[0]), IO, FORMAT, MEMORY, BUSY.
 * Thread: owner. */
LEAT_API leat_status leat_table_writer_score(leat_table_writer *w, leat_dataset *rows, const leat_device *dev,
                                             leat_error *err);
/* Sorts, writes, syncs, renames. The same keys and values give the same bytes, whatever their order, the memory and the
 * threads. Errors: ARG, STATE, DATA (duplicates=error and a key came twice), IO, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_table_writer_finish(leat_table_writer *w, leat_error *err);
/* Opens a table. p: parameters of "table/read" (NULL: defaults): map, verify. What is not a row is verified now, rows when
 * they are first looked at, 64 KiB at a time (verify: all now). Owner: caller.
 * Errors: ARG, IO, NOT_FOUND, FORMAT, VERSION, MEMORY (budget). Thread: immutable. */
LEAT_API leat_status leat_table_open(leat_runtime *rt, const char *path, const leat_params *p, leat_table **out,
                                     leat_error *err);
/* Frees it; readers keep it. Thread: safe. */
LEAT_API void leat_table_free(leat_table *t);
/* What it is; set info->struct_size. Errors: ARG, VERSION. Thread: immutable. */
LEAT_API leat_status leat_table_get_info(const leat_table *t, leat_table_info *info, leat_error *err);
/* Looks a key up: value [cap], cap at least the table's values; *found: LEAT_TABLE_*. No locks; nothing is allocated but
 * for a compressed "sorted" table, for which a reader is the fast way.
 * Errors: ARG, CAPACITY, FORMAT (damaged), MEMORY. Thread: immutable. */
LEAT_API leat_status leat_table_get(const leat_table *t, const void *key, uint64_t key_size, float *value, uint64_t cap,
                                    int64_t *found, leat_error *err);
/* Looks n keys up, faster than one by one. Key i is keys[key_ends[i - 1] .. key_ends[i]) (from 0 for the first one);
 * key_ends NULL: all have one length, 8 for u64. values [n, values], F32; found [n].
 * Errors: ARG, SHAPE, DTYPE, FORMAT, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_table_get_many(const leat_table *t, const void *keys, const uint64_t *key_ends, uint64_t n,
                                         leat_matrix *values, int64_t *found, leat_error *err);
/* A reader: one thread's cache of unpacked blocks (at most cache_bytes, at least 4 blocks), and a place in the table, at
 * first before the first key. Owner: caller. Errors: ARG, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_table_reader_create(const leat_table *t, uint64_t cache_bytes, leat_table_reader **out,
                                              leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_table_reader_free(leat_table_reader *r);
/* leat_table_get with the reader's cache; nothing is allocated. Errors: as leat_table_get, BUSY. Thread: owner. */
LEAT_API leat_status leat_table_reader_get(leat_table_reader *r, const void *key, uint64_t key_size, float *value,
                                           uint64_t cap, int64_t *found, leat_error *err);
/* Looks up the KEY of every row; rows whose key is not there, or stale, are predicted by `live` from their features
 * (LEAT_TABLE_FALLBACK), unless it is NULL. values [rows, values], F32; found [rows].
 * Errors: ARG, SHAPE, DTYPE, DATA (no KEY column, a row without key), NOT_FOUND (a feature column), FORMAT, MEMORY, BUSY.
 * Thread: owner. */
LEAT_API leat_status leat_table_reader_get_rows(leat_table_reader *r, const leat_batch *rows, leat_predictor *live,
                                                leat_matrix *values, int64_t *found, leat_error *err);
/* Goes before the first key that is not below `from`, in the order of bytes (u64: of numbers); NULL, 0: before the first
 * of all. Errors: ARG, UNSUPPORTED (the layout "hash" has no order), FORMAT, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_table_reader_seek(leat_table_reader *r, const void *from, uint64_t from_size, leat_error *err);
/* The next key and its values. cap: at least the table's key_bytes; *needed: the key's bytes; value [n] or NULL.
 * Errors: ARG, NOT_FOUND (no more keys), CAPACITY (the place stays), FORMAT, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_table_reader_next(leat_table_reader *r, void *key, uint64_t cap, uint64_t *needed, float *value,
                                            uint64_t n, leat_error *err);
/* Merges n tables into one at `to`: of a key that several have, the value of the table that was created last counts, of
 * the same time the one named later. The result is valid until the first of them is not. p: parameters of "table/write",
 * of which layout, compression, dictionary, block_bytes, memory_bytes and map count (NULL: the first one's layout). With
 * one table it converts. Shards merged give the bytes of a single build. Errors: ARG, SHAPE (other kinds of keys or
 * values), IO, NOT_FOUND, FORMAT, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_table_merge(leat_runtime *rt, const char *const *paths, uint64_t n, const char *to,
                                      const leat_params *p, leat_error *err);
/* How b differs from a; a value counts as changed when it moved by more than tolerance. each (may be NULL) is told of every
 * key that was added (a_value NULL), removed (b_value NULL) or changed, on the calling thread. Set out->struct_size.
 * Errors: ARG, RANGE, SHAPE, FORMAT, MEMORY, VERSION. Thread: immutable. */
LEAT_API leat_status leat_table_diff(const leat_table *a, const leat_table *b, double tolerance,
                                     void (*each)(void *user, int64_t what, const void *key, uint64_t key_size,
                                                  const float *a_value, const float *b_value),
                                     void *user, leat_table_changes *out, leat_error *err);
/* Publishes the table in the file `path` under `name` (1 to 63 letters, digits, '.', '_', '-') in a store: verified,
 * copied into the store, compared with the generation before, then made the current one by one record of the MANIFEST;
 * the generation before is kept. p: parameters of "table/publish" (NULL: defaults). Unless force=1 it is refused with
 * STATE when more than max_row_drop (0.1) of the rows are gone, or the psi of any value against the generation before is
 * above max_psi (0.25; more where few rows make more likely, see leat_drift_info), and with SHAPE when kind of keys or
 * number of values differ. report may be NULL; set its struct_size. It is filled when the table is refused, too.
 * Errors: ARG, STATE, SHAPE, BUSY, IO, NOT_FOUND, FORMAT, MEMORY, VERSION. Thread: safe. */
LEAT_API leat_status leat_table_publish(leat_store *s, const char *name, const char *path, const leat_params *p,
                                        leat_publish_report *report, leat_error *err);
/* Makes the generation before the current one again, once it has been verified; again: one further back, as far as they are
 * kept (store parameter keep_tables). *generation (may be NULL): the current one. Errors: ARG, NOT_FOUND (no such table, or
 * nothing to go back to), STATE, BUSY, IO, FORMAT, MEMORY. Thread: safe. */
LEAT_API leat_status leat_table_rollback(leat_store *s, const char *name, int64_t *generation, leat_error *err);
/* How many tables are published. Errors: ARG, IO, FORMAT. Thread: safe. */
LEAT_API leat_status leat_published_count(leat_store *s, int64_t *count, leat_error *err);
/* Table `index` in [0, count), in the order of first publishing; set info->struct_size. Errors: ARG, NOT_FOUND, IO, FORMAT,
 * VERSION. Thread: safe. */
LEAT_API leat_status leat_published_at(leat_store *s, int64_t index, leat_published_info *info, leat_error *err);
/* A follower: always the current generation of a published table, also when another process publishes. p: parameters of
 * "table/read" (NULL: defaults); its poll_ms (200) says how often a look-up looks for a new generation, 0: only
 * leat_follower_poll does. It keeps the store. Owner: caller. Errors: ARG, NOT_FOUND (nothing of that name is
 * published), IO, FORMAT, VERSION, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_follower_create(leat_store *s, const char *name, const leat_params *p, leat_follower **out,
                                          leat_error *err);
/* Frees it; tables that were taken from it stay. Thread: safe. */
LEAT_API void leat_follower_free(leat_follower *f);
/* Looks for a new generation now, opens it and swaps it in; *generation (may be NULL): the one that answers. On failure the
 * old one goes on answering. Errors: ARG, IO, FORMAT, VERSION, MEMORY. Thread: safe. */
LEAT_API leat_status leat_follower_poll(leat_follower *f, int64_t *generation, leat_error *err);
/* The current table, for as long as the caller wants: a batch, a reader's life. *generation may be NULL. Owner: caller,
 * leat_table_free. Errors: ARG. Thread: safe. */
LEAT_API leat_status leat_follower_table(leat_follower *f, leat_table **out, int64_t *generation, leat_error *err);
/* leat_table_get of the current table. Errors: as leat_table_get. Thread: safe. */
LEAT_API leat_status leat_follower_get(leat_follower *f, const void *key, uint64_t key_size, float *value, uint64_t cap,
                                       int64_t *found, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 20. Monitor
 * Has the data drifted away from what the model was trained on? Every model that was trained offline carries a reference
 * profile of each feature and of the target; a monitor counts rows in the same cells and compares. A limit on psi
 * depends on how many rows there are: without drift psi is distributed as (1/n + 1/m) chi2(cells - 1). Under min_rows
 * rows the state is INSUFFICIENT, never OK. */

/* A monitor. p: parameters of "monitor" (NULL: defaults); window 0: all rows are one window, else states are set at the end
 * of every `window` rows, raised after `raise` windows in a row and cleared after `clear`. Owner: caller.
 * Errors: ARG, UNSUPPORTED (the model carries no profiles), MEMORY. Thread: immutable. */
LEAT_API leat_status leat_monitor_create(const leat_model *m, const leat_params *p, leat_monitor **out, leat_error *err);
/* Frees it. Thread: owner. */
LEAT_API void leat_monitor_free(leat_monitor *w);
/* Counts rows of a schema with the model's columns, found by name; those that are not there are not counted.
 * Errors: ARG, MEMORY, BUSY. Thread: owner. */
LEAT_API leat_status leat_monitor_update(leat_monitor *w, const leat_batch *rows, leat_error *err);
/* Adds what another monitor of the same model has counted in its window (another process, another thread); only with
 * window 0. Errors: ARG, SHAPE, UNSUPPORTED, BUSY. Thread: owner. */
LEAT_API leat_status leat_monitor_merge(leat_monitor *w, const leat_monitor *other, leat_error *err);
/* Its state as bytes, with a checksum: for another process to load and merge. Errors: ARG, CAPACITY, MEMORY, BUSY.
 * Thread: owner. */
LEAT_API leat_status leat_monitor_save(leat_monitor *w, void *buf, uint64_t cap, uint64_t *needed, leat_error *err);
/* A monitor from such bytes; m: the model it was made for. Owner: caller. Errors: ARG, FORMAT (damaged, or of another
 * model), VERSION, UNSUPPORTED, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_monitor_load(const leat_model *m, const void *data, uint64_t size, leat_monitor **out,
                                       leat_error *err);
/* How many features (and the target) it watches. Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_monitor_count(const leat_monitor *w, int64_t *count, leat_error *err);
/* Feature `index` in [0, count); set info->struct_size. Errors: ARG, NOT_FOUND, VERSION. Thread: owner. */
LEAT_API leat_status leat_monitor_at(const leat_monitor *w, int64_t index, leat_drift_info *info, leat_error *err);
/* The worst state of all, and rows counted (may be NULL). Errors: ARG. Thread: owner. */
LEAT_API leat_status leat_monitor_state(const leat_monitor *w, int64_t *state, int64_t *rows, leat_error *err);

/* ------------------------------------------------------------------------------------------------ 21. Endpoint
 * Online inference in the host: predictors of the version that a stage of a store shows, whoever promotes or rolls back,
 * in this process or in another one. A new version is loaded, tested on its golden rows and warmed up beside the old one;
 * then one atomic store makes it current: nobody waits, what is lent stays as it is until it is given back. A version
 * that does not load or fails its test is not served: the one before stays.
 *
 * A host asks for a loan for every request (or batch of requests) and calls refresh now and then, from one thread of its
 * own: it costs a look at the end of one file when nothing has changed. */

/* An endpoint of a store. p: parameters of "endpoint" (NULL: defaults): stages (what is served: the first that shows a
 * version), predictors (how many loans at a time cost no allocation), max_rows, keep_previous, scores (predictions that are
 * noted wait for labels also without a trial). Opens also when there is nothing to serve yet, or nothing that loads: the
 * state says so, acquire is STATE. Owner: caller.
 * Errors: ARG, IO, FORMAT, MEMORY. Thread: immutable. */
LEAT_API leat_status leat_endpoint_open(leat_store *s, const leat_params *p, leat_endpoint **out, leat_error *err);
/* Frees it; every loan must have been given back. Thread: owner. */
LEAT_API void leat_endpoint_free(leat_endpoint *e);
/* Looks at the store and swaps when it shows another version. *swapped (may be NULL): 1 when it did. On failure what was
 * served goes on. Errors: ARG, IO, FORMAT, NUMERIC, NOT_FOUND, MEMORY, BUSY (8 versions are on loan). Thread: safe. */
LEAT_API leat_status leat_endpoint_refresh(leat_endpoint *e, int64_t *swapped, leat_error *err);
/* A loan; set out->struct_size. The predictor is the borrower's alone until it is given back: reserved, warm, with
 * nothing allocated and no lock taken, unless more than `predictors` are lent at once (then one is made).
 * Errors: ARG, STATE (nothing to serve yet), VERSION, MEMORY. Thread: safe. */
LEAT_API leat_status leat_endpoint_acquire(leat_endpoint *e, leat_lease *out, leat_error *err);
/* Gives a loan back, on any thread, once; *lease is zeroed. A zeroed lease is none. Thread: safe. */
LEAT_API void leat_endpoint_release(leat_endpoint *e, leat_lease *lease);
/* Tries a version (-1: that of the stage testing) beside what is served. It is loaded, tested and warmed up as for a
 * swap. p: parameters of "trial" (NULL: defaults): begin, shares, sample, automatic, promote, margin, evidence,
 * caution, alarm, min_rows, patience. From then on acquire_key lends two; what both say of a key is noted with
 * leat_endpoint_note, and labels (leat_endpoint_label) give pairs of losses. refresh takes the steps: forward while
 * the candidate is shown to be no worse, back and out when it is worse, and at the end the promotion; the store's
 * history has each (TRIAL). A production that changes ends the trial. Errors: ARG, STATE (nothing served, a trial is
 * running, the version is the one that is served, no stage testing), UNSUPPORTED (classes against numbers), NOT_FOUND,
 * FORMAT, NUMERIC, IO, MEMORY, BUSY. Thread: safe. */
LEAT_API leat_status leat_endpoint_try(leat_endpoint *e, int64_t version, const leat_params *p, leat_error *err);
/* A step of the running trial by hand: LEAT_TRIAL_FORWARD, BACK, ABORT, PROMOTE. Errors: ARG, STATE (none is running,
 * no step in that direction, the store has changed), NOT_FOUND, FORMAT, IO, BUSY. Thread: safe. */
LEAT_API leat_status leat_endpoint_act(leat_endpoint *e, int64_t action, leat_error *err);
/* The running trial, or the last one; set out->struct_size. Errors: ARG, VERSION. Thread: safe. */
LEAT_API leat_status leat_endpoint_get_trial(leat_endpoint *e, leat_trial_state *out, leat_error *err);
/* Loans for a request with a key: *served answers it (the same version for the same key while its share does not
 * fall), *beside (its predictor is NULL when there is none) only predicts. As acquire: no lock, nothing allocated.
 * Both are given back. Errors: as acquire. Thread: safe. */
LEAT_API leat_status leat_endpoint_acquire_key(leat_endpoint *e, const void *key, uint64_t key_size, leat_lease *served,
                                               leat_lease *beside, leat_error *err);
/* Remembers predictions until leat_endpoint_label brings their label; a key that waits already takes the new ones. The
 * loans are still held. No lock, nothing allocated; without room the note is dropped and counted. Parameter `scores`
 * of the endpoint must be set, or a trial be running, else nothing is kept. A prediction of a candidate that is not
 * finite, or NULL for it, aborts the trial. Errors: ARG. Thread: safe. */
LEAT_API leat_status leat_endpoint_note(leat_endpoint *e, const leat_noted *note, leat_error *err);
/* Brings a label: the class's name, or the number as text [size]. *matched (may be NULL): 1 when a prediction waited
 * for it. Errors: ARG, DATA (no number), MEMORY. Thread: safe. */
LEAT_API leat_status leat_endpoint_label(leat_endpoint *e, const void *key, uint64_t key_size, const char *label,
                                         uint64_t size, int64_t *matched, leat_error *err);
/* What became of the predictions that were noted; set out->struct_size. Errors: ARG, VERSION. Thread: safe. */
LEAT_API leat_status leat_endpoint_get_scores(leat_endpoint *e, leat_score_state *out, leat_error *err);
/* How it is; set out->struct_size. Errors: ARG, VERSION. Thread: safe. */
LEAT_API leat_status leat_endpoint_get_state(leat_endpoint *e, leat_endpoint_state *out, leat_error *err);

#ifdef __cplusplus
}
#endif
#endif
