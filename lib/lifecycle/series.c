#include "lifecycle/series.h"
#include "base/latency.h"
#include <math.h>
#include <string.h>

enum { SERIES_VERSION = 1, SERIES_POINT = 1, SERIES_DRIFT = 2, SERIES_LATENCY = 3 };
static const char series_kind[4] = {'S', 'E', 'R', 'S'};
struct lt_series { leat_runtime *rt; lt_reclog *log; int64_t last, last_drift; };

static leat_status series_make(lt_series *x, const char *path, leat_error *err) {
  return lt_reclog_create(x->rt, path, series_kind, SERIES_VERSION, 1, &x->log, err);
}

/* The ordinal of the last point. */
static leat_status series_last(lt_series *x, const char *path, leat_error *err) {
  lt_reclog *log = NULL;
  lt_record rec = {0};
  lt_get g;
  int32_t got = 1, torn = 0;
  leat_status st = lt_reclog_read_open(x->rt, path, series_kind, SERIES_VERSION, &log, err);
  while (!st && got) {
    st = lt_reclog_next(log, &rec, &got, &torn, err);
    if (st || !got) break;
    if (rec.type != SERIES_POINT && rec.type != SERIES_DRIFT) continue;
    lt_get_init(&g, x->rt, rec.data, rec.size);
    *(rec.type == SERIES_DRIFT ? &x->last_drift : &x->last) = lt_get_i64(&g);
  }
  if (log) (void)lt_reclog_close(log, NULL);
  return st;
}

leat_status lt_series_open(leat_store *s, lt_series **out, leat_error *err) {
  leat_runtime *rt = lt_folder_runtime(s);
  uint64_t torn = 0;
  *out = NULL;
  char *path = lt_folder_file(s, "learner/series.log");
  lt_series *x = lt_zalloc(rt, sizeof *x);
  leat_status st = path && x ? LEAT_OK : lt_fail_memory(err, sizeof *x, "a series");
  if (!st) {
    x->rt = rt;
    st = lt_reclog_append_open(rt, path, series_kind, SERIES_VERSION, &x->log, &torn, err);
    if (!st) st = series_last(x, path, err);
    if (st == LEAT_E_NOT_FOUND) st = series_make(x, path, err);
    else if (st == LEAT_E_FORMAT) { /* a picture, not the learner's state: a damaged one begins anew */
      if (x->log) (void)lt_reclog_close(x->log, NULL);
      x->log = NULL;
      x->last = x->last_drift = 0;
      st = lt_path_remove(rt, path, err);
      if (!st) st = series_make(x, path, err);
    }
  }
  lt_free(rt, path);
  if (!st) *out = x;
  else if (x) lt_series_close(x);
  return st;
}

int lt_series_has(const lt_series *x, int64_t ordinal) { return ordinal <= x->last; }

void lt_series_close(lt_series *x) {
  if (!x) return;
  if (x->log) (void)lt_reclog_close(x->log, NULL);
  lt_free(x->rt, x);
}

leat_status lt_series_add(lt_series *x, int64_t ordinal, const leat_point *p, leat_error *err) {
  const double real[] = {p->loss, p->score, p->no_change_loss, p->no_change_score, p->majority_loss, p->majority_score,
                         p->loss_deviation};
  lt_put w;
  if (lt_series_has(x, ordinal)) return LEAT_OK;
  lt_put_init(&w, x->rt);
  lt_put_i64(&w, ordinal);
  lt_put_i64(&w, p->time_ns);
  lt_put_i64(&w, p->row);
  lt_put_i64(&w, p->rows);
  lt_put_i64(&w, p->quarantined);
  lt_put_u64(&w, p->flags);
  for (size_t i = 0; i < sizeof real / sizeof *real; i++) lt_put_f64(&w, real[i]);
  leat_status st = lt_put_status(&w, err);
  if (!st) st = lt_reclog_append(x->log, SERIES_POINT, w.data, w.size, NULL, err);
  if (!st) st = lt_reclog_flush(x->log, err);
  if (!st) x->last = ordinal;
  lt_put_free(&w);
  return st;
}

leat_status lt_series_sync(lt_series *x, leat_error *err) { return lt_reclog_sync(x->log, err); }

