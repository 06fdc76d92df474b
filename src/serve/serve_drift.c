/* Drift of what is served: rows go into a small buffer, from which the follower feeds a monitor of the version's own reference. When
 * more rows come than it can hold between two looks, the rest is left out: monitoring never slows an answer. */
#include "serve.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRIFT_ROWS = 4096, DRIFT_WINDOW = 10000 };
typedef struct serve_drift {
  pthread_mutex_t lock;
  double *x;
  int64_t version, rows, cols, cap, lost;
  leat_monitor *monitor;
  leat_schema *schema;
  int64_t monitored;        /* version; 0 none */
  json_t *told;             /* under lock */
} serve_drift;

void serve_drift_start(serve_server *s) {
  s->drift = serve_alloc(sizeof *s->drift);
  pthread_mutex_init(&s->drift->lock, NULL);
}

static void drift_forget(serve_drift *d) {
  leat_monitor_free(d->monitor);
  leat_schema_free(d->schema);
  d->monitor = NULL;
  d->schema = NULL;
}

void serve_drift_stop(serve_server *s) {
  if (!s->drift) return;
  drift_forget(s->drift);
  json_decref(s->drift->told);
  free(s->drift->x);
  pthread_mutex_destroy(&s->drift->lock);
  free(s->drift);
  s->drift = NULL;
}

void serve_drift_note(serve_server *s, int64_t version, const double *x, int64_t rows, int64_t cols) {
  serve_drift *d = s->drift;
  if (cols > 4096 || pthread_mutex_trylock(&d->lock)) return;
  if (d->version != version || d->cols != cols) {
    d->version = version;
    d->cols = cols;
    d->rows = 0;
  }
  int64_t n = rows < DRIFT_ROWS - d->rows ? rows : DRIFT_ROWS - d->rows;
  if (d->x && d->cap >= DRIFT_ROWS * cols && n > 0) {
    memcpy(d->x + d->rows * cols, x, (size_t)(n * cols) * sizeof *x);
    d->rows += n;
  } else n = 0;
  d->lost += rows - n;
  pthread_mutex_unlock(&d->lock);
}

static void drift_begin(serve_server *s, serve_drift *d) {
  leat_lease lease = { .struct_size = sizeof lease };
  leat_params *p = NULL;
  if (leat_endpoint_acquire(s->endpoint, &lease, NULL)) return;
  if (lease.version != d->monitored) {
    int64_t cols = 0, out;
    drift_forget(d);
    d->monitored = lease.version;
    if (leat_params_create(s->rt, "monitor", &p, NULL) == LEAT_OK && leat_params_set_i64(p, "window", DRIFT_WINDOW, NULL) == LEAT_OK &&
        leat_monitor_create(lease.model, p, &d->monitor, NULL) == LEAT_OK && leat_model_schema(lease.model, &d->schema, NULL) == LEAT_OK &&
        leat_predictor_shape(lease.predictor, &cols, &out, NULL) == LEAT_OK && cols <= 4096) {
      pthread_mutex_lock(&d->lock);
      if (d->cap < DRIFT_ROWS * cols) {
        d->x = serve_grow(d->x, (size_t)(DRIFT_ROWS * cols) * sizeof *d->x);
        d->cap = DRIFT_ROWS * cols;
        d->rows = 0;
      }
      pthread_mutex_unlock(&d->lock);
    } else drift_forget(d); /* no reference in the package: nothing to compare with */
    leat_params_free(p);
  }
  leat_endpoint_release(s->endpoint, &lease);
}

static json_t *drift_told(const serve_drift *d) {
  static const char *const word[] = { "insufficient", "ok", "warn", "alert" };
  json_t *all = json_array();
  int64_t n = 0;
  leat_monitor_count(d->monitor, &n, NULL);
  for (int64_t i = 0; i < n && i < 200; i++) {
    leat_drift_info info = { .struct_size = sizeof info };
    if (leat_monitor_at(d->monitor, i, &info, NULL)) continue;
    json_array_append_new(all, json_pack("{s:s,s:s,s:I,s:I,s:o,s:o,s:o,s:s}", "name", info.name, "state",
                                         word[info.state >= 0 && info.state <= 3 ? info.state : 0], "code", (json_int_t)info.state, "rows",
                                         (json_int_t)info.rows, "psi", isfinite(info.value) ? json_real(info.value) : json_null(), "warn",
                                         isfinite(info.warn) ? json_real(info.warn) : json_null(), "alert",
                                         isfinite(info.alert) ? json_real(info.alert) : json_null(), "worst", info.worst_cell));
  }
  return all;
}

void serve_drift_follow(serve_server *s) {
  serve_drift *d = s->drift;
  double *x = NULL;
  int64_t rows = 0, cols = 0;
  drift_begin(s, d);
  pthread_mutex_lock(&d->lock);
  if (d->monitor && d->rows && d->version == d->monitored) {
    rows = d->rows;
    cols = d->cols;
    x = malloc((size_t)(rows * cols) * sizeof *x);
    if (x) memcpy(x, d->x, (size_t)(rows * cols) * sizeof *x);
  }
  d->rows = 0;
  pthread_mutex_unlock(&d->lock);
  if (!x) return;
  leat_batch *b = NULL;
  leat_matrix m = { .struct_size = sizeof m, .data = x, .rows = rows, .cols = cols, .dtype = LEAT_F64 };
  if (leat_batch_create(s->rt, d->schema, &b, NULL) == LEAT_OK && leat_batch_set_dense(b, &m, NULL) == LEAT_OK &&
      leat_monitor_update(d->monitor, b, NULL) == LEAT_OK) {
    json_t *told = drift_told(d);
    __atomic_fetch_add(&s->drifted_rows, rows, __ATOMIC_RELAXED);
    pthread_mutex_lock(&d->lock);
    json_decref(d->told);
    d->told = told;
    pthread_mutex_unlock(&d->lock);
  }
  leat_batch_free(b);
  free(x);
}

json_t *serve_drift_json(serve_server *s) {
  pthread_mutex_lock(&s->drift->lock);
  json_t *copy = s->drift->told ? json_deep_copy(s->drift->told) : json_array();
  pthread_mutex_unlock(&s->drift->lock);
  return copy;
}
