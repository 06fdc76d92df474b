/* Targets and weights of training rows. */
#include "train/design.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

/* Codes of the rows' labels -> codes of the model's (-1: a label the model does not know). NULL when they are equal. */
static leat_status label_map(leat_runtime *rt, const lt_column *from, const lt_column *to, int64_t **map,
                             leat_error *err) {
  *map = NULL;
  int64_t n = lt_dict_count(from->labels);
  int64_t *m = lt_array(rt, (uint64_t)n, sizeof *m);
  if (!m) return lt_fail_memory(err, (uint64_t)n * 8, "the labels of the target");
  for (int64_t k = 0; k < n; k++) {
    uint64_t size;
    const char *text = lt_dict_text(from->labels, k, &size);
    m[k] = lt_dict_find(to->labels, text, size);
  }
  *map = m;
  return LEAT_OK;
}

static leat_status check_target_row(double *y, const lt_column *c, const int64_t *map, int64_t n_classes, int64_t row,
                                    leat_error *err) {
  if (!isfinite(*y))
    return lt_fail_at(err, LEAT_E_DATA, row + 1, 0,
                      "the target '%.100s' is missing or not finite at row %lld: take the row out", c->name,
                      (long long)(row + 1));
  if (!map) return LEAT_OK;
  int64_t k = (int64_t)*y;
  int64_t code = k >= 0 && k < lt_dict_count(c->labels) ? map[k] : -1;
  if (code < 0 || code >= n_classes) {
    uint64_t size;
    const char *text = k >= 0 && k < lt_dict_count(c->labels) ? lt_dict_text(c->labels, k, &size) : "?";
    return lt_fail_at(err, LEAT_E_DATA, row + 1, 0, "the target '%.100s' has the label '%.60s' at row %lld, which the model does not know",
                      c->name, text, (long long)(row + 1));
  }
  *y = (double)code;
  return LEAT_OK;
}

leat_status lt_design_targets(lt_design *d, const leat_dataset *data, const leat_schema *schema, int64_t n_classes,
                              leat_error *err) {
  leat_runtime *rt = d->rt;
  leat_schema *s = lt_dataset_schema(data);
  int64_t target = lt_schema_role(s, LEAT_ROLE_TARGET), weight = lt_schema_role(s, LEAT_ROLE_WEIGHT);
  int64_t known = lt_schema_role(schema, LEAT_ROLE_TARGET);
  if (target < 0 || known < 0)
    return lt_fail(err, LEAT_E_DATA, "the data has no target column: one column must have the role TARGET");
  const lt_column *c = &s->col[target];
  if ((n_classes > 0) != (c->kind == LEAT_CATEGORY))
    return lt_fail(err, LEAT_E_DATA, "the target '%.100s' is %s here, but %s in the model", c->name,
                   c->kind == LEAT_CATEGORY ? "a category" : "a number", n_classes > 0 ? "a category" : "a number");
  leat_batch *gather = NULL;
  int64_t *map = NULL;
  leat_status st = lt_batch_create(rt, s, &gather, err);
  if (!st && n_classes > 0) st = label_map(rt, c, &schema->col[known], &map, err);
  if (st) goto out;
  d->y = lt_array(rt, (uint64_t)d->n, sizeof *d->y);
  d->sample = weight >= 0 ? lt_array(rt, (uint64_t)d->n, sizeof *d->sample) : NULL;
  if (!d->y || (weight >= 0 && !d->sample)) {
    st = lt_fail_memory(err, (uint64_t)d->n * 8, "targets");
    goto out;
  }
  d->weight = d->sample;
  double sum = 0;
  int has_weight = 0;
  for (int64_t first = 0; first < d->n;) {
    lt_rows rows;
    st = lt_dataset_view(data, first, d->n - first < 1024 ? d->n - first : 1024, gather, &rows, err);
    if (st) goto out;
    if (rows.n <= 0) {
      st = lt_fail(err, LEAT_E_INTERNAL, "a dataset gave no rows at row %lld", (long long)(first + 1));
      goto out;
    }
    const lt_col *wc = weight >= 0 ? &rows.col[weight] : NULL;
    if (wc && !wc->data) wc = NULL;
    for (int64_t r = 0; r < rows.n; r++) {
      double *y = &d->y[first + r];
      *y = lt_rows_target(&rows, target, r);
      st = check_target_row(y, c, map, n_classes, first + r, err);
      if (st) goto out;
      if (!wc) {
        if (d->sample) d->sample[first + r] = 1;
        sum += 1;
        continue;
      }
      double w = lt_col_number(&s->col[weight], wc, r, 0);
      if (!(w >= 0) || !isfinite(w)) {
        st = lt_fail_at(err, LEAT_E_DATA, first + r + 1, weight + 1,
                        "the weight '%.100s' is %s at row %lld: a finite number >= 0 is needed", s->col[weight].name,
                        w < 0 ? "negative" : "missing or not finite", (long long)(first + r + 1));
        goto out;
      }
      d->sample[first + r] = w;
      has_weight = 1;
      sum += w;
    }
    first += rows.n;
  }
  if (!(sum > 0)) {
    st = lt_fail(err, LEAT_E_DATA, "all weights are zero: at least one row must count");
    goto out;
  }
  if (!has_weight && d->sample) {
    lt_free(rt, d->sample);
    d->sample = d->weight = NULL;
  }
  d->weight_sum = sum;
out:
  lt_batch_free(gather);
  lt_free(rt, map);
  return st;
}

