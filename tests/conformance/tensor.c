/* Tensors in blocks, and random numbers. */
#include <math.h>

#include "suite.h"

void *cf_take(cf_suite *s, uint64_t size) {
  size = (size + 63) / 64 * 64;
  if (size > s->arena.size - s->arena.used) {
    cf_break(s, LEAT_E_MEMORY, "the suite's own memory is used up");
    return NULL;
  }
  void *p = s->arena.base + s->arena.used;
  s->arena.used += size;
  memset(p, 0, size);
  return p;
}

/* xorshift64* (Vigna: "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016) */
uint64_t cf_next(cf_suite *s) {
  uint64_t x = s->random;
  x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
  s->random = x;
  return x * UINT64_C(2685821657736338717);
}

double cf_unit(cf_suite *s) { return (double)(cf_next(s) >> 11) * 0x1p-53; }
int64_t cf_below(cf_suite *s, int64_t n) { return n > 0 ? (int64_t)(cf_next(s) >> 1) % n : 0; }
double cf_between(cf_suite *s, double low, double high) { return low + (high - low) * cf_unit(s); }

int64_t cf_size(int64_t dtype) {
  switch (dtype) {
  case LEAT_F16:
  case LEAT_BF16: return 2;
  case LEAT_I8:
  case LEAT_U8: return 1;
  case LEAT_F64: return 8;
  default: return 4;
  }
}

int64_t cf_count(const cf_tensor *t) {
  int64_t n = 1;
  for (int64_t i = 0; i < t->rank; i++) n *= t->shape[i];
  return n;
}

int64_t cf_at(const cf_tensor *t, int64_t k) {
  int64_t at = t->first;
  for (int64_t i = t->rank; i-- > 0; k /= t->shape[i]) at += k % t->shape[i] * t->stride[i];
  return at;
}

/* Bits of 16 with `exponent` bits of exponent. */
static double half_value(uint16_t bits, int exponent) {
  int fraction = 15 - exponent, bias = (1 << (exponent - 1)) - 1, e = bits >> fraction & ((1 << exponent) - 1);
  double f = bits & ((1 << fraction) - 1), one = 1 << fraction, v;
  if (e == (1 << exponent) - 1) v = f != 0 ? (double)NAN : (double)INFINITY;
  else v = e ? ldexp(one + f, e - bias - fraction) : ldexp(f, 1 - bias - fraction);
  return bits & 0x8000 ? -v : v;
}

static uint16_t half_bits(double v, int exponent) {
  int fraction = 15 - exponent, bias = (1 << (exponent - 1)) - 1, e = 0;
  uint16_t sign = signbit(v) ? 0x8000 : 0, top = (uint16_t)(((1 << exponent) - 1) << fraction);
  if (isnan(v)) return (uint16_t)(sign | top | 1 << (fraction - 1));
  v = fabs(v);
  if (isinf(v)) return sign | top;
  frexp(v, &e);
  e = v == 0 || e - 1 < 1 - bias ? 1 - bias : e - 1;
  int64_t steps = (int64_t)rint(ldexp(v, fraction - e)); /* of the last place; what rounds up carries into the exponent */
  int64_t bits = steps + ((int64_t)(e + bias - 1) << fraction);
  return bits >= top ? sign | top : (uint16_t)(sign | (uint16_t)bits);
}

double cf_value(const cf_tensor *t, const unsigned char *block, int64_t at) {
  float f;
  uint16_t h;
  int32_t i;
  switch (t->dtype) {
  case LEAT_F32: memcpy(&f, block + 4 * at, 4); return (double)f;
  case LEAT_I32: memcpy(&i, block + 4 * at, 4); return (double)i;
  case LEAT_I8: return (double)(int8_t)block[at];
  case LEAT_U8: return (double)block[at];
  default: memcpy(&h, block + 2 * at, 2); return half_value(h, t->dtype == LEAT_F16 ? 5 : 8);
  }
}

double cf_rounded(int64_t dtype, double v) {
  if (dtype == LEAT_F32) return (double)(float)v;
  return dtype == LEAT_F16 ? half_value(half_bits(v, 5), 5) : dtype == LEAT_BF16 ? half_value(half_bits(v, 8), 8) : v;
}

double cf_get(const cf_tensor *t, int64_t i, int64_t j) {
  return cf_value(t, t->data, t->first + (t->rank > 1 ? i * t->stride[0] + j * t->stride[1] : j * t->stride[0]));
}

