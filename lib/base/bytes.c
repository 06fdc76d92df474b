/* Little-endian byte strings. Numbers are put together byte by byte: compilers make one load or store of it. */
#include "base/bytes.h"
#include <string.h>

void lt_put_init(lt_put *w, leat_runtime *rt) {
  memset(w, 0, sizeof *w);
  w->rt = rt;
}

void lt_put_free(lt_put *w) {
  if (w->data) lt_free(w->rt, w->data);
  w->data = NULL;
  w->size = w->cap = 0;
}

/* Room for n bytes more at w->data + w->size, or NULL. */
static uint8_t *put_room(lt_put *w, uint64_t n) {
  if (w->failed) return NULL;
  if (n > w->cap - w->size) {
    void *data = w->data;
    if (n > UINT64_MAX / 2 - w->size || lt_grow(w->rt, &data, &w->cap, w->size + n, 1, NULL) != LEAT_OK) {
      w->failed = 1;
      return NULL;
    }
    w->data = data;
  }
  uint8_t *p = w->data + w->size;
  w->size += n;
  return p;
}

void lt_put_reserve(lt_put *w, uint64_t n) {
  if (w->failed || n <= w->cap - w->size) return;
  void *data = lt_realloc(w->rt, w->data, w->size + n);
  if (!data) return;
  w->data = data;
  w->cap = w->size + n;
}

static void store32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
  p[2] = (uint8_t)(v >> 16);
  p[3] = (uint8_t)(v >> 24);
}

static void store64(uint8_t *p, uint64_t v) {
  store32(p, (uint32_t)v);
  store32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t load32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t load64(const uint8_t *p) { return load32(p) | (uint64_t)load32(p + 4) << 32; }

void lt_put_u8(lt_put *w, uint8_t v) {
  uint8_t *p = put_room(w, 1);
  if (p) *p = v;
}

void lt_put_u32(lt_put *w, uint32_t v) {
  uint8_t *p = put_room(w, 4);
  if (p) store32(p, v);
}

void lt_put_u64(lt_put *w, uint64_t v) {
  uint8_t *p = put_room(w, 8);
  if (p) store64(p, v);
}

void lt_put_i64(lt_put *w, int64_t v) { lt_put_u64(w, (uint64_t)v); }

void lt_put_f64(lt_put *w, double v) {
  uint64_t u;
  memcpy(&u, &v, 8);
  lt_put_u64(w, u);
}

void lt_put_f32(lt_put *w, float v) {
  uint32_t u;
  memcpy(&u, &v, 4);
  lt_put_u32(w, u);
}

void lt_put_raw(lt_put *w, const void *data, uint64_t n) {
  uint8_t *p = n ? put_room(w, n) : NULL;
  if (p) memcpy(p, data, n);
}

void lt_put_text(lt_put *w, const char *s) {
  uint64_t n = s ? strlen(s) : 0;
  lt_put_u64(w, n);
  lt_put_raw(w, s, n);
}

static void put_values(lt_put *w, const void *v, uint64_t n, uint64_t size) {
  uint8_t *p = n <= UINT64_MAX / 2 / size ? put_room(w, n * size) : NULL;
  if (!p) {
    w->failed = 1;
    return;
  }
  const uint8_t *from = v;
  for (uint64_t i = 0; i < n; i++) {
    uint32_t v32;
    uint64_t v64;
    if (size == 4) {
      memcpy(&v32, from + i * 4, 4);
      store32(p + i * 4, v32);
    } else {
      memcpy(&v64, from + i * 8, 8);
      store64(p + i * 8, v64);
    }
  }
}

static void put_words(lt_put *w, const void *v, uint64_t n, uint64_t size) {
  lt_put_u64(w, n);
  put_values(w, v, n, size);
}

void lt_put_f64s(lt_put *w, const double *v, uint64_t n) { put_words(w, v, n, 8); }
void lt_put_floats(lt_put *w, const float *v, uint64_t n) { put_values(w, v, n, 4); }
void lt_put_f32s(lt_put *w, const float *v, uint64_t n) { put_words(w, v, n, 4); }
void lt_put_i64s(lt_put *w, const int64_t *v, uint64_t n) { put_words(w, v, n, 8); }

leat_status lt_put_status(const lt_put *w, leat_error *err) {
  return w->failed ? lt_fail_memory(err, w->size, "a byte string") : LEAT_OK;
}

void lt_get_init(lt_get *r, leat_runtime *rt, const void *data, uint64_t size) {
  memset(r, 0, sizeof *r);
  r->rt = rt;
  r->data = data;
  r->size = data ? size : 0;
}

void lt_get_fail(lt_get *r, leat_status why) {
  if (r->failed) return;
  r->failed = 1;
  r->why = why;
}

uint64_t lt_get_left(const lt_get *r) { return r->failed ? 0 : r->size - r->at; }

const void *lt_get_raw(lt_get *r, uint64_t n) {
  static const uint8_t nothing[1] = {0};
  if (r->failed || n > r->size - r->at) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return NULL;
  }
  const uint8_t *p = r->data ? r->data + r->at : nothing;
  r->at += n;
  return p;
}

