/* The gates of a trial. */
#include "lifecycle/trial.h"
#include "base/number.h"
#include <stdio.h>
#include <string.h>

static const lt_param_def trial_defs[] = {
    {"begin", LEAT_PARAM_CHOICE, "shadow", 0, 0, "shadow|canary", "The first step: answers are not served; the first of shares is.", 1},
    {"shares", LEAT_PARAM_TEXT, "0.01,0.05,0.25,0.5,1", 0, 256, NULL,
     "Shares of the keys that the candidate answers, step by step; empty: shadow is the only step.", 1},
    {"sample", LEAT_PARAM_F64, "1", 0, 1, NULL, "The share of the keys on which both predict: what the trial may cost.", 1},
    {"automatic", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Steps are taken by the gates; else only by hand, but an alarm still aborts.", 1},
    {"promote", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Behind the last step the candidate is promoted.", 1},
    {"margin", LEAT_PARAM_F64, "0.02", 0, 10, NULL, "A candidate whose loss is above the other's by less than this share is no worse.", 1},
    {"evidence", LEAT_PARAM_F64, "100", 1, 1e200, NULL,
     "So much evidence that it is no worse takes a step forward; its inverse bounds the chance of a wrong one.", 1},
    {"caution", LEAT_PARAM_F64, "100", 1, 1e200, NULL, "So much evidence that it is worse takes one step back.", 1},
    {"alarm", LEAT_PARAM_F64, "10000", 1, 1e200, NULL, "So much evidence that it is worse aborts the trial.", 1},
    {"min_rows", LEAT_PARAM_I64, "200", 1, 1000000000, NULL, "Labelled pairs that a step takes at least.", 1},
    {"patience", LEAT_PARAM_I64, "200000", 0, 1000000000000, NULL,
     "A step that is not decided after so many labelled pairs aborts the trial; 0: never.", 1},
};
const lt_spec lt_spec_trial = {"trial", "A candidate beside what is served.", trial_defs,
                               (int64_t)(sizeof trial_defs / sizeof trial_defs[0])};

static leat_status trial_shares(lt_trial *t, const char *text, leat_error *err) {
  double before = 0;
  for (const char *at = text; *at;) {
    size_t n = strcspn(at, ",");
    double v;
    if (t->steps == LT_TRIAL_STEPS || !lt_parse_f64(at, at + n, &v) || !(v > before && v <= 1))
      return lt_fail(err, LEAT_E_ARG, "shares is '%.200s': it takes up to %d rising numbers above 0, the last at most 1", text,
                     LT_TRIAL_STEPS);
    t->share[t->steps++] = before = v;
    at += n + (at[n] == ',');
  }
  return LEAT_OK;
}

static void trial_fresh(lt_trial *t) {
  lt_evidence_begin(&t->better);
  t->step_labels = 0;
}

leat_status lt_trial_begin(lt_trial *t, const leat_params *p, leat_error *err) {
  memset(t, 0, sizeof *t);
  leat_status st = trial_shares(t, lt_param_str(p, "shares"), err);
  if (st) return st;
  t->step = lt_param_is(p, "begin", "canary") && t->steps;
  t->sample = lt_param_real(p, "sample");
  t->margin = lt_param_real(p, "margin");
  t->evidence = lt_param_real(p, "evidence");
  t->caution = lt_param_real(p, "caution");
  t->alarm = lt_param_real(p, "alarm");
  t->min_rows = lt_param_int(p, "min_rows");
  t->patience = lt_param_int(p, "patience");
  t->automatic = lt_param_int(p, "automatic") != 0;
  t->promote = lt_param_int(p, "promote") != 0;
  lt_evidence_begin(&t->worse);
  trial_fresh(t);
  return LEAT_OK;
}

double lt_trial_share(const lt_trial *t) { return t->step > 0 ? t->share[t->step - 1] : 0; }

/* Differences of clipped losses over their own bound: no value is cut, so that the bounds hold for the means of these losses. */
void lt_trial_pair(lt_trial *t, double loss, double against, int answered) {
  double span = LT_TRIAL_CLIP * (1 + t->margin);
  loss = loss < LT_TRIAL_CLIP ? loss : LT_TRIAL_CLIP;
  against = against < LT_TRIAL_CLIP ? against : LT_TRIAL_CLIP;
  lt_evidence_add(&t->better, (against * (1 + t->margin) - loss) / span, 0);
  lt_evidence_add(&t->worse, (loss - against * (1 + t->margin)) / span, 1);
  t->labels++;
  t->step_labels++;
  t->answered += answered != 0;
  t->loss += loss;
  t->against_loss += against;
}

/* A few digits are enough for people. */
static const char *trial_digits(double v, char buf[64]) {
  lt_fixed_text(v, v < 10 ? 4 : 0, buf, 64);
  return buf;
}

static void trial_why(const lt_trial *t, const char *what, char *text, uint64_t cap) {
  char a[64], b[64], c[64], d[64];
  double n = t->labels > 0 ? (double)t->labels : 1;
  snprintf(text, cap, "%s: loss %s against %s on %lld labelled rows, evidence %s no worse, %s worse", what,
           trial_digits(t->loss / n, a), trial_digits(t->against_loss / n, b), (long long)t->labels,
           trial_digits(lt_evidence_wealth(&t->better), c), trial_digits(lt_evidence_wealth(&t->worse), d));
}

lt_trial_verdict lt_trial_decide(const lt_trial *t, char *text, uint64_t cap) {
  double better = lt_evidence_wealth(&t->better), worse = lt_evidence_wealth(&t->worse);
  if (t->bad) {
    trial_why(t, "a prediction was not finite, or failed", text, cap);
    return LT_TRIAL_ABORT;
  }
  if (worse >= t->alarm) {
    trial_why(t, "worse beyond doubt", text, cap);
    return LT_TRIAL_ABORT;
  }
  if (!t->automatic) return LT_TRIAL_STAY;
  if (worse >= t->caution && !t->cautioned && t->step > 0) {
    trial_why(t, "it seems worse", text, cap);
    return LT_TRIAL_BACK;
  }
  if (t->step_labels >= t->min_rows && better >= t->evidence && worse < t->caution) {
    trial_why(t, "no worse", text, cap);
    if (t->step < t->steps) return LT_TRIAL_FORWARD;
    if (t->promote) return LT_TRIAL_PROMOTE;
    return LT_TRIAL_STAY;
  }
  if (t->patience > 0 && t->step_labels >= t->patience) {
    trial_why(t, "undecided for too long", text, cap);
    return LT_TRIAL_ABORT;
  }
  return LT_TRIAL_STAY;
}

void lt_trial_step(lt_trial *t, lt_trial_verdict v) {
  if (v == LT_TRIAL_FORWARD && t->step < t->steps) t->step++;
  if (v == LT_TRIAL_BACK && t->step > 0) t->step--;
  t->cautioned = v == LT_TRIAL_BACK;
  trial_fresh(t);
}