static leat_status series_parse(leat_runtime *rt, const lt_record *rec, leat_point *p, leat_error *err) {
  lt_get g;
  double *real[] = {&p->loss, &p->score, &p->no_change_loss, &p->no_change_score, &p->majority_loss, &p->majority_score};
  lt_get_init(&g, rt, rec->data, rec->size);
  (void)lt_get_i64(&g);
  p->time_ns = lt_get_i64(&g);
  p->row = lt_get_i64(&g);
  p->rows = lt_get_i64(&g);
  p->quarantined = lt_get_i64(&g);
  p->flags = lt_get_u64(&g);
  for (size_t i = 0; i < sizeof real / sizeof *real; i++) *real[i] = lt_get_f64(&g);
  p->loss_deviation = lt_get_left(&g) >= sizeof(double) ? lt_get_f64(&g) : NAN; /* the first points had none */
  return lt_get_status(&g, "a point of the series", err);
}

/* ---- drift */

int lt_series_has_drift(const lt_series *x, int64_t ordinal) { return ordinal <= x->last_drift; }

leat_status lt_series_add_drift(lt_series *x, int64_t row, int64_t time_ns, int64_t since, const leat_drift_info *i, leat_error *err) {
  const int64_t number[] = {row, time_ns, row, since, i->state, i->rows, i->reference_rows};
  const double real[] = {i->value, i->warn, i->alert, i->js, i->ks, i->linf, i->share, i->reference_share};
  lt_put w;
  lt_put_init(&w, x->rt);
  for (size_t k = 0; k < sizeof number / sizeof *number; k++) lt_put_i64(&w, number[k]);
  for (size_t k = 0; k < sizeof real / sizeof *real; k++) lt_put_f64(&w, real[k]);
  lt_put_text(&w, i->name);
  lt_put_text(&w, i->worst_cell);
  leat_status st = lt_put_status(&w, err);
  if (!st) st = lt_reclog_append(x->log, SERIES_DRIFT, w.data, w.size, NULL, err);
  lt_put_free(&w);
  return st;
}

leat_status lt_series_drift_end(lt_series *x, int64_t ordinal, leat_error *err) {
  leat_status st = lt_reclog_flush(x->log, err);
  if (!st) x->last_drift = ordinal;
  return st;
}

static void series_text(lt_get *g, leat_runtime *rt, char *to, size_t cap) {
  char *text = lt_get_text(g);
  size_t n = text ? strlen(text) : 0;
  if (n >= cap) lt_get_fail(g, LEAT_E_FORMAT);
  else if (text) memcpy(to, text, n + 1);
  lt_free(rt, text);
}

static leat_status drift_parse(leat_runtime *rt, const lt_record *rec, leat_drift_point *p, leat_error *err) {
  lt_get g;
  int64_t *number[] = {&p->time_ns, &p->row, &p->since, &p->drift.state, &p->drift.rows, &p->drift.reference_rows};
  double *real[] = {&p->drift.value, &p->drift.warn, &p->drift.alert, &p->drift.js,
                    &p->drift.ks, &p->drift.linf, &p->drift.share, &p->drift.reference_share};
  lt_get_init(&g, rt, rec->data, rec->size);
  (void)lt_get_i64(&g);
  for (size_t i = 0; i < sizeof number / sizeof *number; i++) *number[i] = lt_get_i64(&g);
  for (size_t i = 0; i < sizeof real / sizeof *real; i++) *real[i] = lt_get_f64(&g);
  series_text(&g, rt, p->drift.name, sizeof p->drift.name);
  series_text(&g, rt, p->drift.worst_cell, sizeof p->drift.worst_cell);
  p->drift.struct_size = sizeof p->drift;
  return lt_get_status(&g, "a drift of the series", err);
}

