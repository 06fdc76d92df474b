/* Reference profiles of a data set, and its golden rows. */
#include "model/profiles.h"
#include "model/encoding.h"
#include "base/number.h"
#include "base/rng.h"
#include <math.h>
#include <string.h>

enum { PROFILE_SAMPLE = 20000, PROFILE_TILE = 4096, PROFILE_STRIP = 256, PROFILE_GOLDEN = 16 };

typedef struct profile_item { int64_t column, element; int32_t type; int64_t count_at; } profile_item;

typedef struct profile_fit {
  leat_runtime *rt;
  const leat_dataset *d;
  const leat_schema *s;
  int64_t rows, n_sample, n, n_counts;
  int64_t *sample_row;
  profile_item *item;
  lt_profile **profile;
  int64_t *count;      /* of categories: labels, unseen, missing */
  /* one group of sampled columns */
  double *value;       /* [group, n_sample] */
  int64_t first;
  /* the counting pass */
  int64_t n_tasks;
  lt_profile **part;   /* [n_tasks, n]: part 0 is profile itself */
  int64_t *part_count; /* [n_tasks, n_counts] */
  leat_status *status;
  leat_error *error;
} profile_fit;

void lt_profiles_free(leat_runtime *rt, lt_profile **profiles, int64_t n) {
  for (int64_t i = 0; profiles && i < n; i++) lt_profile_free(profiles[i]);
  lt_free(rt, profiles);
}

/* ---------------------------------------------------------------------------------------------- which columns */

static void profile_add_column(profile_fit *f, int64_t i, int64_t *numbers) {
  const lt_column *c = &f->s->col[i];
  int64_t width = c->sparse ? 1 : c->width;
  int32_t type = c->sparse ? LT_PROFILE_SPARSE : c->kind == LEAT_CATEGORY ? LT_PROFILE_CATEGORY : LT_PROFILE_NUMBER;
  for (int64_t j = 0; j < width && *numbers < LT_MAX_PROFILES; j++) {
    if (f->item) {
      f->item[f->n] = (profile_item){i, j, type, f->n_counts};
      if (type == LT_PROFILE_CATEGORY) f->n_counts += lt_dict_count(c->labels) + 2;
    }
    f->n++;
    ++*numbers;
  }
}

static void profile_list(profile_fit *f) {
  int64_t numbers = 0, target = lt_schema_role(f->s, LEAT_ROLE_TARGET);
  f->n = 0;
  f->n_counts = 0;
  for (int64_t i = 0; i < f->s->n; i++) {
    const lt_column *c = &f->s->col[i];
    if (c->role == LEAT_ROLE_FEATURE && c->kind != LEAT_TEXT && c->kind != LEAT_ID) profile_add_column(f, i, &numbers);
  }
  numbers = 0;
  if (target >= 0) profile_add_column(f, target, &numbers);
}

static void profile_name(const profile_fit *f, int64_t k, char *buf, uint64_t cap) {
  const profile_item *t = &f->item[k];
  const lt_column *c = &f->s->col[t->column];
  char number[32];
  uint64_t n = strlen(c->name), m = 0;
  if (n > cap - 40) n = cap - 40;
  memcpy(buf, c->name, n);
  if (c->width > 1 && !c->sparse) {
    m = (uint64_t)lt_i64_text(t->element, number);
    buf[n++] = '[';
    memcpy(buf + n, number, m);
    n += m;
    buf[n++] = ']';
  }
  buf[n] = 0;
}

/* ---------------------------------------------------------------------------------------------- cells from a sample */

static void profile_sample_rows(profile_fit *f) {
  for (int64_t i = 0; i < f->n_sample; i++) {
    uint32_t random[4];
    int64_t low = (int64_t)((__int128)i * f->rows / f->n_sample);
    int64_t high = (int64_t)((__int128)(i + 1) * f->rows / f->n_sample);
    lt_philox(1, 2, (uint64_t)i, random);
    f->sample_row[i] = high > low ? low + (int64_t)(random[0] % (uint64_t)(high - low)) : low;
  }
}

