/* Change detectors: false alarms and delays on streams of errors, and updates a second.
 *   bench_detectors [SEEDS [RUNS]]      SEEDS 100: streams of 15 000 errors, rate .2 that becomes .35 ("big") or .25 ("small") at
 *                                       10 000; RUNS 5 of 4 000 000 updates each, whose median, least and most are printed
 * Prints a Markdown table. In brackets MOA's numbers (2025-09, 100 seeds of such streams). Processor time. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"
#include "stats/detector.h"

enum { VALUES = 15000, CHANGE = 10000, UPDATES = 4000000, RUNS_MOST = 99 };
typedef struct peer { const char *name; double false_alarms; int big, big_delay, small, small_delay; } peer;
static const peer moa[] = {{"adwin", 0.00, 100, 207, 100, 1519},  {"ddm", 0.26, 81, 706, 50, 1850},
                           {"eddm", 20, 100, 562, 81, 979},       {"hddm_a", 0.14, 100, 273, 98, 1632},
                           {"hddm_w", 0.57, 100, 97, 90, 912},    {"page_hinkley", 0.00, 100, 592, 100, 1984},
                           {"cusum", 0.09, 100, 263, 100, 880}};

static void check(leat_status st, const leat_error *e) {
  if (!st) return;
  fprintf(stderr, "%s\n", e->message);
  exit(1);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static lt_detector *make(leat_runtime *rt, const lt_detector_kind *kind) {
  leat_error e = {.struct_size = sizeof e};
  leat_params *p = NULL;
  lt_detector *d = NULL;
  check(lt_params_create(rt, kind->spec, &p, &e), &e);
  check(lt_detector_create(rt, p, &d, &e), &e);
  lt_params_free(p);
  return d;
}

typedef struct outcome { double false_alarms, error, found, delay; } outcome;
static outcome run(leat_runtime *rt, const lt_detector_kind *kind, int seeds, double after) {
  outcome o = {0, 0, 0, 0};
  double *delay = malloc((size_t)seeds * sizeof *delay), squares = 0;
  int found = 0;
  if (!delay) exit(1);
  for (int seed = 0; seed < seeds; seed++) {
    lt_detector *d = make(rt, kind);
    lt_rng r;
    lt_rng_init(&r, 17, (uint64_t)seed);
    double early = 0;
    for (int i = 0; i < VALUES; i++) {
      double x = lt_rng_unit(&r) < (i < CHANGE ? 0.2 : after);
      if (lt_detector_add(d, x) != LT_DRIFTED) continue;
      if (i < CHANGE) {
        early++;
        continue;
      }
      delay[found++] = i - CHANGE + 1;
      break;
    }
    o.false_alarms += early;
    squares += early * early;
    lt_detector_free(d);
  }
  qsort(delay, (size_t)found, sizeof *delay, by_size);
  o.delay = found ? delay[found / 2] : NAN;
  o.found = 100.0 * found / seeds;
  o.false_alarms /= seeds;
  o.error = sqrt(fmax(0, squares / seeds - o.false_alarms * o.false_alarms) / seeds);
  free(delay);
  return o;
}

/* M updates a second on errors with a rate of .2. */
static double speed(leat_runtime *rt, const lt_detector_kind *kind, int *drifts) {
  static unsigned char error[1 << 16];
  lt_rng r;
  lt_rng_init(&r, 3, 3);
  for (size_t i = 0; i < sizeof error; i++) error[i] = lt_rng_unit(&r) < 0.2;
  lt_detector *d = make(rt, kind);
  clock_t from = clock();
  for (int i = 0; i < UPDATES; i++) *drifts += lt_detector_add(d, error[i & 65535]) == LT_DRIFTED;
  double seconds = (double)(clock() - from) / CLOCKS_PER_SEC;
  lt_detector_free(d);
  return UPDATES / seconds / 1e6;
}

int main(int n, char **args) {
  int seeds = n > 1 ? atoi(args[1]) : 100, runs = n > 2 ? atoi(args[2]) : 5, drifts = 0;
  leat_error e = {.struct_size = sizeof e};
  leat_runtime *rt = NULL;
  int64_t kinds = 0;
  if (seeds < 1 || runs < 1 || runs > RUNS_MOST) return 1;
  check(lt_runtime_create(NULL, &rt, &e), &e);
  const lt_detector_kind *const *kind = lt_detector_kinds(&kinds);
  printf("| detector | false alarms in 10 000 | big: found, delay | small: found, delay | M updates/s (least to most) |\n|---|---|---|---|---|\n");
  for (int64_t k = 0; k < kinds; k++) {
    const char *name = kind[k]->spec->name + strlen("detector/");
    const peer *m = NULL;
    double rate[RUNS_MOST];
    for (size_t i = 0; i < sizeof moa / sizeof *moa; i++)
      if (!strcmp(moa[i].name, name)) m = &moa[i];
    outcome big = run(rt, kind[k], seeds, 0.35), small = run(rt, kind[k], seeds, 0.25);
    for (int i = 0; i < runs; i++) rate[i] = speed(rt, kind[k], &drifts);
    qsort(rate, (size_t)runs, sizeof *rate, by_size);
    printf("| %s | %.2f +- %.2f", name, big.false_alarms, big.error);
    if (m) printf(" (%.2f)", m->false_alarms);
    printf(" | %.0f %%, %.0f", big.found, big.delay);
    if (m) printf(" (%d, %d)", m->big, m->big_delay);
    printf(" | %.0f %%, %.0f", small.found, small.delay);
    if (m) printf(" (%d, %d)", m->small, m->small_delay);
    printf(" | %.1f (%.1f to %.1f) |\n", rate[runs / 2], rate[0], rate[runs - 1]);
    fflush(stdout);
  }
  lt_runtime_unref(rt);
  return 0;
}
