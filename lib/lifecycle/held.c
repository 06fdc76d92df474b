/* The bytes of a held record: written, and read again. A row is kept so that nothing else of its schema's labels has to
 * be: the labels that it uses travel with it, and its codes count those. */
#include "lifecycle/quarantine_inner.h"
#include <string.h>

/* ---- writing */
static void bare_schema(const leat_schema *s, lt_put *w) { /* as lt_schema_save, of a schema without labels */
  lt_put_u64(w, (uint64_t)s->n);
  for (int64_t i = 0; i < s->n; i++) {
    const lt_column *c = &s->col[i];
    lt_put_text(w, c->name);
    lt_put_u8(w, (uint8_t)c->kind);
    lt_put_u8(w, (uint8_t)c->role);
    lt_put_u8(w, (uint8_t)c->sparse);
    lt_put_i64(w, c->width);
    lt_put_u64(w, 0);
  }
}

/* Row r alone: the same view, moved. */
static lt_col one_row(const lt_col *v, int64_t r) {
  lt_col one = *v;
  if (v->row_start) one.row_start = v->row_start + r;
  if (v->text_end) one.text_end = v->text_end + r;
  if (v->data) one.data = (const char *)v->data + (uint64_t)r * (uint64_t)v->row_stride * (uint64_t)lt_dtype_size(v->dtype);
  return one;
}

static void row_put_label(const lt_column *c, int64_t i, int32_t code, lt_put *w) {
  uint64_t n;
  const char *t = lt_dict_text(c->labels, code, &n);
  lt_put_i64(w, i);
  lt_put_u64(w, n);
  lt_put_raw(w, t, n);
}

leat_status lt_held_put_row(const lt_rows *rows, int64_t r, lt_put *w, lt_put *schema, uint64_t *hash, leat_error *err) {
  const leat_schema *s = rows->schema;
  leat_runtime *rt = w->rt;
  lt_col *col = lt_array(rt, (uint64_t)s->n, sizeof *col);
  int32_t *code = lt_array(rt, (uint64_t)s->n, sizeof *code);
  leat_status st = LEAT_OK;
  uint64_t labels = 0;
  if (!col || !code) {
    st = lt_fail_memory(err, (uint64_t)s->n * sizeof *col, "a held row");
    goto out;
  }
  schema->size = 0;
  bare_schema(s, schema);
  st = lt_put_status(schema, err);
  if (st) goto out;
  *hash = lt_hash64(schema->data, schema->size, 0);
  *hash += *hash == 0; /* 0 says that there is no row */
  lt_put_u64(w, *hash);
  for (int64_t i = 0; i < s->n; i++) {
    const lt_column *c = &s->col[i];
    col[i] = one_row(&rows->col[i], r);
    code[i] = LT_MISSING;
    if (c->kind != LEAT_CATEGORY || col[i].text_end || !col[i].data) continue;
    code[i] = *(const int32_t *)col[i].data;
    if (code[i] >= lt_dict_count(c->labels)) code[i] = LT_MISSING;
    labels += code[i] >= 0;
  }
  lt_put_u64(w, labels);
  for (int64_t i = 0; i < s->n; i++) {
    const lt_column *c = &s->col[i];
    if (c->kind != LEAT_CATEGORY || col[i].text_end || !col[i].data) continue;
    if (code[i] >= 0) {
      row_put_label(c, i, code[i], w);
      code[i] = 0;
    }
    col[i].data = &code[i];
    col[i].row_stride = col[i].col_stride = 1;
  }
  lt_rows one = {.schema = s, .n = 1, .first = 0, .col = col};
  lt_rows_save(&one, w);
  st = lt_put_status(w, err);
out:
  lt_free(rt, col);
  lt_free(rt, code);
  return st;
}

/* A field between commas, quoted as RFC 4180 has it where it must be. */
static void raw_field(lt_put *w, const lt_put *field) {
  const uint8_t *p = field->data;
  uint64_t n = field->size;
  int quote = 0;
  for (uint64_t i = 0; i < n && !quote; i++) quote = p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r';
  if (!quote) {
    lt_put_raw(w, p, n);
    return;
  }
  lt_put_u8(w, '"');
  for (uint64_t i = 0; i < n; i++) {
    if (p[i] == '"') lt_put_u8(w, '"');
    lt_put_u8(w, p[i]);
  }
  lt_put_u8(w, '"');
}