static void profile_cells_task(void *arg, int64_t index) {
  profile_fit *f = arg;
  int64_t k = f->first + index;
  char name[512];
  if (f->item[k].type != LT_PROFILE_NUMBER) return;
  profile_name(f, k, name, sizeof name);
  f->status[index] = lt_profile_number(f->rt, name, f->value + index * f->n_sample, f->n_sample, &f->profile[k],
                                       &f->error[index]);
  if (!f->status[index]) lt_profile_clear(f->profile[k]);
}

static leat_status profile_group(profile_fit *f, int64_t n, leat_batch *scratch, leat_error *err) {
  leat_status st = LEAT_OK;
  lt_rows v;
  for (int64_t i = 0; i < f->n_sample && !st; i++) {
    st = lt_dataset_view(f->d, f->sample_row[i], 1, scratch, &v, err);
    for (int64_t k = 0; k < n && !st; k++) {
      const profile_item *t = &f->item[f->first + k];
      if (t->type == LT_PROFILE_NUMBER)
        f->value[k * f->n_sample + i] = lt_col_number(&f->s->col[t->column], &v.col[t->column], 0, t->element);
    }
  }
  if (st) return st;
  for (int64_t k = 0; k < n; k++) {
    f->status[k] = LEAT_OK;
    f->error[k].struct_size = sizeof f->error[k];
  }
  st = lt_parallel_for(f->rt, n, profile_cells_task, f);
  if (st) return lt_fail(err, st, "the host's executor failed");
  for (int64_t k = 0; k < n; k++)
    if (f->status[k]) return lt_fail(err, f->status[k], "%s", f->error[k].message);
  return LEAT_OK;
}

static void profile_row_norm(const lt_col *v, int64_t r, double *nnz, double *norm) {
  double square = 0.0;
  *nnz = *norm = 0.0;
  if (!v->row_start) return;
  *nnz = (double)(v->row_start[r + 1] - v->row_start[r]);
  for (int64_t k = v->row_start[r]; k < v->row_start[r + 1]; k++) {
    double x = v->value ? (double)v->value[k] : 1.0;
    square += x * x;
  }
  *norm = sqrt(square);
}

static leat_status profile_sparse_cells(profile_fit *f, int64_t k, leat_batch *scratch, leat_error *err) {
  const profile_item *t = &f->item[k];
  lt_rows v;
  char name[512];
  leat_status st = LEAT_OK;
  double *nnz = lt_array(f->rt, 2 * (uint64_t)f->n_sample, sizeof *nnz), *norm = nnz ? nnz + f->n_sample : NULL;
  if (!nnz) return lt_fail_memory(err, 2 * (uint64_t)f->n_sample * sizeof *nnz, "reference profiles");
  for (int64_t i = 0; i < f->n_sample && !st; i++) {
    st = lt_dataset_view(f->d, f->sample_row[i], 1, scratch, &v, err);
    if (!st) profile_row_norm(&v.col[t->column], 0, &nnz[i], &norm[i]);
  }
  profile_name(f, k, name, sizeof name);
  if (!st) st = lt_profile_sparse(f->rt, name, nnz, norm, f->n_sample, &f->profile[k], err);
  if (!st) lt_profile_clear(f->profile[k]);
  lt_free(f->rt, nnz);
  return st;
}

static leat_status profile_cells(profile_fit *f, leat_batch *scratch, leat_error *err) {
  int64_t group = 8388608 / f->n_sample; /* 64 MB of sampled values at a time */
  if (group < 1) group = 1;
  if (group > f->n) group = f->n;
  leat_status st = LEAT_OK;
  f->value = lt_array(f->rt, (uint64_t)(group * f->n_sample), sizeof *f->value);
  f->status = lt_zarray(f->rt, (uint64_t)group, sizeof *f->status);
  f->error = lt_zarray(f->rt, (uint64_t)group, sizeof *f->error);
  if (!f->value || !f->status || !f->error)
    st = lt_fail_memory(err, (uint64_t)(group * f->n_sample) * sizeof *f->value, "reference profiles");
  for (f->first = 0; f->first < f->n && !st; f->first += group)
    st = profile_group(f, f->n - f->first < group ? f->n - f->first : group, scratch, err);
  for (int64_t k = 0; k < f->n && !st; k++)
    if (f->item[k].type == LT_PROFILE_SPARSE) st = profile_sparse_cells(f, k, scratch, err);
  lt_free(f->rt, f->value);
  lt_free(f->rt, f->status);
  lt_free(f->rt, f->error);
  f->value = NULL;
  f->status = NULL;
  f->error = NULL;
  return st;
}

