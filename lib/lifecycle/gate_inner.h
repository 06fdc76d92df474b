/* What the gate is made of; for gate*.c only. */
#ifndef LEAT_LIFECYCLE_GATE_INNER_H
#define LEAT_LIFECYCLE_GATE_INNER_H
#include <math.h>
#include <string.h>
#include "base/hash.h"
#include "lifecycle/gate.h"

enum {
  GATE_WARM = 200,         /* values (of a column of labels or a block: rows) before anything is far outside or new */
  GATE_WINDOW = 10000,     /* values that mean and variance remember */
  GATE_STRIKES = 20,       /* outliers that are a change */
  GATE_RING = 1000, GATE_RING_LEAST = 100,
  GATE_SLOTS = 1 << 18,    /* indices of a sparse block that have statistics of their own; more share them */
  GATE_TIMES = 6,          /* doublings that are far outside in a sparse block */
  GATE_HUGE = 127 + 49,    /* exponents from here on may be those of unusable numbers */
  GATE_ALONE = 0x80,
  GATE_LABELS = 1 << 20    /* labels of a column that are remembered; then none is called new any more */
};

/* What a number has shown. */
typedef struct lt_gate_stat {
  double mean, var, dev;   /* dev: the largest |x - mean| that was taken */
  double a, b;             /* the first two values that differ */
  double mode, share;      /* a value that comes often, and how often */
  double extra;            /* while it warms up: the farthest value so far, not counted yet */
  uint16_t n;              /* values, up to GATE_WINDOW */
  uint8_t distinct;        /* 3: three or more */
  uint8_t strikes;
  uint8_t has_extra;
} lt_gate_stat;

typedef struct lt_gate_labels { /* hashes in the order of their coming */
  uint64_t *hash;
  uint64_t n, cap;
  uint32_t *table;         /* number of the hash, from 1; 0 free */
  uint64_t size;           /* of the table: 0 or a power of two, at least 2 cap */
} lt_gate_labels;

enum { GATE_NUMBERS = 'n', GATE_SPARSE = 's', GATE_CATEGORY = 'c', GATE_TEXT = 't' };
typedef struct lt_gate_column {
  char *name;
  int32_t type;
  int64_t width;           /* NUMBERS: elements; SPARSE: slots */
  lt_gate_stat *stat;      /* NUMBERS */
  double low, high;        /* of all elements */
  /* SPARSE, by slot: values (up to GATE_WARM) and, << 8, the exponent of the largest, as in a float's bits; strikes, and
   * GATE_ALONE when it has forgotten */
  uint16_t *slot;
  uint8_t *strike;
  int32_t top;             /* the largest exponent in the block */
  int64_t struck;          /* slots with strikes */
  uint64_t shown;          /* SPARSE: rows; CATEGORY: rows with a label */
  lt_gate_labels labels;
} lt_gate_column;

typedef struct lt_gate_part {
  lt_gate_column *c;       /* NULL: only whether there is a value */
  int32_t type, column;
  int32_t feature;         /* 0: the target, the time */
  int64_t width, at;       /* at: of its values in g->x */
  const lt_dict *labels;
  uint8_t *seen;           /* by code; 1: in c->labels */
} lt_gate_part;

typedef struct lt_gate_range { char *name; double low, high; int32_t column; } lt_gate_range;
typedef struct lt_gate_name { char *name; int32_t column; } lt_gate_name;
enum { GATE_REASONS = 18 };

struct lt_gate {
  leat_runtime *rt;
  int32_t on, outlier;
  double max_age, stop_share;
  int32_t action[GATE_REASONS];
  lt_gate_range *range;
  uint64_t n_ranges, range_cap;
  lt_gate_name *required;
  uint64_t n_required, required_cap;
  /* state */
  lt_dict *names;          /* type and name -> number in column */
  lt_gate_column **column;
  uint64_t n_columns, column_cap;
  int64_t newest;          /* INT64_MIN: none */
  lt_gate_labels classes;
  int64_t most_classes;    /* 0: any */
  uint8_t ring[GATE_RING];
  int32_t ring_n, ring_at, ring_held;
  /* the schema bound */
  leat_schema *bound;
  lt_gate_part *part;
  uint64_t n_parts, part_cap;
  double *x;
  uint64_t x_cap;
  uint8_t *seen;
  uint64_t seen_cap;
  int32_t target, weight, time;
  uint8_t *class_seen;
};

/* ---- settings (gate_settings.c) */
leat_status lt_gate_settings(lt_gate *g, const leat_params *settings, leat_error *err);
int lt_gate_reason_index(int32_t reason); /* -1 */
int lt_gate_unlearnable(int32_t reason);  /* nothing can be learned from such a record, whatever is wished */

