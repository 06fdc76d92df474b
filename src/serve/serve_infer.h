/* A request to predict, between parsing (serve_tensor.c) and answering (serve_infer.c). */
#ifndef LEAT_SERVE_SERVE_INFER_H
#define LEAT_SERVE_SERVE_INFER_H
#include "serve.h"
enum { INFER_DIMS = 4, INFER_OUTPUTS = 8, INFER_NAME = 512 };
typedef enum infer_type { T_NONE, T_BOOL, T_U8, T_U16, T_U32, T_U64, T_I8, T_I16, T_I32, T_I64, T_F16, T_F32, T_F64, T_BYTES } infer_type;
typedef struct infer_input {
  const char *name;                       /* in the request, or in `kept` when it had escapes */
  size_t name_size;
  char kept[128];
  infer_type type;
  int64_t dim[INFER_DIMS];
  int n_dims, has_data, has_binary, kept_name;
  const char *data;                       /* JSON from here, or bytes */
  int64_t binary_size;
} infer_input;
typedef struct infer_output { int64_t what; int binary; } infer_output; /* what: 0 probability or prediction, 1 label */
typedef struct infer_scratch {
  infer_input *input;
  int64_t n_inputs, cap_inputs;
  double *x, *y;
  size_t cap_x, cap_y;
  int32_t *index;                         /* of a sparse block, [rows, most] */
  float *value;
  size_t cap_index;
  int64_t most;
  serve_cells cells;
  /* of the request */
  const char *id;
  size_t id_size;
  int binary_out, allow_missing, keyed;
  infer_output output[INFER_OUTPUTS];
  const char *wanted[INFER_OUTPUTS];
  size_t wanted_size[INFER_OUTPUTS];
  int n_outputs, wants[INFER_OUTPUTS];
  const char *extra, *extra_end;          /* bytes behind the JSON */
} infer_scratch;
/* The request's JSON, whose bytes are [body, body + json_size). 0: *j says why. */
int infer_parse(infer_scratch *t, serve_json *j, size_t n_inputs_most);
const char *infer_type_name(infer_type t);
/* One tensor into rows of numbers: element (r, k) to x[r * stride + k]. c NULL: any column of numbers. */
int infer_numbers(const infer_input *in, const serve_column *c, int64_t rows, int64_t width, double *x, int64_t stride, serve_json *j);
/* One tensor of width 1 into the cells of a column. */
int infer_cells(const infer_input *in, const char *name, int64_t kind, serve_cells *c, int64_t column, serve_json *j);
#endif