/* ---------------------------------------------------------------------------------------------- counts over all rows */

/* Element `element` of rows [from, from + n) of a column. */
static void profile_count_numbers(const lt_column *c, const lt_col *v, int64_t element, int64_t from, int64_t n,
                                  lt_profile *p) {
  double x[PROFILE_STRIP];
  lt_col one = *v;
  int64_t size = v->dtype == LEAT_F64 || v->dtype == LEAT_I64 ? 8 : v->dtype == LEAT_U8 ? 1 : 4;
  if (one.data) one.data = (const char *)v->data + element * v->col_stride * size;
  lt_column_numbers(c, &one, 1, from, n, x, 1);
  lt_profile_add_many(p, x, n);
}

/* Strip by strip: a strip of a block stays in the cache while its columns are taken one by one. */
static void profile_count_strip(const profile_fit *f, const lt_rows *v, int64_t from, int64_t rows, lt_profile **profile,
                                int64_t *count) {
  for (int64_t k = 0; k < f->n; k++) {
    const profile_item *t = &f->item[k];
    const lt_column *c = &f->s->col[t->column];
    const lt_col *col = &v->col[t->column];
    if (t->type == LT_PROFILE_NUMBER) {
      profile_count_numbers(c, col, t->element, from, rows, profile[k]);
    } else if (t->type == LT_PROFILE_SPARSE) {
      for (int64_t r = from; r < from + rows; r++) {
        double nnz, norm;
        profile_row_norm(col, r, &nnz, &norm);
        lt_profile_add_sparse(profile[k], nnz, norm);
      }
    } else {
      int64_t n = lt_dict_count(c->labels), *to = count + t->count_at;
      for (int64_t r = from; r < from + rows; r++) {
        int32_t code = col->data ? ((const int32_t *)col->data)[r * col->row_stride] : LT_MISSING;
        to[code >= 0 && code < n ? code : code == LT_UNSEEN ? n : n + 1]++;
      }
    }
  }
}

static void profile_count_rows(const profile_fit *f, const lt_rows *v, lt_profile **profile, int64_t *count) {
  for (int64_t r = 0; r < v->n; r += PROFILE_STRIP)
    profile_count_strip(f, v, r, v->n - r < PROFILE_STRIP ? v->n - r : PROFILE_STRIP, profile, count);
}

static void profile_count_task(void *arg, int64_t index) {
  profile_fit *f = arg;
  int64_t tiles = (f->rows + PROFILE_TILE - 1) / PROFILE_TILE;
  int64_t from = tiles * index / f->n_tasks * PROFILE_TILE, to = tiles * (index + 1) / f->n_tasks * PROFILE_TILE;
  leat_batch *scratch = NULL;
  leat_status st = lt_batch_create(f->rt, lt_dataset_schema(f->d), &scratch, &f->error[index]);
  for (int64_t r = from; r < to && !st; r += PROFILE_TILE) {
    lt_rows v;
    st = lt_dataset_view(f->d, r, PROFILE_TILE, scratch, &v, &f->error[index]);
    if (!st) profile_count_rows(f, &v, f->part + index * f->n, f->part_count + index * f->n_counts);
  }
  f->status[index] = st;
  lt_batch_free(scratch);
}

