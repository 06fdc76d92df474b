/* Arrow in: schemas, arrays and streams made up from bytes, whose lengths, offsets, null counts, numbers of buffers and
 * children, formats, offsets into texts and lists, indices into dictionaries and views lie. Whatever is made: an answer, no
 * read outside of a block (the sanitizer sees that), every struct released once, and after a failure what the interface
 * promises.
 * What no importer can find out is not made up, as the interface tells no sizes: buffers shorter than what all lengths say
 * with one voice, pointers to nothing, lists of children shorter than their number, texts without an end. */
#include "check.h"
#include "leat/leat.h"

enum { MOST = 24, OFFSET = 8, BYTES = 256 };
typedef struct input { const uint8_t *p; size_t n; } input;
typedef struct owner { void *block[6]; const void *buffer[6]; void *children; int64_t n; void *dictionary; } owner;
static int live;
static leat_runtime *rt;

static uint32_t byte(input *in) { return in->n ? (in->n--, (uint32_t)*in->p++) : 0; }
static int one_in(input *in, uint32_t n) { return byte(in) % n == 1; }
static void *block(size_t size) {
  void *p = calloc(size ? size : 1, 1);
  FUZZ_REQUIRE(p);
  return p;
}

/* What a schema and an array own alike, when their children have been released. */
static void owner_free(owner *o) {
  for (int k = 0; k < 6; k++) free(o->block[k]);
  free(o->children);
  free(o->dictionary);
  free(o);
  live--;
}

/* ---- schemas */

static void schema_release(struct ArrowSchema *s) {
  owner *o = s->private_data;
  struct ArrowSchema *c = o->children, *d = o->dictionary;
  for (int64_t i = 0; i < o->n; i++)
    if (c[i].release) c[i].release(&c[i]);
  if (d && d->release) d->release(d);
  owner_free(o);
  s->release = NULL;
}

static const char *const formats[] = {
    "n", "b", "c", "C", "s", "S", "i", "I", "l", "L", "e", "f", "g", "u", "U", "z", "Z", "vu", "vz", "w:4", "d:9,2",
    "d:30,3", "d:5,1,32", "d:50,-2,256", "tdD", "tdm", "tts", "ttn", "tDu", "tsn:", "tss:UTC", "+s", "+w:2", "+l", "+L",
    "+m", "+vl", "+us:0,1", "+r", "w:0", "w:-1", "+w:0", "+w:9999999", "d:", "d:1", "t", "ts", "", "+", "q",
    "w:99999999999999999999"};
enum { PLAIN_FORMATS = 31, STRUCT = 31, WIDE = 32, LARGE_LIST = 34, N_FORMATS = sizeof formats / sizeof *formats };

static void schema_make(struct ArrowSchema *s, const char *format, const char *name, int64_t n) {
  owner *o = block(sizeof *o);
  struct ArrowSchema **list = block((size_t)n * sizeof(void *)), *c = block((size_t)n * sizeof *c);
  for (int64_t i = 0; i < n; i++) list[i] = &c[i];
  o->block[0] = strdup(format);
  o->block[1] = strdup(name);
  o->block[2] = list;
  o->children = c;
  o->n = n;
  *s = (struct ArrowSchema){.format = o->block[0], .name = o->block[1], .flags = 2, .n_children = n, .children = list,
                            .release = schema_release, .private_data = o};
  live++;
}