uint8_t lt_get_u8(lt_get *r) {
  const uint8_t *p = lt_get_raw(r, 1);
  return p ? *p : 0;
}

uint32_t lt_get_u32(lt_get *r) {
  const uint8_t *p = lt_get_raw(r, 4);
  return p ? load32(p) : 0;
}

uint64_t lt_get_u64(lt_get *r) {
  const uint8_t *p = lt_get_raw(r, 8);
  return p ? load64(p) : 0;
}

int64_t lt_get_i64(lt_get *r) { return (int64_t)lt_get_u64(r); }

double lt_get_f64(lt_get *r) {
  uint64_t u = lt_get_u64(r);
  double v;
  memcpy(&v, &u, 8);
  return v;
}

float lt_get_f32(lt_get *r) {
  uint32_t u = lt_get_u32(r);
  float v;
  memcpy(&v, &u, 4);
  return v;
}

uint64_t lt_get_count(lt_get *r, uint64_t min_bytes, uint64_t limit) {
  uint64_t n = lt_get_u64(r);
  if (r->failed) return 0;
  if (n > limit || (min_bytes && n > (r->size - r->at) / min_bytes)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return 0;
  }
  return n;
}

char *lt_get_text(lt_get *r) {
  uint64_t n = lt_get_count(r, 1, UINT64_MAX);
  const char *p = lt_get_raw(r, n);
  if (!p) return NULL;
  if (n && memchr(p, 0, n)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return NULL;
  }
  char *s = lt_strndup(r->rt, p, n);
  if (!s) lt_get_fail(r, LEAT_E_MEMORY);
  return s;
}

static void *get_words(lt_get *r, uint64_t *n, uint64_t size) {
  uint64_t count = lt_get_count(r, size, UINT64_MAX);
  const uint8_t *p = lt_get_raw(r, count * size);
  *n = 0;
  if (!p) return NULL;
  uint8_t *v = lt_array(r->rt, count, size);
  if (!v) {
    lt_get_fail(r, LEAT_E_MEMORY);
    return NULL;
  }
  for (uint64_t i = 0; i < count; i++) {
    if (size == 4) {
      uint32_t v32 = load32(p + i * 4);
      memcpy(v + i * 4, &v32, 4);
    } else {
      uint64_t v64 = load64(p + i * 8);
      memcpy(v + i * 8, &v64, 8);
    }
  }
  *n = count;
  return v;
}

double *lt_get_f64s(lt_get *r, uint64_t *n) { return get_words(r, n, 8); }
float *lt_get_f32s(lt_get *r, uint64_t *n) { return get_words(r, n, 4); }
int64_t *lt_get_i64s(lt_get *r, uint64_t *n) { return get_words(r, n, 8); }

leat_status lt_get_status(const lt_get *r, const char *what, leat_error *err) {
  if (!r->failed) return LEAT_OK;
  if (r->why == LEAT_E_MEMORY) return lt_fail_memory(err, r->size, what);
  return lt_fail(err, r->why, "%s is damaged: nonsense or a cut at byte %llu of %llu", what, (unsigned long long)r->at,
                 (unsigned long long)r->size);
}