void cf_put(cf_tensor *t, int64_t k, double v) {
  if (!t->data) return;
  unsigned char *at = t->data + cf_at(t, k) * cf_size(t->dtype);
  float f = (float)v;
  uint16_t h;
  int32_t i;
  switch (t->dtype) {
  case LEAT_F32: memcpy(at, &f, 4); break;
  case LEAT_I32: i = (int32_t)v, memcpy(at, &i, 4); break;
  case LEAT_I8: *at = (unsigned char)(int8_t)v; break;
  case LEAT_U8: *at = (unsigned char)v; break;
  default: h = half_bits(v, t->dtype == LEAT_F16 ? 5 : 8), memcpy(at, &h, 2);
  }
}

/* The strides of a layout; the last two dimensions are laid out, earlier ones step over them. */
static void lay_out(cf_tensor *t, cf_layout layout) {
  int64_t r = t->rank, cols = t->shape[r - 1] > 0 ? t->shape[r - 1] : 1;
  int64_t rows = r > 1 && t->shape[r - 2] > 0 ? t->shape[r - 2] : 1;
  int64_t rs = cols, cs = 1, span = rows * cols;
  switch (layout) {
  case CF_PADDED: rs = cols + 3, span = rs * rows; break;
  case CF_COLUMNS: rs = 1, cs = rows; break;
  case CF_BACKWARDS: rs = -cols, cs = -1; break;
  case CF_SPREAD: rs = 2, cs = 2 * rows + 5, span = cs * cols; break;
  case CF_REPEAT: rs = 0; break;
  default: break;
  }
  if (r == 1) cs = layout == CF_SPREAD ? 3 : layout == CF_BACKWARDS ? -2 : layout == CF_REPEAT ? 0 : 1;
  t->stride[r - 1] = cs;
  if (r > 1) t->stride[r - 2] = rs;
  for (int64_t i = r - 3; i >= 0; i--) {
    t->stride[i] = layout == CF_ROWS ? span : layout == CF_BACKWARDS ? -(span + 2) : layout == CF_REPEAT ? 0 : span + 5;
    span = (span + 5) * (t->shape[i] > 0 ? t->shape[i] : 1);
  }
}

/* What lies where no element is: reading it spoils every result. */
static void fill_with_junk(cf_tensor *t) {
  static const uint32_t nan_float = 0x7fc0beef, far_index = 0x7edcba98;
  static const uint16_t nan_half = 0x7fe5;
  for (int64_t k = 0; k < t->n && t->data; k++) {
    unsigned char *at = t->data + k * cf_size(t->dtype);
    switch (t->dtype) {
    case LEAT_F32: memcpy(at, &nan_float, 4); break;
    case LEAT_I32: memcpy(at, &far_index, 4); break;
    case LEAT_F16:
    case LEAT_BF16: memcpy(at, &nan_half, 2); break;
    default: *at = 0x5b;
    }
  }
}

cf_tensor cf_make(cf_suite *s, int64_t dtype, int64_t rank, const int64_t *shape, cf_layout layout) {
  cf_tensor t = {.dtype = dtype, .rank = rank, .same = -1};
  int64_t low = 0, high = 0, before = cf_below(s, 3) * 5, behind = cf_below(s, 4);
  for (int64_t i = 0; i < rank; i++) t.shape[i] = shape[i];
  lay_out(&t, layout);
  for (int64_t i = 0; i < rank; i++) {
    int64_t reach = (t.shape[i] > 0 ? t.shape[i] - 1 : 0) * t.stride[i];
    if (reach < 0) low += reach;
    else high += reach;
  }
  t.first = before - low;
  t.n = t.first + high + 1 + behind;
  t.data = cf_take(s, (uint64_t)(t.n * cf_size(dtype)));
  t.after = cf_take(s, (uint64_t)(t.n * cf_size(dtype)));
  fill_with_junk(&t);
  return t;
}

cf_tensor cf_matrix(cf_suite *s, int64_t rows, int64_t cols, int padded) {
  int64_t shape[2] = {rows, cols};
  cf_tensor t = cf_make(s, LEAT_F32, 2, shape, padded ? CF_PADDED : CF_ROWS);
  cf_uniform(s, &t, -1, 1);
  return t;
}

cf_tensor cf_vector(cf_suite *s, int64_t n) {
  cf_tensor t = cf_make(s, LEAT_F32, 1, &n, CF_ROWS);
  cf_uniform(s, &t, -1, 1);
  return t;
}

cf_tensor cf_ints(cf_suite *s, int64_t rows, int64_t cols, int64_t rank, int64_t low, int64_t high) {
  int64_t shape[2] = {rows, cols};
  cf_tensor t = cf_make(s, LEAT_I32, rank, shape, CF_ROWS);
  for (int64_t k = 0; k < cf_count(&t); k++) cf_put(&t, k, (double)(low + cf_below(s, high - low)));
  return t;
}

void cf_uniform(cf_suite *s, cf_tensor *t, double low, double high) {
  for (int64_t k = 0; k < cf_count(t); k++) cf_put(t, k, cf_between(s, low, high));
}