/* Counts are whole numbers: how many parts they are taken in changes nothing. */
static leat_status profile_counts(profile_fit *f, leat_error *err) {
  int64_t tiles = (f->rows + PROFILE_TILE - 1) / PROFILE_TILE;
  leat_status st = LEAT_OK;
  f->n_tasks = lt_runtime_threads(f->rt) < 8 ? lt_runtime_threads(f->rt) : 8;
  if (f->n_tasks > tiles) f->n_tasks = tiles;
  uint64_t tasks = (uint64_t)f->n_tasks;
  f->part = lt_zarray(f->rt, tasks * (uint64_t)f->n, sizeof *f->part);
  f->part_count = lt_zarray(f->rt, tasks * (uint64_t)f->n_counts, sizeof *f->part_count);
  f->status = lt_zarray(f->rt, tasks, sizeof *f->status);
  f->error = lt_zarray(f->rt, tasks, sizeof *f->error);
  if (!f->part || !f->part_count || !f->status || !f->error) {
    st = lt_fail_memory(err, tasks * (uint64_t)f->n_counts * sizeof *f->part_count, "reference profiles");
    goto out;
  }
  for (int64_t i = 0; i < f->n_tasks; i++) {
    f->error[i].struct_size = sizeof f->error[i];
    for (int64_t k = 0; k < f->n && !st; k++) {
      if (i == 0) f->part[k] = f->profile[k];
      else if (f->profile[k]) /* categories are counted by code */
        st = lt_profile_clone(f->rt, f->profile[k], 1, &f->part[i * f->n + k], err);
    }
  }
  if (!st && (st = lt_parallel_for(f->rt, f->n_tasks, profile_count_task, f)) != LEAT_OK)
    lt_fail(err, st, "the host's executor failed");
  for (int64_t i = 0; i < f->n_tasks && !st; i++) {
    if (f->status[i]) st = lt_fail(err, f->status[i], "%s", f->error[i].message);
    for (int64_t k = 0; k < f->n && !st && i > 0; k++)
      if (f->profile[k]) st = lt_profile_merge(f->profile[k], f->part[i * f->n + k], err);
    for (int64_t k = 0; k < f->n_counts && !st; k++) f->count[k] += f->part_count[i * f->n_counts + k];
  }
out:
  for (int64_t i = f->n; f->part && i < f->n_tasks * f->n; i++) lt_profile_free(f->part[i]);
  lt_free(f->rt, f->part);
  lt_free(f->rt, f->part_count);
  lt_free(f->rt, f->status);
  lt_free(f->rt, f->error);
  f->part = NULL;
  return st;
}

static leat_status profile_category(profile_fit *f, int64_t k, leat_error *err) {
  const profile_item *t = &f->item[k];
  const lt_dict *labels = f->s->col[t->column].labels;
  int64_t n = lt_dict_count(labels);
  const int64_t *count = f->count + t->count_at;
  char name[512];
  const char **label = lt_array(f->rt, (uint64_t)n, sizeof *label);
  if (!label) return lt_fail_memory(err, (uint64_t)n * sizeof *label, "reference profiles");
  for (int64_t i = 0; i < n; i++) label[i] = lt_dict_text(labels, i, NULL);
  profile_name(f, k, name, sizeof name);
  leat_status st = lt_profile_category(f->rt, name, label, count, n, count[n + 1], &f->profile[k], err);
  if (!st && count[n] > 0) lt_profile_add_label(f->profile[k], "(unseen)", 8, count[n]);
  lt_free(f->rt, label);
  return st;
}

leat_status lt_profiles_fit(leat_runtime *rt, const leat_dataset *d, lt_profile ***out, int64_t *n, leat_error *err) {
  profile_fit f;
  leat_batch *scratch = NULL;
  leat_status st = LEAT_OK;
  *out = NULL;
  *n = 0;
  memset(&f, 0, sizeof f);
  if (lt_dataset_streams(d)) return lt_fail(err, LEAT_E_UNSUPPORTED, "profiles need rows in memory, not a stream");
  f.rt = rt;
  f.d = d;
  f.s = lt_dataset_schema(d);
  f.rows = lt_dataset_rows(d);
  if (f.rows < 1) return lt_fail(err, LEAT_E_DATA, "no rows to make profiles of");
  profile_list(&f);
  f.n_sample = f.n > 0 ? 67108864 / f.n : PROFILE_SAMPLE; /* wide data: fewer rows, at least 2000 */
  f.n_sample = f.n_sample < 2000 ? 2000 : f.n_sample > PROFILE_SAMPLE ? PROFILE_SAMPLE : f.n_sample;
  if (f.n_sample > f.rows) f.n_sample = f.rows;
  f.item = lt_zarray(rt, (uint64_t)f.n, sizeof *f.item);
  f.profile = lt_zarray(rt, (uint64_t)f.n, sizeof *f.profile);
  f.sample_row = lt_array(rt, (uint64_t)f.n_sample, sizeof *f.sample_row);
  if (!f.item || !f.profile || !f.sample_row) {
    st = lt_fail_memory(err, (uint64_t)f.n_sample * sizeof *f.sample_row, "reference profiles");
    goto out;
  }
  profile_list(&f);
  f.count = lt_zarray(rt, (uint64_t)f.n_counts, sizeof *f.count);
  if (!f.count) {
    st = lt_fail_memory(err, (uint64_t)f.n_counts * sizeof *f.count, "reference profiles");
    goto out;
  }
  profile_sample_rows(&f);
  st = lt_batch_create(rt, lt_dataset_schema(d), &scratch, err);
  if (!st) st = profile_cells(&f, scratch, err);
  if (!st) st = profile_counts(&f, err);
  for (int64_t k = 0; k < f.n && !st; k++)
    if (f.item[k].type == LT_PROFILE_CATEGORY) st = profile_category(&f, k, err);
out:
  lt_batch_free(scratch);
  lt_free(rt, f.item);
  lt_free(rt, f.sample_row);
  lt_free(rt, f.count);
  if (st) {
    lt_profiles_free(rt, f.profile, f.profile ? f.n : 0);
  } else {
    *out = f.profile;
    *n = f.n;
  }
  return st;
}

