/* A trial: a candidate beside what is served. Its gates, a pure function of the labelled pairs: each row that both have predicted
 * and whose label has come gives two losses. Steps: 0 is shadow, step k answers share[k - 1] of the keys. docs/serving.md has the
 * recipe; who predicts, and what a decision does to the store, is the endpoint's. */
#ifndef LEAT_LIFECYCLE_TRIAL_H
#define LEAT_LIFECYCLE_TRIAL_H
#include "base/params.h"
#include "stats/evidence.h"
extern const lt_spec lt_spec_trial;
enum { LT_TRIAL_STEPS = 16 };
#define LT_TRIAL_CLIP 3.0 /* of a loss: one row must not decide */
typedef struct lt_trial {
  double share[LT_TRIAL_STEPS];
  int64_t steps, step;            /* step 0: shadow; `steps` the last one */
  double sample, margin, evidence, caution, alarm;
  int64_t min_rows, patience;
  int32_t automatic, promote, cautioned, bad;
  lt_evidence better, worse;      /* no worse by more than the margin (of this step); worse by more than it (restarted) */
  int64_t labels, step_labels;    /* labelled pairs */
  int64_t answered;               /* of them, answered by the candidate */
  double loss, against_loss;      /* sums */
} lt_trial;
typedef enum lt_trial_verdict { LT_TRIAL_STAY, LT_TRIAL_FORWARD, LT_TRIAL_BACK, LT_TRIAL_ABORT, LT_TRIAL_PROMOTE } lt_trial_verdict;
/* p NULL: defaults. ARG: shares do not rise within (0, 1]. */
leat_status lt_trial_begin(lt_trial *t, const leat_params *p, leat_error *err);
double lt_trial_share(const lt_trial *t);
void lt_trial_pair(lt_trial *t, double loss, double against_loss, int answered);
/* What the gates say now; text: why, in words. */
lt_trial_verdict lt_trial_decide(const lt_trial *t, char *text, uint64_t cap);
/* A step taken (FORWARD or BACK), by the gates or by hand; its evidence begins anew. */
void lt_trial_step(lt_trial *t, lt_trial_verdict v);
#endif