static void raw_number(lt_put *w, double x, int32_t dtype) {
  char buf[40];
  int n = x != x ? 0 : dtype == LEAT_F32 ? lt_f32_text((float)x, buf) : lt_f64_text(x, buf);
  if (n > 0) lt_put_raw(w, buf, (uint64_t)n);
}

leat_status lt_held_put_raw(const lt_rows *rows, int64_t r, lt_put *w, leat_error *err) {
  leat_status st = LEAT_OK;
  lt_put field;
  lt_put_init(&field, w->rt);
  for (int64_t i = 0; !st && i < rows->schema->n; i++) {
    const lt_column *c = &rows->schema->col[i];
    const lt_col *v = &rows->col[i];
    if (i) lt_put_u8(w, ',');
    if (c->sparse) {
      for (int64_t k = v->row_start ? v->row_start[r] : 0; v->row_start && k < v->row_start[r + 1]; k++) {
        if (k > v->row_start[r]) lt_put_u8(w, ' ');
        raw_number(w, v->index[k], LEAT_F64);
        lt_put_u8(w, ':');
        raw_number(w, v->value ? (double)v->value[k] : 1.0, LEAT_F32);
      }
    } else if (c->width != 1) {
      for (int64_t k = 0; k < c->width; k++) {
        if (k) lt_put_u8(w, ',');
        raw_number(w, lt_col_number(c, v, r, k), v->dtype);
      }
    } else {
      field.size = 0;
      st = lt_rows_text(rows, r, i, &field, err);
      raw_field(w, &field);
    }
    if (w->size > 2 * (uint64_t)LT_HELD_RAW_MAX) break; /* it will be cut */
  }
  if (!st) st = lt_put_status(w, err);
  lt_put_free(&field);
  return st;
}

/* ---- reading */
leat_status lt_held_parse(leat_runtime *rt, const lt_record *rec, const char *folder, lt_held_bytes *out,
                          leat_error *err) {
  lt_get r;
  memset(out, 0, sizeof *out);
  lt_get_init(&r, rt, rec->data, rec->size);
  out->h.id = lt_get_i64(&r);
  out->h.reason = (int32_t)lt_get_u32(&r);
  out->h.column = (int32_t)lt_get_u32(&r);
  out->h.position = lt_get_i64(&r);
  out->h.time_ns = lt_get_i64(&r);
  out->h.row = lt_get_i64(&r);
  for (int i = 0; i < 3; i++) {
    out->length[i] = lt_get_count(&r, 1, UINT64_MAX);
    out->text[i] = lt_get_raw(&r, out->length[i]);
  }
  out->h.raw_size = lt_get_count(&r, 1, UINT64_MAX);
  out->h.raw = lt_get_raw(&r, out->h.raw_size);
  out->schema = lt_get_u64(&r);
  out->row_size = lt_get_left(&r);
  out->row = lt_get_raw(&r, out->row_size);
  if (!r.failed && (out->h.id < 1 || out->h.reason < 1 || out->h.reason > INT16_MAX)) lt_get_fail(&r, LEAT_E_FORMAT);
  if (!r.failed) return LEAT_OK;
  return lt_fail(err, LEAT_E_FORMAT, "a segment of %s is damaged: the record at byte %llu is no held record", folder,
                 (unsigned long long)rec->offset);
}

static leat_status held_absent(const lt_quarantine *q, int64_t id, leat_error *err) {
  if (id > 0 && id <= q->last_id)
    return lt_fail(err, LEAT_E_NOT_FOUND, "record %lld is no longer in the quarantine: it was purged, or made room for newer "
                   "ones", (long long)id);
  return lt_fail(err, LEAT_E_NOT_FOUND, "the quarantine holds no record %lld: ids go from 1 to %lld", (long long)id,
                 (long long)q->last_id);
}

