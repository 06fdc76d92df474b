/* Sorted runs in a temporary file, and their merge. */
#include "serve/sorter.h"

enum { RUN_BUFFER = 1 << 20, TAPE_LEAST = 1 << 19, TAPE_MOST = 4 << 20 };

leat_status lt_sorter_spill(lt_sorter *s, leat_error *err) {
  leat_status st = LEAT_OK;
  lt_table_row row;
  int32_t got = 1;
  uint64_t used = 0, most = 2 + LT_TABLE_KEY_MAX + s->value_bytes;
  void *run = s->run;
  uint8_t *buf = lt_alloc(s->rt, RUN_BUFFER + most);
  if (!buf) return lt_fail_memory(err, RUN_BUFFER + most, "a run");
  if (!s->file) st = lt_table_temporary(s->rt, s->path, &s->file_name, &s->file, err);
  if (!st) st = lt_grow(s->rt, &run, &s->cap_runs, s->n_runs + 1, sizeof *s->run, err);
  if (st) goto out;
  s->run = run;
  s->run[s->n_runs].from = s->file_size;
  s->place = 0;
  while (!st && got) {
    st = lt_sorter_memory_next(s, &row, &got, err);
    if (!st && got) {
      memcpy(buf + used, row.key - 2, 2 + row.size + s->value_bytes); /* as it lies in memory */
      used += 2 + row.size + s->value_bytes;
    }
    if (!st && (used >= RUN_BUFFER || (!got && used))) {
      st = lt_file_write(s->file, s->file_size, buf, used, err);
      s->file_size += used;
      used = 0;
    }
  }
  s->run[s->n_runs].to = s->file_size;
  if (!st) s->n_runs++;
out:
  lt_free(s->rt, buf);
  return st;
}

/* The tape's next row; size 0 at the end. */
static leat_status tape_next(lt_sorter *s, sort_tape *t, leat_error *err) {
  uint64_t left = t->used - t->place;
  uint64_t need = left >= 2 ? 2 + lt_t_load16(t->buf + t->place) + s->value_bytes : 2;
  if (left < 2 || left < need) {
    memmove(t->buf, t->buf + t->place, left);
    uint64_t n = t->cap - left < t->to - t->at ? t->cap - left : t->to - t->at;
    leat_status st = n ? lt_file_read(s->file, t->at, t->buf + left, n, err) : LEAT_OK;
    if (st) return st;
    t->at += n;
    t->place = 0;
    t->used = left + n;
    t->row.size = 0;
    if (!t->used) return LEAT_OK;
    need = t->used >= 2 ? 2 + lt_t_load16(t->buf) + s->value_bytes : 2;
    if (t->used < need || need < 3 + s->value_bytes)
      return lt_fail(err, LEAT_E_IO, "%s: a sorted run was changed while it was read", s->file_name);
  }
  const uint8_t *p = t->buf + t->place;
  t->row.size = lt_t_load16(p);
  t->row.key = p + 2;
  t->row.value = p + 2 + t->row.size;
  t->row.order = lt_t_order(s->layout, t->row.key, t->row.size);
  t->place += 2 + t->row.size + s->value_bytes;
  return LEAT_OK;
}

static int tape_key(const lt_table_row *a, const lt_table_row *b) {
  if (a->order != b->order) return a->order < b->order ? -1 : 1;
  return lt_t_compare(a->key, a->size, b->key, b->size);
}

/* The smallest key first; of one key the newest run's. */
static int tape_before(const sort_tape *a, const sort_tape *b) {
  int c = tape_key(&a->row, &b->row);
  return c ? c < 0 : a->rank > b->rank;
}

static void tape_sink(lt_sorter *s, uint64_t at) {
  sort_tape x = s->tape[at];
  for (uint64_t child; (child = 2 * at + 1) < s->live_tapes; at = child) {
    if (child + 1 < s->live_tapes && tape_before(&s->tape[child + 1], &s->tape[child])) child++;
    if (!tape_before(&s->tape[child], &x)) break;
    s->tape[at] = s->tape[child];
  }
  s->tape[at] = x;
}

void lt_sorter_merge_end(lt_sorter *s) {
  for (uint64_t i = 0; i < s->n_tapes; i++) lt_free(s->rt, s->tape[i].buf);
  lt_free(s->rt, s->tape);
  lt_free(s->rt, s->last);
  s->tape = NULL;
  s->last = NULL;
  s->n_tapes = s->live_tapes = 0;
}

leat_status lt_sorter_merge_begin(lt_sorter *s, leat_error *err) {
  uint64_t most = 2 + LT_TABLE_KEY_MAX + s->value_bytes, cap = s->memory / 2 / s->n_runs;
  leat_status st = LEAT_OK;
  lt_sorter_merge_end(s);
  if (cap > TAPE_MOST) cap = TAPE_MOST;
  if (cap < TAPE_LEAST) cap = TAPE_LEAST;
  if (cap < 2 * most) cap = 2 * most;
  s->tape = lt_zarray(s->rt, s->n_runs, sizeof *s->tape);
  s->last = lt_alloc(s->rt, most);
  if (!s->tape || !s->last) return lt_fail_memory(err, most, "merging runs");
  s->n_tapes = s->live_tapes = s->n_runs;
  for (uint64_t i = 0; i < s->n_runs && !st; i++) {
    sort_tape *t = &s->tape[i];
    t->at = s->run[i].from;
    t->to = s->run[i].to;
    t->rank = i;
    t->cap = cap;
    t->buf = lt_alloc(s->rt, cap);
    if (!t->buf) st = lt_fail_memory(err, cap, "merging runs");
    else st = tape_next(s, t, err);
  }
  for (uint64_t i = s->n_tapes / 2; i-- > 0 && !st;) tape_sink(s, i); /* a run is never empty */
  return st;
}

/* Moves the first tape on. */
static leat_status runs_forward(lt_sorter *s, leat_error *err) {
  leat_status st = tape_next(s, &s->tape[0], err);
  if (st) return st;
  if (!s->tape[0].row.size) { /* its buffer is freed at the end, behind the live ones */
    sort_tape ended = s->tape[0];
    s->tape[0] = s->tape[--s->live_tapes];
    s->tape[s->live_tapes] = ended;
  }
  if (s->live_tapes > 1) tape_sink(s, 0);
  return LEAT_OK;
}

leat_status lt_sorter_merge_next(lt_sorter *s, lt_table_row *row, int32_t *got, leat_error *err) {
  leat_status st;
  *got = 0;
  if (!s->live_tapes) return LEAT_OK;
  const sort_tape *t = &s->tape[0];
  memcpy(s->last, t->row.key, t->row.size + s->value_bytes); /* its buffer moves on */
  *row = (lt_table_row){t->row.order, s->last, t->row.size, s->last + t->row.size};
  st = runs_forward(s, err);
  while (!st && s->live_tapes && tape_key(&s->tape[0].row, row) == 0) {
    st = lt_sorter_same(s, row, err);
    if (!st) st = runs_forward(s, err);
  }
  *got = !st;
  return st;
}
