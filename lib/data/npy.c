/* reader/npy: NumPy's array files (NEP 1): "\x93NUMPY", version, length of a header that is a Python dict with descr,
 * fortran_order and shape, then the elements. */
#include <string.h>

#include "data/block.h"

static const lt_param_def npy_defs[] = {
    LT_READER_PARAMS("the labels' column is called label"),
    {"labels", LEAT_PARAM_TEXT, "", 0, 0, NULL, "file with the labels (npy or idx)", LT_SINCE_0_1},
};
const lt_spec lt_spec_npy = {"reader/npy", "NumPy array files; read as a whole", npy_defs,
                             sizeof npy_defs / sizeof *npy_defs};

/* The header is short and regular: a key's value is what stands behind "'key':". */
static const char *value_of(const char *h, const char *end, const char *key) {
  uint64_t n = strlen(key);
  for (const char *p = h; (uint64_t)(end - p) > n + 3; p++) {
    if (*p != '\'' || memcmp(p + 1, key, n) != 0 || p[n + 1] != '\'') continue;
    p += n + 2;
    while (p < end && (*p == ' ' || *p == ':')) p++;
    return p;
  }
  return end;
}

static int read_type(const char *p, const char *end, lt_block *out) {
  static const struct { char text[3]; int32_t dtype; } types[] = {
      {"f4", LEAT_F32}, {"f8", LEAT_F64}, {"u1", LEAT_U8},  {"b1", LEAT_U8},  {"i1", LEAT_I8},  {"i2", LEAT_I16},
      {"u2", LEAT_U16}, {"i4", LEAT_I32}, {"u4", LEAT_U32}, {"i8", LEAT_I64}, {"u8", LEAT_U64}};
  if (end - p < 5 || p[0] != '\'' || p[4] != '\'' || !strchr("<>|=", p[1]) || !p[1]) return 0;
  for (uint64_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (memcmp(types[i].text, p + 2, 2) != 0) continue;
    out->dtype = types[i].dtype;
    out->swapped = p[1] == '>' && lt_block_element(out->dtype) > 1;
    return 1;
  }
  return 0;
}

static int read_shape(const char *p, const char *end, lt_block *out, int *dims) {
  *dims = 0;
  if (p >= end || *p++ != '(') return 0;
  for (;;) {
    while (p < end && (*p == ' ' || *p == ',')) p++;
    if (p < end && *p == ')') return 1;
    int64_t n = 0;
    const char *digits = p;
    while (p < end && *p >= '0' && *p <= '9' && p - digits < 16) n = n * 10 + (*p++ - '0');
    if (p == digits || *dims == 8) return 0;
    if (!*dims) out->rows = n;
    else if (n > INT32_MAX || (out->cols && n > INT32_MAX / out->cols)) return 0;
    else out->cols *= n;
    ++*dims;
  }
}

leat_status lt_block_npy(const char *name, const char *data, uint64_t size, lt_block *out, leat_error *err) {
  const unsigned char *u = (const unsigned char *)data;
  *out = (lt_block){.rows = 1, .cols = 1};
  if (size < 10 || memcmp(data, "\x93NUMPY", 6) != 0)
    return lt_fail(err, LEAT_E_FORMAT, "%s: this is not a .npy file", name);
  uint64_t at = u[6] == 1 ? 10 : 12, len = u[8] | (uint64_t)u[9] << 8;
  if (u[6] < 1 || u[6] > 3) return lt_fail(err, LEAT_E_VERSION, "%s: .npy format version %d is not known", name, u[6]);
  if (u[6] > 1 && size >= 12) len |= (uint64_t)u[10] << 16 | (uint64_t)u[11] << 24;
  if (size < at || len > size - at) return lt_fail(err, LEAT_E_FORMAT, "%s: the header is cut", name);
  const char *h = data + at, *end = h + len, *order = value_of(h, end, "fortran_order");
  int dims = 0;
  if (!read_type(value_of(h, end, "descr"), end, out))
    return lt_fail(err, LEAT_E_DTYPE, "%s: the elements must be plain numbers (f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1)", name);
  if (!read_shape(value_of(h, end, "shape"), end, out, &dims) || !dims)
    return lt_fail(err, LEAT_E_FORMAT, "%s: the header's shape is not that of rows of numbers", name);
  out->by_columns = end - order >= 4 && !memcmp(order, "True", 4) && dims > 1;
  if (out->by_columns && dims > 2)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%s: Fortran order with %d dimensions; the most is 2", name, dims);
  out->data = end;
  return lt_block_fits(name, out, size - at - len, err);
}

static leat_status npy_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                            leat_dataset **out, leat_error *err) {
  return lt_block_open(rt, s, src, p, lt_block_npy, "x", out, err);
}

const lt_reader lt_reader_npy = {&lt_spec_npy, npy_open};