/* The next record of one type behind the cursor, which is the place of the one before. */
static leat_status series_seek(leat_store *s, uint32_t type, int64_t *cursor, leat_point *point, leat_drift_point *drift, leat_error *err) {
  leat_runtime *rt = lt_folder_runtime(s);
  lt_reclog *log = NULL;
  lt_record rec = {0};
  int32_t got = 0, torn = 0;
  char *path = lt_folder_file(s, "learner/series.log");
  if (!path) return lt_fail_memory(err, 64, "a path");
  leat_status st = lt_reclog_read_open(rt, path, series_kind, SERIES_VERSION, &log, err);
  if (!st && *cursor > 0) st = lt_reclog_seek(log, (uint64_t)*cursor, err);
  if (!st) st = lt_reclog_next(log, &rec, &got, &torn, err);
  if (!st && *cursor > 0 && got) st = lt_reclog_next(log, &rec, &got, &torn, err);
  while (!st && got && rec.type != type) st = lt_reclog_next(log, &rec, &got, &torn, err);
  if (!st && !got) st = lt_fail(err, LEAT_E_NOT_FOUND, "the series has no more points now");
  if (!st) st = point ? series_parse(rt, &rec, point, err) : drift_parse(rt, &rec, drift, err);
  if (!st) *cursor = (int64_t)rec.offset;
  if (log) (void)lt_reclog_close(log, NULL);
  lt_free(rt, path);
  return st;
}

leat_status lt_series_next(leat_store *s, int64_t *cursor, leat_point *out, leat_error *err) {
  return series_seek(s, SERIES_POINT, cursor, out, NULL, err);
}

leat_status lt_series_next_drift(leat_store *s, int64_t *cursor, leat_drift_point *out, leat_error *err) {
  return series_seek(s, SERIES_DRIFT, cursor, NULL, out, err);
}

/* ---- latency: what the writer has counted of its operations since it began */

leat_status lt_series_add_latency(lt_series *x, int64_t ordinal, leat_error *err) {
  const lt_latency *of = lt_latency_all(x->rt);
  lt_put w;
  if (!of || !lt_timing_on(lt_runtime_timing(x->rt))) return LEAT_OK;
  lt_put_init(&w, x->rt);
  lt_put_i64(&w, ordinal);
  for (int64_t op = 0; op < LT_LATENCY_OPS; op++) {
    leat_latency l;
    lt_latency_look(&of[op], &l);
    if (!l.count) continue;
    const int64_t number[] = {op, l.count, l.sum_ns, l.max_ns, l.p50_ns, l.p90_ns, l.p99_ns, l.p999_ns};
    for (int i = 0; i < 8; i++) lt_put_i64(&w, number[i]);
  }
  leat_status st = lt_put_status(&w, err);
  if (!st && w.size > 8) st = lt_reclog_append(x->log, SERIES_LATENCY, w.data, w.size, NULL, err);
  if (!st && w.size > 8) st = lt_reclog_flush(x->log, err);
  lt_put_free(&w);
  return st;
}

static void latency_parse(leat_runtime *rt, const lt_record *rec, int64_t op, leat_latency *out) {
  lt_get g;
  *out = (leat_latency){.struct_size = sizeof *out};
  lt_get_init(&g, rt, rec->data, rec->size);
  (void)lt_get_i64(&g);
  while (lt_get_left(&g) >= 64) {
    int64_t number[8];
    for (int i = 0; i < 8; i++) number[i] = lt_get_i64(&g);
    if (number[0] == op)
      *out = (leat_latency){.struct_size = sizeof *out, .count = number[1], .sum_ns = number[2], .max_ns = number[3], .p50_ns = number[4],
                            .p90_ns = number[5], .p99_ns = number[6], .p999_ns = number[7]};
  }
}

leat_status lt_series_latency(leat_store *s, int64_t op, leat_latency *out, leat_error *err) {
  leat_runtime *rt = lt_folder_runtime(s);
  lt_reclog *log = NULL;
  lt_record rec = {0};
  int32_t got = 1, torn = 0, found = 0;
  char *path = lt_folder_file(s, "learner/series.log");
  if (!path) return lt_fail_memory(err, 64, "a path");
  leat_status st = lt_reclog_read_open(rt, path, series_kind, SERIES_VERSION, &log, err);
  while (!st && got) {
    st = lt_reclog_next(log, &rec, &got, &torn, err);
    if (st || !got || rec.type != SERIES_LATENCY) continue;
    latency_parse(rt, &rec, op, out);
    found = 1;
  }
  if (!st && !found) st = lt_fail(err, LEAT_E_NOT_FOUND, "the store's learner has noted no latency: it was not timed");
  if (log) (void)lt_reclog_close(log, NULL);
  lt_free(rt, path);
  return st;
}
