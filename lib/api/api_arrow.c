/* Arrow and DLPack, in and out: of chapters 10 and 13 of leat.h. */
#include "api/api.h"
#include "data/arrow.h"
#include "data/dlpack.h"
#include "model/predictor.h"

LEAT_API leat_status leat_dataset_from_arrow(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                             struct ArrowSchema *schema, struct ArrowArray *array, leat_dataset **out,
                                             leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(schema, "schema", err)) != 0 ||
      (st = lt_need(array, "array", err)) != 0)
    return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_from_arrow(rt, s, p, schema, array, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_from_arrow_stream(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                                    struct ArrowArrayStream *stream, leat_dataset **out,
                                                    leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(stream, "stream", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_from_arrow_stream(rt, s, p, stream, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_from_arrow_source(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                                    int32_t (*open)(void *user, struct ArrowArrayStream *out),
                                                    void *user, leat_dataset **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0) return st;
  if (!open) return lt_fail(err, LEAT_E_ARG, "open is NULL");
  lt_fpenv_enter(&env);
  st = lt_dataset_from_arrow_source(rt, s, p, open, user, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_to_arrow(leat_dataset *d, int64_t batch_rows, struct ArrowArrayStream *out,
                                           leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = (struct ArrowArrayStream){0};
  if ((st = lt_need(d, "d", err)) != 0) return st;
  st = lt_dataset_to_arrow(d, batch_rows, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_from_dlpack(leat_runtime *rt, const leat_schema *s, int64_t major, void *x, void *y,
                                              void *w, leat_dataset **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(x, "x", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_from_dlpack(rt, s, major, x, y, w, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_predict_arrow(const leat_model *m, const leat_params *p, leat_dataset *d, int64_t batch_rows,
                                        struct ArrowArrayStream *out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = (struct ArrowArrayStream){0};
  if ((st = lt_need(m, "m", err)) != 0 || (st = lt_need(d, "d", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_predict_arrow(m, p, d, batch_rows, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_predictor_run_dlpack(leat_predictor *q, const leat_dataset *d, int64_t major, void **tensor,
                                               leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(tensor, "tensor", err);
  if (st) return st;
  *tensor = NULL;
  if ((st = lt_need(q, "q", err)) != 0 || (st = lt_need(d, "d", err)) != 0) return st;
  if ((st = lt_owner_enter(&lt_predictor_gate_of(q)->owner, "predictor", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_predictor_run_dlpack(q, d, major, tensor, err);
  lt_fpenv_leave(&env);
  lt_owner_leave(&lt_predictor_gate_of(q)->owner);
  return st ? st : lt_ok(err);
}
