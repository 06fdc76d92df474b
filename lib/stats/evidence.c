/* Evidence by betting. */
#include "stats/evidence.h"

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