static leat_status profile_of_item(profile_fit *f, const lt_rows *v, int64_t k, leat_error *err) {
  const profile_item *t = &f->item[k];
  const lt_column *c = &f->s->col[t->column];
  const lt_col *col = &v->col[t->column];
  char name[512];
  profile_name(f, k, name, sizeof name);
  if (t->type == LT_PROFILE_CATEGORY) {
    int64_t n = lt_dict_count(c->labels), *to = f->count + t->count_at;
    for (int64_t r = 0; r < v->n; r++) {
      int32_t code = col->data ? ((const int32_t *)col->data)[r * col->row_stride] : LT_MISSING;
      to[code >= 0 && code < n ? code : code == LT_UNSEEN ? n : n + 1]++;
    }
    return profile_category(f, k, err);
  }
  for (int64_t r = 0; r < v->n; r++) {
    if (t->type == LT_PROFILE_NUMBER) f->value[r] = col->data ? lt_col_number(c, col, r, t->element) : (double)NAN;
    else profile_row_norm(col, r, &f->value[r], &f->value[v->n + r]);
  }
  return t->type == LT_PROFILE_NUMBER ? lt_profile_number(f->rt, name, f->value, v->n, &f->profile[k], err)
                                      : lt_profile_sparse(f->rt, name, f->value, f->value + v->n, v->n, &f->profile[k], err);
}

leat_status lt_profiles_of(leat_runtime *rt, const lt_rows *rows, lt_profile ***out, int64_t *n, leat_error *err) {
  profile_fit f;
  leat_status st = LEAT_OK;
  *out = NULL;
  *n = 0;
  memset(&f, 0, sizeof f);
  f.rt = rt;
  f.s = rows->schema;
  profile_list(&f);
  f.item = lt_zarray(rt, (uint64_t)f.n + 1, sizeof *f.item);
  f.profile = lt_zarray(rt, (uint64_t)f.n + 1, sizeof *f.profile);
  f.value = lt_array(rt, 2 * (uint64_t)rows->n + 1, sizeof *f.value);
  if (!f.item || !f.profile || !f.value) st = lt_fail_memory(err, 2 * (uint64_t)rows->n * sizeof *f.value, "reference profiles");
  if (!st) profile_list(&f);
  if (!st && !(f.count = lt_zarray(rt, (uint64_t)f.n_counts + 1, sizeof *f.count)))
    st = lt_fail_memory(err, (uint64_t)f.n_counts * sizeof *f.count, "reference profiles");
  for (int64_t k = 0; k < f.n && !st; k++) st = profile_of_item(&f, rows, k, err);
  lt_free(rt, f.item);
  lt_free(rt, f.value);
  lt_free(rt, f.count);
  if (st) {
    lt_profiles_free(rt, f.profile, f.profile ? f.n : 0);
  } else {
    *out = f.profile;
    *n = f.n;
  }
  return st;
}

/* ---------------------------------------------------------------------------------------------- counting later rows */