static leat_status balanced(const lt_design *d, int64_t n_classes, double *weight) {
  double total = 0, present = 0;
  for (int64_t k = 0; k < n_classes; k++) weight[k] = 0;
  for (int64_t r = 0; r < d->n; r++) weight[(int64_t)d->y[r]] += d->sample ? d->sample[r] : 1;
  for (int64_t k = 0; k < n_classes; k++) {
    total += weight[k];
    present += weight[k] > 0;
  }
  for (int64_t k = 0; k < n_classes; k++) weight[k] = weight[k] > 0 ? total / (present * weight[k]) : 1;
  return LEAT_OK;
}

leat_status lt_class_weights(const lt_design *d, const leat_schema *schema, int64_t n_classes, const char *text,
                             double *weight, leat_error *err) {
  for (int64_t k = 0; k < n_classes; k++) weight[k] = 1;
  if (!text[0] || strcmp(text, "none") == 0) return LEAT_OK;
  if (n_classes == 0)
    return lt_fail(err, LEAT_E_ARG, "class_weights '%.60s': the target is a number and has no classes", text);
  if (strcmp(text, "balanced") == 0) return balanced(d, n_classes, weight);
  const lt_column *c = &schema->col[lt_schema_role(schema, LEAT_ROLE_TARGET)];
  for (const char *p = text; *p;) {
    const char *end = strchr(p, ',');
    if (!end) end = p + strlen(p);
    const char *eq = NULL; /* the last '=': labels may hold one */
    for (const char *q = p; q < end; q++) {
      if (*q == '=') eq = q;
    }
    double v = 0;
    if (!eq || !lt_parse_f64(eq + 1, end, &v) || !(v >= 0) || !isfinite(v))
      return lt_fail(err, LEAT_E_ARG, "class_weights '%.100s': none, balanced or label=weight,label=weight is expected", text);
    int64_t k = lt_dict_find(c->labels, p, (uint64_t)(eq - p));
    if (k < 0 || k >= n_classes)
      return lt_fail(err, LEAT_E_ARG, "class_weights: the target '%.100s' has no label '%.*s'", c->name,
                     (int)(eq - p < 60 ? eq - p : 60), p);
    weight[k] = v;
    p = *end ? end + 1 : end;
  }
  return LEAT_OK;
}

leat_status lt_design_weigh(lt_design *d, const double *class_weight, leat_error *err) {
  if (!class_weight) return LEAT_OK;
  double *w = lt_array(d->rt, (uint64_t)d->n, sizeof *w);
  if (!w) return lt_fail_memory(err, (uint64_t)d->n * 8, "weights");
  double sum = 0;
  for (int64_t r = 0; r < d->n; r++) {
    w[r] = class_weight[(int64_t)d->y[r]] * (d->sample ? d->sample[r] : 1);
    sum += w[r];
  }
  if (!(sum > 0)) {
    lt_free(d->rt, w);
    return lt_fail(err, LEAT_E_DATA, "all weights are zero: at least one row must count");
  }
  if (d->weight != d->sample) lt_free(d->rt, d->weight);
  d->weight = w;
  d->weight_sum = sum;
  return LEAT_OK;
}