/* A schema without labels, from its segment. */
static leat_status load_schema(lt_quarantine *q, uint32_t segment, uint64_t hash, leat_error *err) {
  if (q->schema && q->schema_hash == hash) return LEAT_OK;
  const lt_held_segment *s = lt_held_segment_of(q, segment);
  for (uint64_t i = 0; s && i < s->n_schemas; i++) {
    if (s->schema[i].hash != hash) continue;
    lt_record rec;
    lt_get r;
    leat_schema *schema = NULL;
    leat_status st = lt_held_read(q, segment, s->schema[i].offset, &rec, err);
    if (st) return st;
    lt_get_init(&r, q->rt, rec.data, rec.size);
    (void)lt_get_u64(&r);
    st = lt_schema_load(q->rt, &r, &schema, err);
    if (st) return st;
    lt_schema_free(q->schema);
    q->schema = schema;
    q->schema_hash = hash;
    return LEAT_OK;
  }
  return lt_fail(err, LEAT_E_FORMAT, "%s: segment %08lx is damaged: it lacks the schema of a held row", q->folder,
                 (unsigned long)segment);
}

/* A label that the row uses: into the schema that all rows of it share, which grows so that codes keep their meaning. */
typedef struct row_label { int64_t column; int32_t code; } row_label;

static leat_status take_labels(lt_quarantine *q, lt_get *r, uint64_t n, row_label *out, leat_error *err) {
  leat_status st = lt_get_status(r, "a held row", err);
  for (uint64_t k = 0; !st && k < n; k++) {
    int64_t i = lt_get_i64(r), code;
    uint64_t size = lt_get_count(r, 1, UINT64_MAX);
    const char *text = lt_get_raw(r, size);
    if (!text || i < 0 || i >= q->schema->n || !q->schema->col[i].labels || (k && i <= out[k - 1].column))
      lt_get_fail(r, LEAT_E_FORMAT);
    else st = lt_dict_add(q->schema->col[i].labels, text, size, &code, err);
    if (!st) st = lt_get_status(r, "a held row", err);
    if (!st) out[k] = (row_label){i, (int32_t)code};
  }
  return st;
}

static leat_status row_from(lt_quarantine *q, lt_get *r, leat_batch **out, leat_error *err) {
  uint64_t n = lt_get_count(r, 16, (uint64_t)q->schema->n);
  row_label *label = lt_array(q->rt, n, sizeof *label);
  leat_status st = label ? take_labels(q, r, n, label, err) : lt_fail_memory(err, n * sizeof *label, "labels of a held row");
  if (!st) st = lt_rows_load(q->rt, q->schema, r, out, err);
  if (!st && (lt_get_left(r) || (*out)->n != 1)) st = lt_fail(err, LEAT_E_FORMAT, "%s: a held row is damaged", q->folder);
  for (uint64_t k = 0; !st && k < n; k++) { /* the bytes say 0: the only label that the row has there */
    int32_t *code = (*out)->slot[label[k].column].data;
    if (!(*out)->slot[label[k].column].present || !code || *code != 0)
      st = lt_fail(err, LEAT_E_FORMAT, "%s: a held row is damaged: a label without a value", q->folder);
    else *code = label[k].code;
  }
  lt_free(q->rt, label);
  if (st) {
    lt_batch_free(*out);
    *out = NULL;
  }
  return st;
}

static leat_status held_row(lt_quarantine *q, int64_t id, leat_batch **out, leat_error *err) {
  lt_record rec;
  lt_held_bytes b;
  lt_get r;
  uint8_t *row = NULL;
  *out = NULL;
  const lt_held_item *it = lt_held_find(q, id);
  if (!it) return held_absent(q, id, err);
  uint32_t segment = it->segment;
  leat_status st = lt_held_read(q, segment, it->offset, &rec, err);
  if (!st) st = lt_held_parse(q->rt, &rec, q->folder, &b, err);
  if (st) return st;
  if (!b.schema)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "record %lld of the quarantine could not be read when it came: it has raw bytes, "
                   "but no row", (long long)id);
  row = lt_alloc(q->rt, b.row_size); /* reading the schema moves the window */
  if (!row) return lt_fail_memory(err, b.row_size, "a held row");
  if (b.row_size) memcpy(row, b.row, b.row_size);
  lt_get_init(&r, q->rt, row, b.row_size);
  st = load_schema(q, segment, b.schema, err);
  if (!st) st = row_from(q, &r, out, err);
  lt_free(q->rt, row);
  return st;
}

