/* Evidence by betting (Shafer 2021; Waudby-Smith, Ramdas 2024): wealth that starts at 1 and is multiplied by 1 + bet * z for every
 * z in [-1, 1]. While the mean of z, given all before, is not above 0 it does not grow on average, so the chance that it ever
 * reaches w is at most 1 / w, however often one looks (Ville 1939). Restarted, it never falls below 1 for good: an e-detector
 * (Shin, Ramdas, Rinaldo 2023), which without reason reaches w no sooner than after w values on average. Five bets side by
 * side; their mean counts. */
#ifndef LEAT_STATS_EVIDENCE_H
#define LEAT_STATS_EVIDENCE_H
#include "base/bytes.h"
enum { LT_EVIDENCE_BETS = 5 };
typedef struct lt_evidence { double e[LT_EVIDENCE_BETS]; } lt_evidence;
void lt_evidence_begin(lt_evidence *e);
void lt_evidence_add(lt_evidence *e, double z, int restarted); /* z is cut to [-1, 1]; NaN counts as 0 */
double lt_evidence_wealth(const lt_evidence *e);
void lt_evidence_save(const lt_evidence *e, lt_put *w); /* LT_EVIDENCE_BETS numbers of 8 bytes */
void lt_evidence_load(lt_evidence *e, lt_get *r);       /* fails r at what is no wealth */

/* ---- two that predict the same records: the losses they are judged by, and the bet that one of them is better */
#define LT_EVIDENCE_CLIP 3.0   /* losses count up to here: one record proves little */
#define LT_EVIDENCE_MARGIN 0.05 /* who wants another one's place must be better by this share */
/* What a prediction costs that gave the true class this probability. NaN costs the most. */
double lt_evidence_log_loss(double sure);
/* Numbers: Huber's loss of a miss, in units of an error that is usual. */
double lt_evidence_number_loss(double miss, double unit);
typedef struct lt_evidence_unit { double square, squares; } lt_evidence_unit; /* faded squared error, its weight up to 1000 */
/* The unit for the next miss, which then takes part in it. */
double lt_evidence_unit_of(lt_evidence_unit *u, double miss);
/* Restarted evidence that the loss `mine` is below `theirs` by more than the margin. */
void lt_evidence_race(lt_evidence *e, double mine, double theirs, double margin);
#endif
