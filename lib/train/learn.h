/* The online trainer: rows in, one after the other. See model/online.h for the state. */
#ifndef LEAT_TRAIN_LEARN_H
#define LEAT_TRAIN_LEARN_H
#include "model/model.h"
#include "model/online.h"
#include "stats/progressive.h"
typedef struct lt_online_rates { float adagrad; double alpha, beta, l1; } lt_online_rates;
/* One row for one model: expert and mixed are what lt_online_mix gave for d; y in the model's units (0 or 1, or the
 * standardised number); w > 0. The statistics of the values come after all models: lt_online_count. */
void lt_online_step(lt_online *m, int64_t model, const lt_online_feed *f, const lt_online_dot *d,
                    const double expert[LT_LEARNERS], double mixed, double y, double w, const lt_online_rates *rates);
/* Takes the row's values into the statistics: x [n_dense] raw numbers, f->raw those of the other entries. */
void lt_online_count(lt_online *m, const lt_online_feed *f, const double *x);
void lt_online_welford(lt_online_moment *t, double x);

enum { LT_ONLINE_GOLDEN = 16 };
typedef struct lt_online_trainer {
  leat_runtime *rt;
  const leat_params *settings;       /* the trainer's */
  leat_schema *schema;               /* of the first rows, or given; NULL before */
  lt_encoder *encoder;
  lt_online *m;
  lt_dict *labels;                   /* NULL: a number or a BOOL */
  lt_progressive *progress;
  leat_batch *golden;                /* rows for the self-test of packages */
  int64_t n_golden;
  int64_t learned, golden_seen;
  lt_online_rates rates;
  /* the schema of the last rows, held so that its address tells it */
  leat_schema *bound;
  lt_encode *bind;
  int32_t *map;                      /* its label codes -> codes here; -1: a new label */
  int64_t n_map, target, weight;
  int32_t alike;                     /* the same feature columns: its rows may become golden */
  /* scratch */
  lt_online_feed feed;
  uint64_t slot_cap, z_cap, raw_cap, index_cap, value_cap;
  float *value;
  int32_t *index;
  double *x;
  lt_online_dot *dot;                /* [LT_ONLINE_CLASSES] */
  double *mixed, *shown;
  double (*expert)[LT_LEARNERS];
} lt_online_trainer;
/* The trainer keeps `settings` alive. schema may be NULL. */
leat_status lt_online_open(leat_runtime *rt, const leat_params *settings, const leat_schema *schema,
                           lt_online_trainer **out, leat_error *err);
leat_status lt_online_from_model(lt_online_trainer *o, const leat_model *model, leat_error *err);
void lt_online_close(lt_online_trainer *o);
/* chunk_rows 0: learn only, nothing is scored. pred may be NULL. */
leat_status lt_online_rows(lt_online_trainer *o, const leat_batch *rows, int64_t chunk_rows, const leat_matrix *pred,
                           leat_error *err);
leat_status lt_online_predict(lt_online_trainer *o, const leat_batch *rows, const leat_matrix *pred, leat_error *err);
leat_status lt_online_metrics(const lt_online_trainer *o, int64_t set, leat_metrics **out, leat_error *err);
leat_status lt_online_snapshot(const lt_online_trainer *o, const char *lineage, leat_model **out, leat_error *err);
/* Sections of a checkpoint beside "settings" and "lineage": schema, labels, online, progress, golden. */
struct lt_seal;
struct lt_sealed;
leat_status lt_online_put(const lt_online_trainer *o, struct lt_seal *seal, leat_error *err);
leat_status lt_online_get(lt_online_trainer *o, struct lt_sealed *f, leat_error *err);
/* For the files of this trainer. */
leat_status lt_online_begin(lt_online_trainer *o, leat_schema *s, leat_error *err);
leat_status lt_online_schema(const lt_online_trainer *o, leat_schema **out, leat_error *err);
#endif