static void schema_column(input *in, struct ArrowSchema *s, const char *name, int depth) {
  uint32_t f = byte(in);
  f = depth > 3 || f < 200 ? f % PLAIN_FORMATS : f < 245 ? STRUCT + f % 5 : STRUCT + byte(in) % (N_FORMATS - STRUCT);
  int64_t n = f == STRUCT ? (int64_t)(byte(in) % 3) : f >= WIDE && f <= LARGE_LIST + 1 ? 1 : 0;
  schema_make(s, formats[f], name, n);
  if (f == STRUCT)
    for (int64_t i = 0; i < n; i++) schema_column(in, s->children[i], i ? "a" : "b", depth + 1);
  else if (f == WIDE && n) schema_make(s->children[0], formats[byte(in) % 13], "item", 0);
  else if (n) {
    schema_make(s->children[0], "+s", "entry", 2);
    schema_make(s->children[0]->children[0], formats[2 + byte(in) % 8], "index", 0);
    schema_make(s->children[0]->children[1], formats[2 + byte(in) % 11], "value", 0);
  } else if (one_in(in, f >= 2 && f < 10 ? 2 : 60)) { /* of indices, mostly */
    owner *o = s->private_data;
    s->dictionary = o->dictionary = block(sizeof *s);
    schema_make(s->dictionary, formats[byte(in) % PLAIN_FORMATS], "", 0);
  }
  switch (byte(in) < 245 ? 0 : byte(in) % 8) { /* lies */
    case 1: s->name = NULL; break;
    case 2: s->format = NULL; break;
    case 3: s->n_children = -1; break;
    case 4: s->children = NULL; break;
    case 5: s->n_children = n - 1; break;
    case 6: s->name = "b"; break;
    case 7: if (n) schema_release(s->children[0]); break;
    default: break;
  }
}

/* ---- arrays */

static void array_release(struct ArrowArray *a) {
  owner *o = a->private_data;
  struct ArrowArray *c = o->children, *d = o->dictionary;
  for (int64_t i = 0; i < o->n; i++)
    if (c[i].release) c[i].release(&c[i]);
  if (d && d->release) d->release(d);
  owner_free(o);
  a->release = NULL;
}

static void array_make(struct ArrowArray *a, int64_t length, int64_t offset, int64_t buffers, int64_t n) {
  owner *o = block(sizeof *o);
  struct ArrowArray **list = block((size_t)n * sizeof(void *)), *c = block((size_t)n * sizeof *c);
  for (int64_t i = 0; i < n; i++) list[i] = &c[i];
  o->block[5] = list;
  o->children = c;
  o->n = n;
  *a = (struct ArrowArray){.length = length, .offset = offset, .n_buffers = buffers, .n_children = n, .buffers = o->buffer,
                           .children = list, .release = array_release, .private_data = o};
  live++;
}

static uint8_t *buffer(input *in, struct ArrowArray *a, int k, size_t size) {
  owner *o = a->private_data;
  uint8_t *p = o->block[k] = block(size);
  uint32_t step = byte(in), seed = byte(in);
  for (size_t i = 0; i < size; i++)
    p[i] = (uint8_t)(step % 4 == 0 ? 0 : step % 4 == 1 ? seed + i : seed * (i + 1) * 167 >> 3);
  o->buffer[k] = p;
  return p;
}

/* Ends of texts or lists, most of which ascend, none above `most`. Returns how many bytes or entries there must be. */
static int64_t ends(input *in, struct ArrowArray *a, int64_t n, int wide, int64_t most) {
  uint8_t *p = buffer(in, a, 1, (size_t)(n + 1) * (wide ? 8 : 4));
  int64_t at = byte(in) % 8 ? 0 : (int64_t)byte(in) % 4, largest = 0;
  for (int64_t i = 0; i <= n; i++) {
    uint32_t b = byte(in);
    int64_t v = b > 252 ? -(int64_t)b : b > 248 ? at / 2 : at;
    if (v > most) v = most;
    if (v > largest) largest = v;
    int32_t small = (int32_t)v;
    if (wide) memcpy(p + i * 8, &v, 8);
    else memcpy(p + i * 4, &small, 4);
    at += b % 8;
  }
  return largest;
}