/* ---- labels (gate_labels.c) */
leat_status lt_gate_labels_room(leat_runtime *rt, lt_gate_labels *l, uint64_t more, leat_error *err);
int lt_gate_labels_has(const lt_gate_labels *l, uint64_t hash);
void lt_gate_labels_add(lt_gate_labels *l, uint64_t hash); /* there is room; once more is fine */
void lt_gate_labels_free(leat_runtime *rt, lt_gate_labels *l);
static inline uint64_t lt_gate_hash(const lt_dict *d, int64_t code) {
  uint64_t n = 0;
  const char *text = lt_dict_text(d, code, &n);
  return lt_hash64(text, n, 0);
}

/* ---- columns (gate.c) */
leat_status lt_gate_column_get(lt_gate *g, int32_t type, const char *name, int64_t width, lt_gate_column **out,
                               leat_error *err);

/* ---- texts (gate_text.c) */
void lt_gate_tell(const lt_rows *rows, lt_verdict *v);
void lt_gate_tell_value(lt_verdict *v, double x);
void lt_gate_tell_range(lt_verdict *v, double x, double low, double high);
void lt_gate_tell_far(lt_verdict *v, double x, const lt_gate_stat *s, int64_t element);
void lt_gate_tell_slot(lt_verdict *v, double x, int32_t top, int own, int64_t index);
void lt_gate_tell_label(lt_verdict *v, const lt_dict *d, int64_t code, uint64_t shown);
void lt_gate_tell_old(lt_verdict *v, int64_t time, int64_t newest, double max_age);

/* ---- the rules of outliers. See docs/gate.md. */
/* Values that are nearly always the same have no scale: the first delay of a flight behind thousands of zeros is no
 * outlier. */
static inline int lt_gate_still(const lt_gate_stat *s) { return s->share >= 0.98; }
/* A variance that is never gone below. */
static inline double lt_gate_floor(const lt_gate_stat *s) {
  double m = fabs(s->mean), sd = 0.02 * m;
  if (lt_gate_still(s)) sd = 0.05 * m > 10 ? 0.05 * m : 10;
  else if (s->distinct <= 2) sd = 0.05 * (m > 1 ? m : 1);
  return sd * sd;
}
/* Is x far outside what an element has shown? */
static inline int lt_gate_is_far(const lt_gate_stat *s, double x) {
  double d = fabs(x - s->mean), var;
  if (d <= 3 * s->dev) return 0;
  var = lt_gate_floor(s);
  if (s->var > var) var = s->var;
  return d * d > 2500 * var;
}
/* Does x lie within three times the width of all that its dense block has shown? */
static inline int lt_gate_in_block(const lt_gate_column *c, double x) {
  if (c->low > c->high) return 1;
  double most = fmax(fmax(fabs(c->low), fabs(c->high)), 1), w = fmax(c->high - c->low, 2.5 * most);
  return x >= c->low - w && x <= c->high + w;
}
/* Welford's update with a bound on n: then older values fade. */
static inline void lt_gate_add(lt_gate_stat *s, double x) {
  double d = x - s->mean, k = s->n < GATE_WINDOW ? 1.0 / (s->n + 1) : 1.0 / GATE_WINDOW;
  s->mean += d * k;
  s->var += (d * (x - s->mean) - s->var) * k;
  if (s->var < 0) s->var = 0;
  if (fabs(d) > s->dev) s->dev = fabs(d);
  if (s->n < GATE_WINDOW) s->n++;
  s->share += ((x == s->mode) - s->share) * k;
  if (s->share < 0.5 && x != s->mode) {
    s->mode = x;
    s->share = 0;
  }
  if (s->distinct < 3 && x != s->a && (s->distinct == 1 || x != s->b)) {
    if (s->distinct++ == 1) s->b = x;
  }
}
/* The first values are taken as they come, for want of anything to compare them with. One of them that turns out to be far
 * outside of the others must not widen the bounds for ever: the farthest waits until the others have been seen. */
static inline void lt_gate_warm(lt_gate_stat *s, double x) {
  double far = s->extra;
  if (s->n == 0) {
    *s = (lt_gate_stat){.mean = x, .a = x, .mode = x, .share = 1, .n = 1, .distinct = 1, .strikes = s->strikes};
    return;
  }
  if (!s->has_extra) {
    s->extra = x;
    s->has_extra = 1;
    return;
  }
  if (fabs(x - s->mean) > fabs(far - s->mean)) {
    s->extra = x;
    x = far;
  }
  lt_gate_add(s, x);
  if (s->n < GATE_WARM) return;
  far = s->extra;
  s->extra = s->has_extra = 0;
  if (!lt_gate_is_far(s, far)) lt_gate_add(s, far);
}
static inline void lt_gate_count(lt_gate_stat *s, double x) {
  if (s->n < GATE_WARM) lt_gate_warm(s, x);
  else lt_gate_add(s, x);
}
/* Indices keep their places while they fit. */
static inline uint32_t lt_gate_place(int32_t index) {
  uint32_t i = (uint32_t)index;
  return i < GATE_SLOTS ? i : lt_mix32(i) & (GATE_SLOTS - 1);
}
/* A float's exponent, biased by 127; 0: zero, or as good as that. */
static inline uint32_t lt_gate_exponent(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits << 1 >> 24;
}
#endif
