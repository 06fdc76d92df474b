/* Evidence by betting (Shafer 2021; Waudby-Smith, Ramdas 2024): wealth that starts at 1 and is multiplied by 1 + bet * z for every
 * z in [-1, 1]. While the mean of z, given all before, is not above 0 it does not grow on average, so the chance that it ever
 * reaches w is at most 1 / w, however often one looks (Ville 1939). Restarted, it never falls below 1 for good: an e-detector
 * (Shin, Ramdas, Rinaldo 2023), which without reason reaches w no sooner than after w values on average. Five bets side by
 * side; their mean counts. */
#ifndef LEAT_STATS_EVIDENCE_H
#define LEAT_STATS_EVIDENCE_H
enum { LT_EVIDENCE_BETS = 5 };
typedef struct lt_evidence { double e[LT_EVIDENCE_BETS]; } lt_evidence;
void lt_evidence_begin(lt_evidence *e);
void lt_evidence_add(lt_evidence *e, double z, int restarted); /* z is cut to [-1, 1]; NaN counts as 0 */
double lt_evidence_wealth(const lt_evidence *e);
#endif