static void views(input *in, struct ArrowArray *a, int64_t n) {
  uint8_t *p = buffer(in, a, 1, (size_t)n * 16);
  buffer(in, a, 2, BYTES);
  int64_t *size = (void *)buffer(in, a, 3, 8);
  *size = one_in(in, 9) ? -1 : BYTES - (int64_t)byte(in) % 9;
  a->n_buffers = 4;
  for (int64_t i = 0; i < n; i++) {
    uint32_t b = byte(in);
    int32_t v[4] = {(int32_t)(b % 40), 0x61626364, (int32_t)(b > 250), (int32_t)byte(in)};
    if (b == 255) v[0] = -1;
    if (b == 254) v[3] = INT32_MAX;
    memcpy(p + i * 16, v, 16);
  }
}

static void lie(input *in, struct ArrowArray *a, int variadic) {
  static const int64_t odd[] = {-1, INT64_MIN, 0, 1, 3, INT64_MAX};
  owner *o = a->private_data;
  if (byte(in) < 230) return;
  int64_t v = odd[byte(in) % 6];
  switch (byte(in) % 12) {
    case 1: if (v < 2) a->length = v; break; /* longer: its buffers would be too short, which nothing tells */
    case 2: if (v < 0 || v == INT64_MAX) a->offset = v; break;
    case 3: a->null_count = v; break;
    case 4: if (!variadic) a->n_buffers = v; break;
    case 5: if (v <= o->n) a->n_children = v; break;
    case 6: a->children = NULL; break;
    case 7: a->buffers = NULL; break;
    case 8: o->buffer[byte(in) % 3] = NULL; break;
    case 9: if (o->n) array_release(a->children[0]); break;
    case 10: a->dictionary = NULL; break;
    case 11: a->length -= 1; break;
    default: break;
  }
}

static int64_t width_of(const char *f) {
  static const char *const by_size[] = {"cC", "sSe", "iIf", "", "lLg"};
  if (f[0] && !f[1])
    for (int k = 0; k < 5; k++)
      if (strchr(by_size[k], f[0])) return 1 << (k == 4 ? 3 : k);
  if (f[0] == 'w') return 4;
  if (f[0] == 'd') return strstr(f, ",32") ? 4 : strstr(f, "256") ? 32 : 16;
  return f[0] == 't' && (f[1] == 's' || f[1] == 'D' || !strcmp(f, "ttn") || !strcmp(f, "tdm")) ? 8 : f[0] == 't' ? 4 : 0;
}

/* An array of which elements up to `need` may be read. `s` as it was before it lied. */
static void array_column(input *in, const struct ArrowSchema *s, struct ArrowArray *a, int64_t need) {
  if (!s->release) { /* a column that is not there any more */
    array_make(a, need, 0, 2, 0);
    return;
  }
  const owner *so = s->private_data;
  const char *f = so->block[0];
  const struct ArrowSchema *sc = so->children;
  int64_t offset = byte(in) % 4 == 1 ? (int64_t)(byte(in) % OFFSET) : 0;
  int64_t n = need + offset, length = need + (one_in(in, 8) ? 3 : 0);
  int text = !strcmp(f, "u") || !strcmp(f, "z"), large = !strcmp(f, "U") || !strcmp(f, "Z"), view = f[0] == 'v';
  int lists = f[0] == '+' && f[1] && strchr("lLm", f[1]) && so->n, wide = !strncmp(f, "+w", 2) && so->n;
  n += length - need;
  array_make(a, length, offset, text || large ? 3 : f[0] == 'n' ? 0 : !strcmp(f, "+s") || wide ? 1 : 2, so->n);
  if (f[0] != 'n' && one_in(in, 3)) {
    buffer(in, a, 0, (size_t)(n + 7) / 8);
    a->null_count = one_in(in, 2) ? -1 : 1;
  }
  if (text || large) buffer(in, a, 2, (size_t)ends(in, a, n, large, BYTES));
  else if (view) views(in, a, n);
  else if (lists) {
    int64_t most = ends(in, a, n, f[1] == 'L', 64);
    array_column(in, &sc[0], a->children[0], most);
  } else if (wide) array_column(in, &sc[0], a->children[0], strcmp(f, "+w:2") ? 8 : 2 * n);
  else if (!strcmp(f, "+s"))
    for (int64_t i = 0; i < so->n; i++) array_column(in, &sc[i], a->children[i], n);
  else if (f[0] == 'b') buffer(in, a, 1, (size_t)(n + 7) / 8);
  else if (width_of(f)) buffer(in, a, 1, (size_t)(n * width_of(f)));
  if (so->dictionary) {
    owner *o = a->private_data;
    uint8_t *index = o->block[1];
    for (int64_t i = 0; index && i < n * width_of(f); i++)
      index[i] = byte(in) > 252 ? 0xff : i % width_of(f) ? 0 : index[i] % 9;
    a->dictionary = o->dictionary = block(sizeof *a);
    array_column(in, so->dictionary, a->dictionary, 1 + (int64_t)(byte(in) % 12));
  }
  lie(in, a, view);
}

