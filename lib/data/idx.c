/* reader/idx: the format of MNIST (LeCun, Cortes, Burges): two zero bytes, a type, the number of dimensions, their
 * sizes and the elements, all big-endian. */
#include "data/block.h"

static const lt_param_def idx_defs[] = {
    LT_READER_PARAMS("the labels' column is called label"),
    {"labels", LEAT_PARAM_TEXT, "", 0, 0, NULL, "file with the labels (idx or npy)", LT_SINCE_0_1},
};
const lt_spec lt_spec_idx = {"reader/idx", "IDX files, such as MNIST; read as a whole", idx_defs,
                             sizeof idx_defs / sizeof *idx_defs};

leat_status lt_block_idx(const char *name, const char *data, uint64_t size, lt_block *out, leat_error *err) {
  const unsigned char *u = (const unsigned char *)data;
  *out = (lt_block){.rows = 1, .cols = 1};
  if (size < 8 || u[0] || u[1] || !u[3] || u[3] > 8 || size < 4 + 4 * (uint64_t)u[3])
    return lt_fail(err, LEAT_E_FORMAT, "%s: this is not an IDX file", name);
  switch (u[2]) {
    case 0x08: out->dtype = LEAT_U8; break;
    case 0x09: out->dtype = LEAT_I8; break;
    case 0x0b: out->dtype = LEAT_I16; break;
    case 0x0c: out->dtype = LEAT_I32; break;
    case 0x0d: out->dtype = LEAT_F32; break;
    case 0x0e: out->dtype = LEAT_F64; break;
    default: return lt_fail(err, LEAT_E_FORMAT, "%s: IDX element type 0x%02x is not known", name, (unsigned)u[2]);
  }
  for (int k = 0; k < u[3]; k++) {
    const unsigned char *d = u + 4 + 4 * k;
    int64_t n = (int64_t)d[0] << 24 | (int64_t)d[1] << 16 | (int64_t)d[2] << 8 | d[3];
    if (!k) out->rows = n;
    else if (out->cols && n > INT32_MAX / out->cols)
      return lt_fail(err, LEAT_E_FORMAT, "%s: more than 2147483647 numbers a row", name);
    else out->cols *= n;
  }
  out->swapped = lt_block_element(out->dtype) > 1;
  out->data = data + 4 + 4 * u[3];
  return lt_block_fits(name, out, size - 4 - 4 * (uint64_t)u[3], err);
}

static leat_status idx_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                            leat_dataset **out, leat_error *err) {
  return lt_block_open(rt, s, src, p, lt_block_idx, "pixels", out, err);
}

const lt_reader lt_reader_idx = {&lt_spec_idx, idx_open};
