/* The inside of an endpoint, for the files endpoint*.c. */
#ifndef LEAT_LIFECYCLE_ENDPOINT_INNER_H
#define LEAT_LIFECYCLE_ENDPOINT_INNER_H
#include "base/os.h"
#include "lifecycle/endpoint.h"
#include "lifecycle/scores.h"
enum { ENDPOINT_CELLS = 8, ENDPOINT_STAGES = 8, ENDPOINT_TRIES = 8, ENDPOINT_EXTRA = 0xffff };
typedef struct endpoint_cell {
  _Alignas(64) int64_t users;  /* loans, and borrowers that look whether this is the right cell */
  int64_t version, serial;     /* 0: empty */
  leat_model *model;
  leat_predictor **predictor;
  int64_t *busy;               /* of predictor i: 0 free, 1 lent */
} endpoint_cell;
struct leat_endpoint {
  leat_runtime *rt;
  leat_store *s;
  leat_params *settings;
  char stage[ENDPOINT_STAGES][64];
  int64_t n_stages, n_predictors;
  int64_t current, candidate;  /* cells, -1 none */
  uint64_t share, sample;      /* of a candidate: keys whose hash is below answer with it, or are predicted by both */
  int32_t trial_bad;           /* a prediction of the candidate was not finite */
  endpoint_cell cell[ENDPOINT_CELLS];
  lt_mutex lock;               /* of who swaps, and of all below up to score_lock */
  int64_t previous;            /* cell, -1 none */
  int64_t serial, generation, failed_generation;
  int32_t again;               /* what failed may work later: try without a change of the store */
  leat_endpoint_state told;
  lt_mutex score_lock;         /* of all below; held for short only, and inside `lock` where both are */
  leat_endpoint_state shown;   /* told, as of the last refresh */
  lt_scores *scores;
  lt_trial trial;
  leat_trial_state trial_told;
};
/* endpoint.c */
int64_t lt_endpoint_enter(leat_endpoint *e, const int64_t *which);          /* counts itself into that cell, -1 none */
leat_status lt_endpoint_lend(leat_endpoint *e, int64_t cell, leat_lease *out, leat_error *err); /* entered before */
leat_status lt_endpoint_cell_of(leat_endpoint *e, int64_t version, int64_t *at, leat_error *err);
leat_status lt_endpoint_follow(leat_endpoint *e, int64_t *swapped, leat_error *err);
void lt_endpoint_show(leat_endpoint *e);
/* endpoint_trial.c; under lock */
leat_status lt_endpoint_known(leat_endpoint *e, const endpoint_cell *c, leat_error *err); /* its predictions can be noted */
leat_status lt_endpoint_trial_follow(leat_endpoint *e, int64_t *swapped, leat_error *err);
#endif
