/* A request to predict: its JSON and tensors (serve_tensor.c), rows as a version takes them (serve_rows.c), rows with keys
 * (serve_keyed.c), the answer (serve_infer.c). */
#ifndef LEAT_SERVE_SERVE_INFER_H
#define LEAT_SERVE_SERVE_INFER_H
#include "serve.h"
enum { INFER_DIMS = 4, INFER_OUTPUTS = 8, INFER_NAME = 512 };
typedef enum infer_type {
  T_NONE, T_BOOL, T_U8, T_U16, T_U32, T_U64, T_I8, T_I16, T_I32, T_I64, T_F16, T_F32, T_F64, T_BYTES
} infer_type;
typedef struct infer_input {
  const char *name;                       /* in the request, or in `kept` when it had escapes */
  size_t name_size;
  infer_type type;
  int64_t dim[INFER_DIMS];
  int n_dims, has_data, has_binary, kept_name;
  const char *data;                       /* JSON from here, or bytes */
  int64_t binary_size;
  enum { ONE_NONE, ONE_NUMBER, ONE_TEXT } one; /* data is an array of just this, read already */
  int one_whole;
  double one_number;
  const char *one_text;
  size_t one_size;
  char kept[128];
} infer_input;
typedef struct infer_output { int64_t what; int binary; } infer_output; /* what: 0 probability or prediction, 1 label */
/* Rows as one version takes them: of numbers, of a sparse block, or of strings. */
typedef struct infer_rows {
  double *x;
  size_t cap_x;
  int32_t *index;                         /* of a sparse block, [rows, most], count[r] of them in use */
  float *value;
  int64_t *count;
  size_t cap_index, cap_count;
  int64_t most;
  serve_cells cells;
} infer_rows;
typedef struct infer_scratch {
  infer_input *input;
  int64_t n_inputs, cap_inputs;
  infer_rows rows[2];                     /* for what is served; for a trial's candidate */
  double *y[2];                           /* what they say */
  size_t cap_y[2];
  uint8_t *route;                         /* serve_keyed.c */
  size_t cap_route;
  serve_cells keys;
  serve_text json, bytes;                 /* the answer */
  /* of the request */
  const char *id;
  size_t id_size;
  int binary_out, allow_missing;
  infer_output output[INFER_OUTPUTS];
  const char *wanted[INFER_OUTPUTS];
  size_t wanted_size[INFER_OUTPUTS];
  int n_outputs, wants[INFER_OUTPUTS];
  int64_t key;                            /* input with the rows' keys, -1 none */
  int64_t candidate_rows;                 /* rows that a trial's candidate has answered */
} infer_scratch;
/* The request's JSON. 0: *j says why. */
int infer_parse(infer_scratch *t, serve_json *j, size_t n_inputs_most);
const char *infer_type_name(infer_type t);
/* One tensor into rows of numbers: element (r, k) to x[r * stride + k]. c NULL: any column of numbers. */
int infer_numbers(const infer_input *in, const serve_column *c, int64_t rows, int64_t width, double *x, int64_t stride,
                  serve_json *j);
/* One tensor of width 1 into the cells of a column. */
int infer_cells(const infer_input *in, const char *name, int64_t kind, serve_cells *c, int64_t column, serve_json *j);
/* serve_rows.c. The request's rows as version p takes them; `strings`: as strings, with the key as last column. 0: *j
 * says why. */
int infer_encode(infer_scratch *t, infer_rows *e, const serve_plan *p, int64_t rows, int strings, serve_json *j);
int infer_keys(infer_scratch *t, int64_t rows, serve_json *j); /* into t->keys */
leat_status infer_run(const infer_rows *e, const serve_plan *p, leat_predictor *pr, int64_t rows, double *y,
                      leat_error *err);
void *infer_room(void *p, size_t *cap, size_t bytes);
void infer_rows_rest(infer_rows *e);
void infer_rows_free(infer_rows *e);
/* serve_keyed.c. Rows with keys: a trial's candidate answers its share of them, both are noted. The plan of the answer,
 * whose numbers are in t->y[0]; NULL: answered, with an error. */
const serve_plan *infer_keyed(serve_request *q, infer_scratch *t, serve_json *j);
/* The same when somebody else answers (the learner): both predict, and are noted. */
void infer_beside(serve_request *q, infer_scratch *t, const serve_json *j);
#endif