static leat_status count_labels(leat_runtime *rt, const lt_column *c, const lt_col *v, int64_t from, int64_t rows, lt_profile *p,
                                leat_error *err) {
  int64_t n = lt_dict_count(c->labels), missing = 0, unseen = 0;
  int64_t *count = lt_zarray(rt, (uint64_t)n, sizeof *count);
  if (!count) return lt_fail_memory(err, (uint64_t)n * sizeof *count, "counts of labels");
  for (int64_t r = from; r < from + rows; r++) {
    int32_t code = v->data ? ((const int32_t *)v->data)[r * v->row_stride] : LT_MISSING;
    if (code >= 0 && code < n) count[code]++;
    else if (code == LT_UNSEEN) unseen++;
    else missing++;
  }
  for (int64_t k = 0; k < n; k++) {
    uint64_t size = 0;
    const char *text = lt_dict_text(c->labels, k, &size);
    if (count[k]) lt_profile_add_label(p, text, size, count[k]);
  }
  if (unseen) lt_profile_add_label(p, "(unseen)", 8, unseen);
  if (missing) lt_profile_add_label(p, NULL, 0, missing);
  lt_free(rt, count);
  return LEAT_OK;
}

leat_status lt_profiles_count(leat_runtime *rt, const leat_schema *s, lt_profile *const *profile, int64_t n,
                              const lt_rows *rows, int64_t from, int64_t count, leat_error *err) {
  const int64_t to = from + count;
  int64_t target = lt_schema_role(s, LEAT_ROLE_TARGET), k = 0;
  leat_status st = LEAT_OK;
  for (int64_t i = 0; i <= s->n && !st && k < n; i++) { /* the target comes last, as lt_profiles_fit has it */
    if (i == s->n && target < 0) break;
    const lt_column *c = &s->col[i < s->n ? i : target];
    if (i < s->n && (c->role != LEAT_ROLE_FEATURE || c->kind == LEAT_TEXT || c->kind == LEAT_ID)) continue;
    int64_t width = c->sparse ? 1 : c->width, at = -1;
    int32_t type = c->sparse ? LT_PROFILE_SPARSE : c->kind == LEAT_CATEGORY ? LT_PROFILE_CATEGORY : LT_PROFILE_NUMBER;
    if (lt_schema_find(rows->schema, c->name, &at, NULL) != LEAT_OK) at = -1;
    const lt_column *own = at >= 0 ? &rows->schema->col[at] : NULL;
    const lt_col *v = at >= 0 ? &rows->col[at] : NULL;
    if (own && (own->kind != c->kind || own->sparse != c->sparse || lt_column_is_text(own) || (!v->data && !v->row_start))) own = NULL;
    for (int64_t j = 0; j < width && k < n && !st; j++, k++) {
      if (!own || lt_profile_type(profile[k]) != type || (!own->sparse && j >= own->width)) continue;
      if (type == LT_PROFILE_CATEGORY) st = count_labels(rt, own, v, from, count, profile[k], err);
      for (int64_t r = from; r < to && type == LT_PROFILE_NUMBER; r += PROFILE_STRIP)
        profile_count_numbers(own, v, j, r, to - r < PROFILE_STRIP ? to - r : PROFILE_STRIP, profile[k]);
      for (int64_t r = from; r < to && type == LT_PROFILE_SPARSE; r++) {
        double nnz, norm;
        profile_row_norm(v, r, &nnz, &norm);
        lt_profile_add_sparse(profile[k], nnz, norm);
      }
    }
  }
  return st;
}

leat_status lt_golden_pick(leat_runtime *rt, const leat_dataset *d, leat_batch **out, leat_error *err) {
  leat_batch *batch = NULL, *scratch = NULL;
  int64_t rows = lt_dataset_rows(d), n = rows < PROFILE_GOLDEN ? rows : PROFILE_GOLDEN;
  *out = NULL;
  if (lt_dataset_streams(d)) return lt_fail(err, LEAT_E_UNSUPPORTED, "golden rows need rows in memory, not a stream");
  leat_status st = lt_batch_create(rt, lt_dataset_schema(d), &batch, err);
  if (!st) st = lt_batch_create(rt, lt_dataset_schema(d), &scratch, err);
  for (int64_t i = 0; i < n && !st; i++) {
    lt_rows v;
    st = lt_dataset_view(d, n > 1 ? i * (rows - 1) / (n - 1) : 0, 1, scratch, &v, err);
    if (!st) st = lt_batch_append(batch, &v, 0, 1, err);
  }
  lt_batch_free(scratch);
  if (st) lt_batch_free(batch);
  else *out = batch;
  return st;
}
