/* Synthetic data. Only IEEE additions, multiplications, divisions and square roots are used, and numbers are printed
 * from integers: the same seed gives the same bytes on every machine, and row r is the same however many follow. */
#ifndef LEAT_SRC_GENERATE_H
#define LEAT_SRC_GENERATE_H
#include <stdint.h>
#include <stdio.h>

/* Draws of one row: a counter-based generator, so rows are independent of each other. */
typedef struct gen_draws { uint64_t key, count; } gen_draws;
void gen_row(gen_draws *g, int64_t seed, int64_t row);
double gen_unit(gen_draws *g);                     /* [0, 1), 53 bits */
int64_t gen_below(gen_draws *g, int64_t n);        /* [0, n) */
double gen_normal(gen_draws *g);
double gen_logistic(gen_draws *g);                 /* the noise that makes a margin a logistic model */
int64_t gen_count(gen_draws *g, double mean);      /* Poisson, small means */

/* v with `digits` decimals, rounded half away from zero, after `before`. */
void gen_put(FILE *to, char before, double v, int digits);

typedef struct gen_kind {
  const char *name;
  void (*begin)(FILE *to, int64_t seed);
  void (*row)(FILE *to, int64_t seed, int64_t row, int drifted); /* row from 0 */
} gen_kind;
extern const gen_kind gen_churn;
#endif