static void cut_text(char *to, uint64_t cap, const char *from, uint64_t n) {
  if (n >= cap) {
    n = cap - 1;
    while (n && ((unsigned char)from[n] & 0xc0u) == 0x80u) n--; /* not inside a character */
  }
  if (n) memcpy(to, from, n);
  to[n] = 0;
}

leat_status lt_held_describe(lt_quarantine *q, const lt_held_item *it, leat_held_info *info, leat_error *err) {
  lt_record rec;
  lt_held_bytes b;
  lt_held_item item = *it;
  leat_status st = lt_held_read(q, item.segment, item.offset, &rec, err);
  if (!st) st = lt_held_parse(q->rt, &rec, q->folder, &b, err);
  if (st) return st;
  uint64_t size = info->struct_size;
  memset(info, 0, sizeof *info);
  info->struct_size = size;
  info->id = b.h.id;
  info->reason = b.h.reason;
  info->column = b.h.column;
  info->position = b.h.position;
  info->time_ns = b.h.time_ns;
  info->row = b.h.row;
  info->state = item.state;
  info->replays = item.tries;
  info->raw_bytes = b.h.raw_size;
  cut_text(info->source, sizeof info->source, b.text[0], b.length[0]);
  cut_text(info->column_name, sizeof info->column_name, b.text[1], b.length[1]);
  cut_text(info->detail, sizeof info->detail, b.text[2], b.length[2]);
  return LEAT_OK;
}

static leat_status held_raw(lt_quarantine *q, int64_t id, void *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  lt_record rec;
  lt_held_bytes b;
  *needed = 0;
  const lt_held_item *it = lt_held_find(q, id);
  if (!it) return held_absent(q, id, err);
  leat_status st = lt_held_read(q, it->segment, it->offset, &rec, err);
  if (!st) st = lt_held_parse(q->rt, &rec, q->folder, &b, err);
  if (st) return st;
  *needed = b.h.raw_size;
  if (b.h.raw_size > cap)
    return lt_fail(err, LEAT_E_CAPACITY, "record %lld has %llu raw bytes, the buffer has room for %llu", (long long)id,
                   (unsigned long long)b.h.raw_size, (unsigned long long)cap);
  if (b.h.raw_size) memcpy(buf, b.h.raw, b.h.raw_size);
  return LEAT_OK;
}

/* ---- another process may have rewritten a segment that a reader still knows: it looks again, once */
static int look_again(const lt_quarantine *q, leat_status st) {
  return !q->write && (st == LEAT_E_NOT_FOUND || st == LEAT_E_FORMAT);
}

leat_status lt_quarantine_row(lt_quarantine *q, int64_t id, leat_batch **out, leat_error *err) {
  leat_status st = held_row(q, id, out, err);
  if (!look_again(q, st)) return st;
  st = lt_held_refresh(q, err);
  return st ? st : held_row(q, id, out, err);
}

leat_status lt_quarantine_raw(lt_quarantine *q, int64_t id, void *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  leat_status st = held_raw(q, id, buf, cap, needed, err);
  if (!look_again(q, st)) return st;
  st = lt_held_refresh(q, err);
  return st ? st : held_raw(q, id, buf, cap, needed, err);
}

static uint64_t item_behind(const lt_quarantine *q, int64_t reason, int64_t id) {
  uint64_t i = lt_held_bound(q, id);
  while (i < q->n && (q->item[i].state != LEAT_HELD || (reason && q->item[i].reason != reason))) i++;
  return i;
}

leat_status lt_quarantine_next(lt_quarantine *q, int64_t reason, int64_t *cursor, leat_held_info *info,
                               leat_error *err) {
  leat_status st = *cursor == 0 ? lt_held_refresh(q, err) : LEAT_OK;
  for (int tries = 0; !st; tries++) {
    uint64_t i = item_behind(q, reason, *cursor);
    if (i == q->n) st = lt_fail(err, LEAT_E_NOT_FOUND, "the quarantine holds no more records");
    else st = lt_held_describe(q, &q->item[i], info, err);
    if (!st) *cursor = info->id;
    if (!st || tries || !look_again(q, st)) break;
    st = lt_held_refresh(q, err);
  }
  return st;
}