static void array_top(input *in, const struct ArrowSchema *s, struct ArrowArray *a) {
  const owner *so = s->private_data;
  const struct ArrowSchema *c = so->children;
  int64_t offset = one_in(in, 5) ? (int64_t)(byte(in) % OFFSET) : 0, n = (int64_t)((byte(in) + 7) % MOST);
  array_make(a, n, offset, 1, so->n);
  for (int64_t i = 0; i < so->n; i++) array_column(in, &c[i], a->children[i], n + offset);
  lie(in, a, 0);
}

static void schema_top(input *in, struct ArrowSchema *s) {
  static const char *const names[] = {"y", "a", "b", "k", "x"};
  int64_t n = 1 + (int64_t)(byte(in) % 5);
  schema_make(s, byte(in) == 255 ? "i" : "+s", "", n);
  for (int64_t i = 0; i < n; i++) schema_column(in, s->children[i], names[i], 0);
}

/* ---- streams */

typedef struct producer {
  struct ArrowSchema schema;
  struct ArrowArray array[3];
  int n, next, fail_schema, fail_at, pulls;
} producer;

static int get_schema(struct ArrowArrayStream *s, struct ArrowSchema *out) {
  producer *x = s->private_data;
  if (x->fail_schema) return 5;
  *out = x->schema;
  x->schema.release = NULL;
  return 0;
}
static int get_next(struct ArrowArrayStream *s, struct ArrowArray *out) {
  producer *x = s->private_data;
  memset(out, 0, sizeof *out);
  if (++x->pulls == x->fail_at) return 22;
  if (x->next < x->n) {
    *out = x->array[x->next];
    x->array[x->next++].release = NULL;
  }
  return 0;
}
static const char *get_last_error(struct ArrowArrayStream *s) { return s->private_data ? "made to fail" : NULL; }
static void stream_release(struct ArrowArrayStream *s) {
  producer *x = s->private_data;
  if (x->schema.release) x->schema.release(&x->schema);
  for (int i = 0; i < x->n; i++)
    if (x->array[i].release) x->array[i].release(&x->array[i]);
  free(x);
  s->release = NULL;
  live--;
}

/* ---- what is done with it */

static void look(leat_dataset *d) {
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  struct ArrowArrayStream out = {0};
  leat_error err = {.struct_size = sizeof err};
  int64_t columns = 0, got = 1;
  FUZZ_REQUIRE(!leat_dataset_schema(d, &s, &err) && !leat_schema_count(s, &columns, &err));
  FUZZ_REQUIRE(!leat_batch_create(rt, s, &b, &err));
  while (got && !leat_dataset_next(d, 7, b, &got, &err))
    for (int64_t r = 0; r < got; r++)
      for (int64_t c = 0; c < columns; c++) {
        char buf[64];
        uint64_t needed;
        (void)leat_batch_text(b, r, c, buf, sizeof buf, &needed, &err);
      }
  leat_batch_free(b);
  leat_schema_free(s);
  if (!leat_dataset_rewind(d, &err) && !leat_dataset_to_arrow(d, 5, &out, &err)) { /* out again, past its end */
    struct ArrowSchema columns_out;
    if (!out.get_schema(&out, &columns_out)) columns_out.release(&columns_out);
    for (int more = 1; more;) {
      struct ArrowArray a;
      more = !out.get_next(&out, &a) && a.release;
      if (more) a.release(&a);
    }
    out.release(&out);
  }
  leat_dataset_free(d);
}

