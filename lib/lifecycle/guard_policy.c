/* Drift answered by a policy instead of contenders, and detectors other than ADWIN. The policies act at an alarm:
 *   guard    contenders race against the live model (guard_decide.c); the detector only warns and alarms
 *   reset    the live model begins anew
 *   faster   the live model keeps what it knows and learns it over faster: what its learners have summed up counts a quarter
 *   alert    nothing but the event
 * With the last three nothing but the live model learns; certification and the answer to non-finite numbers stay. */
#include <math.h>
#include <string.h>
#include "lifecycle/guard_inner.h"

enum { POLICY_QUARTER = 4 };

leat_status lt_guard_policy_open(lt_guard *g, const leat_params *settings, leat_error *err) {
  const char *response = lt_param_str(settings, "drift_response"), *name = lt_param_str(settings, "detector");
  static const char *const policies[] = {"guard", "reset", "faster", "alert"};
  int64_t n = 0;
  leat_status st = LEAT_OK;
  for (int i = 0; i < 4; i++)
    if (!strcmp(response, policies[i])) g->policy = i;
  if (!strcmp(name, "adwin")) return LEAT_OK; /* the guard's own two */
  const lt_detector_kind *const *kinds = lt_detector_kinds(&n);
  for (int64_t k = 0; k < n && !st; k++) {
    leat_params *p = NULL;
    if (strcmp(kinds[k]->spec->name + strlen("detector/"), name) != 0) continue;
    g->detector_name = kinds[k]->spec->name + strlen("detector/");
    g->detector_errors = kinds[k] == &lt_detector_ddm || kinds[k] == &lt_detector_eddm;
    st = lt_params_create(g->rt, kinds[k]->spec, &p, err);
    for (int i = 0; i < 2 && !st; i++) st = lt_detector_create(g->rt, p, &g->detector[i], err);
    lt_params_free(p);
  }
  return st;
}

void lt_guard_policy_close(lt_guard *g) {
  for (int i = 0; i < 2; i++) lt_detector_free(g->detector[i]);
}

/* loss: clipped at `most`; a loss above ln 2, or above one unit of numbers, is an error. */
void lt_guard_policy_add(lt_guard *g, int which, double loss, double most) {
  if (!g->detector[which]) return;
  double error = g->o->m->regression ? loss > 0.5 : loss > 0.6931471805599453;
  int32_t state = lt_detector_add(g->detector[which], g->detector_errors ? error : loss / most);
  if (state > g->detected[which]) g->detected[which] = state;
}

void lt_guard_policy_calm(lt_guard *g) {
  for (int i = 0; i < 2; i++) {
    if (g->detector[i]) lt_detector_reset(g->detector[i]);
    g->detected[i] = 0;
  }
}

/* Whether anything has been detected since the last block's end. */
int lt_guard_stirred(lt_guard *g) {
  if (g->detector[0]) return g->detected[0] > 0 || g->detected[1] > 0;
  double most = g->warning > g->alarm ? g->warning : g->alarm; /* the one that finds more */
  return lt_adwin_changed(&g->adwin, most, NULL) || lt_adwin_changed(&g->plain, most, NULL);
}

/* Alarms of the detectors: told; returns how many. *warned: one of them warns. *newer: records since the loss began to differ,
 * as far as a detector can tell (only ADWIN can: for others a window). */
int lt_guard_alarms(lt_guard *g, int *warned, int64_t *newer) {
  static const char *const name[] = {"adwin", "adwin of the learners"};
  lt_adwin *const adwin[] = {&g->adwin, &g->plain};
  double gap = 0;
  int alarms = 0;
  *warned = 0;
  *newer = 0;
  for (int i = 0; i < 2; i++) {
    if (g->detector[i] ? g->detected[i] != LT_DRIFTED : !lt_adwin_changed(adwin[i], g->alarm, &gap)) continue;
    lt_guard_tell(g, LEAT_EVENT_ALARM, g->detector[i] ? g->detector_name : name[i], g->detector[i] ? lt_detector_level(g->detector[i]) : gap,
                  g->detector[i] ? 0 : 1);
    int64_t since = g->detector[i] ? g->window : lt_adwin_newer(adwin[i], g->alarm);
    if (since > *newer) *newer = since;
    if (!g->detector[i]) lt_adwin_cut(adwin[i], g->alarm);
    alarms++;
  }
  for (int i = 0; i < 2 && !*warned; i++) {
    *warned = g->detector[i] ? g->detected[i] != LT_STABLE : lt_adwin_changed(adwin[i], g->warning, &gap);
    if (*warned && !g->warned)
      lt_guard_tell(g, LEAT_EVENT_WARNING, g->detector[i] ? g->detector_name : name[i], g->detector[i] ? lt_detector_level(g->detector[i]) : gap,
                    g->detector[i] ? 0 : 1);
  }
  g->detected[0] = g->detected[1] = 0;
  return alarms;
}

void lt_guard_policy_act(lt_guard *g) {
  int64_t newer;
  int warned;
  int alarms = lt_guard_alarms(g, &warned, &newer);
  g->warned = warned;
  if (!alarms) return;
  lt_guard_drop(g, GUARD_NEXT); /* what was taken of late is not certified */
  if (g->policy == GUARD_RESET) {
    g->who[GUARD_LIVE].m = g->o->m;
    lt_guard_begin(g, GUARD_LIVE);
    g->who[GUARD_LIVE].m = NULL;
    g->o->rates = g->who[GUARD_LIVE].rates;
    lt_guard_tell(g, LEAT_EVENT_RESTART, "reset", alarms, 1);
    lt_adwin_init(&g->adwin, 1, 1);
    lt_adwin_init(&g->plain, 1, 1);
    lt_guard_policy_calm(g);
  } else if (g->policy == GUARD_FASTER) {
    lt_online_hasten(g->o->m, 1.0F / POLICY_QUARTER, g->o->rates.beta);
    lt_guard_strange(g, GUARD_LIVE);
  }
}

void lt_guard_policy_save(const lt_guard *g, lt_put *w) {
  for (int i = 0; i < 2; i++) {
    if (!g->detector[i]) continue;
    lt_detector_save(g->detector[i], w);
    lt_put_u8(w, (uint8_t)g->detected[i]);
  }
}

leat_status lt_guard_policy_restore(lt_guard *g, lt_get *r, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int i = 0; i < 2 && !st && !r->failed; i++) {
    if (!g->detector[i]) continue;
    st = lt_detector_restore(g->detector[i], r, err);
    g->detected[i] = lt_get_u8(r);
    if (g->detected[i] > LT_DRIFTED) lt_get_fail(r, LEAT_E_FORMAT);
  }
  return st;
}
