/* Evidence by betting. */
#include "stats/evidence.h"
#include <math.h>

static const double evidence_bet[LT_EVIDENCE_BETS] = {0.9, 0.5, 0.25, 0.1, 0.04};
#define EVIDENCE_MOST 1e250

void lt_evidence_begin(lt_evidence *e) {
  for (int b = 0; b < LT_EVIDENCE_BETS; b++) e->e[b] = 1;
}

void lt_evidence_add(lt_evidence *e, double z, int restarted) {
  z = z > 1 ? 1 : z > -1 ? z : z <= -1 ? -1 : 0;
  for (int b = 0; b < LT_EVIDENCE_BETS; b++) {
    double wealth = (restarted && e->e[b] < 1 ? 1 : e->e[b]) * (1 + evidence_bet[b] * z);
    e->e[b] = wealth < EVIDENCE_MOST ? wealth : EVIDENCE_MOST;
  }
}

double lt_evidence_wealth(const lt_evidence *e) {
  double sum = 0;
  for (int b = 0; b < LT_EVIDENCE_BETS; b++) sum += e->e[b];
  return sum / LT_EVIDENCE_BETS;
}

void lt_evidence_save(const lt_evidence *e, lt_put *w) {
  for (int b = 0; b < LT_EVIDENCE_BETS; b++) lt_put_f64(w, e->e[b]);
}

void lt_evidence_load(lt_evidence *e, lt_get *r) {
  for (int b = 0; b < LT_EVIDENCE_BETS; b++) {
    e->e[b] = lt_get_f64(r);
    if (!(e->e[b] >= 0) || isinf(e->e[b])) lt_get_fail(r, LEAT_E_FORMAT);
  }
}

/* ---------------------------------------------------------------------------------------------- pairs of losses */

double lt_evidence_log_loss(double sure) {
  return sure > 0.049787068367863944 ? -log(sure) : LT_EVIDENCE_CLIP; /* exp(-3) */
}

double lt_evidence_number_loss(double miss, double unit) {
  double u = fabs(miss) / unit, loss = u <= 1 ? u * u / 2 : u - 0.5;
  return loss < LT_EVIDENCE_CLIP ? loss : LT_EVIDENCE_CLIP;
}

/* A wild miss counts as eight usual ones, once the usual is known. */
double lt_evidence_unit_of(lt_evidence_unit *u, double miss) {
  double before = u->squares > 0 ? sqrt(u->square) : 0, unit = before > 0 ? before : fabs(miss);
  double most = before > 0 && u->squares >= 100 ? 8 * before : INFINITY, part = fabs(miss) < most ? fabs(miss) : most;
  if (u->squares < 1000) u->squares += 1;
  u->square += (part * part - u->square) / u->squares;
  return unit > 0 ? unit : 1;
}

/* A difference of .7 in favour of one counts in full. */
void lt_evidence_race(lt_evidence *e, double mine, double theirs, double margin) {
  lt_evidence_add(e, (theirs - (1 + margin) * mine) / 0.7, 1);
}