static leat_params *settings(input *in) {
  static const char *const set[][2] = {{"target", "y"}, {"key", "k"}, {"weight", "x"}, {"ignore", "a"}, {"text", "b"},
    {"number", "a,b"}, {"categorical", "x"}, {"time", "x"}, {"task", "regression"}, {"chunk_rows", "1000"}, {"group", "a"},
    {"source", "s"}};
  leat_error err = {.struct_size = sizeof err};
  leat_params *p = NULL;
  FUZZ_REQUIRE(!leat_params_create(rt, "reader/arrow", &p, &err));
  uint32_t bits = (byte(in) & byte(in) & byte(in)) | (byte(in) & byte(in) & byte(in)) << 8;
  for (uint32_t k = 0; k < sizeof set / sizeof *set; k++)
    if (bits >> k & 1) FUZZ_REQUIRE(!leat_params_set_text(p, set[k][0], set[k][1], &err));
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, size};
  leat_error err = {.struct_size = sizeof err};
  leat_dataset *d = NULL;
  if (!rt) FUZZ_REQUIRE(!leat_runtime_create(NULL, &rt, &err));
  uint32_t mode = byte(&in) % 4;
  leat_params *p = settings(&in);
  if (mode == 0) {
    struct ArrowSchema s;
    struct ArrowArray a;
    schema_top(&in, &s);
    array_top(&in, &s, &a);
    struct ArrowSchema s0 = s;
    struct ArrowArray a0 = a;
    leat_status st = leat_dataset_from_arrow(rt, NULL, p, &s, &a, &d, &err);
    if (st) { /* the caller's, untouched */
      FUZZ_REQUIRE(!d && err.message[0] && memcmp(&s, &s0, sizeof s) == 0 && memcmp(&a, &a0, sizeof a) == 0);
      s.release(&s);
      a.release(&a);
    } else FUZZ_REQUIRE(!s.release && !a.release);
  } else {
    producer *x = block(sizeof *x);
    struct ArrowArrayStream stream = {get_schema, get_next, get_last_error, stream_release, x};
    live++;
    schema_top(&in, &x->schema);
    x->n = (int)((byte(&in) + 2) % 4);
    for (int i = 0; i < x->n; i++) array_top(&in, &x->schema, &x->array[i]);
    x->fail_schema = one_in(&in, 40);
    x->fail_at = one_in(&in, 9) ? 1 + (int)(byte(&in) % 4) : 0;
    FUZZ_REQUIRE(!leat_params_set_i64(p, "stream", mode == 1, &err));
    leat_status st = leat_dataset_from_arrow_stream(rt, NULL, p, &stream, &d, &err);
    if (!st) FUZZ_REQUIRE(!stream.release);
    else FUZZ_REQUIRE(!d && err.message[0] && (!stream.release || x->pulls == 0));
    if (stream.release) stream.release(&stream);
  }
  leat_params_free(p);
  if (d) look(d);
  FUZZ_REQUIRE(live == 0);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) { /* bytes that lie little */
  if (number >= 96 || cap < 600) return 0;
  uint64_t z = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (size_t i = 0; i < 600; i++) {
    z ^= z << 13;
    z ^= z >> 7;
    z ^= z << 17;
    out[i] = (uint8_t)(z >> 32);
  }
  out[0] = (uint8_t)number;
  return 600;
}
