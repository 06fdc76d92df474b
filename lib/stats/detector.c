/* What all detectors share: life, counts, bytes. */
#include "stats/detector.h"
#include <string.h>

static const lt_detector_kind *const kinds[] = {&lt_detector_adwin,  &lt_detector_ddm,          &lt_detector_hddm_a, &lt_detector_hddm_w,
                                                &lt_detector_page_hinkley, &lt_detector_cusum, &lt_detector_kswin,  &lt_detector_eddm};

struct leat_detector {
  leat_runtime *rt;
  const lt_detector_kind *kind;
  leat_params *settings;
  int64_t seen, drifts;
  void *self;
};

const lt_detector_kind *const *lt_detector_kinds(int64_t *count) {
  *count = (int64_t)(sizeof kinds / sizeof kinds[0]);
  return kinds;
}

leat_status lt_detector_create(leat_runtime *rt, const leat_params *p, lt_detector **out, leat_error *err) {
  const lt_detector_kind *kind = NULL;
  *out = NULL;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (kinds[i]->spec == lt_params_spec(p)) kind = kinds[i];
  if (!kind)
    return lt_fail(err, LEAT_E_ARG, "parameters of '%.60s' are no detector's: make them for \"detector/adwin\" or the like",
                   lt_params_spec(p)->name);
  lt_detector *d = lt_zalloc(rt, sizeof *d);
  if (!d) return lt_fail_memory(err, sizeof *d, "a detector");
  lt_runtime_ref(rt);
  d->rt = rt;
  d->kind = kind;
  leat_status st = lt_params_copy(p, &d->settings, err);
  d->self = lt_zalloc(rt, kind->bytes);
  if (!st && !d->self) st = lt_fail_memory(err, kind->bytes, "a detector");
  if (st) {
    lt_detector_free(d);
    return st;
  }
  kind->init(d->self, d->settings);
  *out = d;
  return LEAT_OK;
}

void lt_detector_free(lt_detector *d) {
  if (!d) return;
  leat_runtime *rt = d->rt;
  lt_params_free(d->settings);
  lt_free(rt, d->self);
  lt_free(rt, d);
  lt_runtime_unref(rt);
}

void lt_detector_reset(lt_detector *d) { d->kind->init(d->self, d->settings); }

int32_t lt_detector_add(lt_detector *d, double x) {
  int32_t state = d->kind->add(d->self, x);
  d->seen++;
  d->drifts += state == LT_DRIFTED;
  return state;
}

double lt_detector_level(const lt_detector *d) { return d->kind->level(d->self); }
int64_t lt_detector_seen(const lt_detector *d) { return d->seen; }
int64_t lt_detector_drifts(const lt_detector *d) { return d->drifts; }

void lt_detector_save(const lt_detector *d, lt_put *w) {
  lt_put_text(w, d->kind->spec->name);
  lt_put_i64(w, d->seen);
  lt_put_i64(w, d->drifts);
  if (d->kind->put) d->kind->put(d->self, w);
  else lt_put_f64s(w, d->self, d->kind->bytes / sizeof(double));
}

leat_status lt_detector_restore(lt_detector *d, lt_get *r, leat_error *err) {
  uint64_t n = 0;
  char *name = lt_get_text(r);
  if (!r->failed && (!name || strcmp(name, d->kind->spec->name) != 0)) lt_get_fail(r, LEAT_E_FORMAT);
  lt_free(d->rt, name);
  int64_t seen = lt_get_i64(r), drifts = lt_get_i64(r);
  if (seen < 0 || drifts < 0 || drifts > seen) lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed && d->kind->get) {
    d->kind->get(d->self, r);
  } else if (!r->failed) {
    double *v = lt_get_f64s(r, &n);
    if (v && n == d->kind->bytes / sizeof(double)) memcpy(d->self, v, d->kind->bytes);
    else lt_get_fail(r, LEAT_E_FORMAT);
    lt_free(d->rt, v);
  }
  leat_status st = lt_get_status(r, "a detector's state", err);
  if (st) {
    d->kind->init(d->self, d->settings);
    return st;
  }
  d->seen = seen;
  d->drifts = drifts;
  return LEAT_OK;
}
