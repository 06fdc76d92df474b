/* ADWIN2: Bifet, Gavalda: Learning from time-changing data with adaptive windowing, SDM 2007. Exponential histogram of at
 * most `buckets` (M) buckets a size; O(log n) memory. Values are meant to lie in [0, 1]: scale them. One-sided: it looks
 * for an increase only, and the confidence is all spent on that side. */
#ifndef LEAT_STATS_ADWIN_H
#define LEAT_STATS_ADWIN_H
#include "base/bytes.h"
enum { LT_ADWIN_BUCKETS = 5, LT_ADWIN_LEVELS = 40 };
typedef struct lt_adwin {
  int32_t one_sided, every;  /* looks every so many values */
  int64_t n, seen;           /* in the window; since the start */
  double sum, m2;            /* of the window: sum and sum of squared deviations */
  int32_t levels, count[LT_ADWIN_LEVELS]; /* level i: buckets of 2^i values, the oldest first */
  double bucket_sum[LT_ADWIN_LEVELS][LT_ADWIN_BUCKETS + 1], bucket_m2[LT_ADWIN_LEVELS][LT_ADWIN_BUCKETS + 1];
} lt_adwin;
void lt_adwin_init(lt_adwin *a, int one_sided, int every);
void lt_adwin_add(lt_adwin *a, double x);
/* A cut of the window whose two parts differ at confidence delta? Does not shorten the window (two deltas may ask). *gap
 * (may be NULL): difference of the means over its threshold, at the worst cut. 0 when it is not time to look. */
int lt_adwin_changed(const lt_adwin *a, double delta, double *gap);
int64_t lt_adwin_newer(const lt_adwin *a, double delta); /* values behind that worst cut: where the change began */
void lt_adwin_cut(lt_adwin *a, double delta); /* drops the oldest buckets while they differ at delta */
double lt_adwin_mean(const lt_adwin *a);
void lt_adwin_save(const lt_adwin *a, lt_put *w);
void lt_adwin_load(lt_adwin *a, lt_get *r); /* fails r for what no detector can be in */
#endif
