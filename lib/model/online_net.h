/* The network among the online learners: one hidden layer of n_hidden units on the row's slots, and a linear output.
 *   unit j:  a_j = sum over the row's n entries of W[slot, j] z, over sqrt n;  u_j = f_j(a_j)
 *   output:  head[0] + sum of head[1 + j] u_j, a logit or a standardised number
 * Units come in fours: f is tanh for the first four, max(0, a) for the next four, and so on. (Measured: tanh alone is better
 * for smooth targets, max for those that jump; half and half lost to neither by much.) tanh is Lambert's continued fraction
 * cut behind x^6, within 1e-4 of it, in operations that round alike everywhere. Slots of bias and numbers begin with random
 * weights of variance 1, the same ones for every model; hashed ones with 0, so that what was never seen says nothing. */
#ifndef LEAT_MODEL_ONLINE_NET_H
#define LEAT_MODEL_ONLINE_NET_H
#include "model/online.h"
enum { LT_ONLINE_NET_HIDDEN = 128 };
#define LT_ONLINE_NET_PRIOR 0.1             /* variance of an output weight before the first row */
/* A slot: n_hidden weights, then the sum of squared gradients that they share. */
static inline float *lt_online_net_at(const lt_online *m, int64_t model, int64_t slot) {
  return m->net[model] + (uint64_t)slot * (uint64_t)(m->n_hidden + 1);
}
/* The output: D weights, bias first (D = n_hidden + 2; the last one is 0 for ever, so that D is even), their covariance
 * [D, D], the faded mean squared error (numbers). */
static inline int64_t lt_online_net_d(const lt_online *m) { return m->n_hidden + 2; }
static inline int64_t lt_online_net_head_size(const lt_online *m) { return lt_online_net_d(m) * (lt_online_net_d(m) + 1) + 1; }
static inline double *lt_online_net_cov(const lt_online *m, double *head) { return head + lt_online_net_d(m); }
static inline double *lt_online_net_noise(const lt_online *m, double *head) { return head + lt_online_net_head_size(m) - 1; }
uint64_t lt_online_net_bytes(const lt_online *m);  /* of one model's slots */
/* Room and the first weights of one model; MEMORY: NULL, and both are to be freed. */
void lt_online_net_make(const lt_online *m, float **net, double **head);
void lt_online_net_start(const lt_online *m, float *net, double *head);
void lt_online_net_assign(lt_online *dst, const lt_online *src, int64_t model);
/* The model of the other class from the one of this class. */
void lt_online_net_mirror(const lt_online *m, const double *head, double *out);
/* Sums of the entries into d->unit; then outputs of the units behind them, and of the network. */
void lt_online_net_sums(const lt_online *m, int64_t model, const lt_online_feed *f, lt_online_dot *d);
double lt_online_net_output(const lt_online *m, int64_t model, const lt_online_dot *d);
void lt_online_net_prior(const lt_online *m, double *head); /* the covariance back to where it began */
void lt_online_net_hasten(lt_online *m, int64_t model, float share);
int lt_online_net_finite(const lt_online *m, int64_t model);      /* of the output; slots: lt_online_net_slot_finite */
int lt_online_net_slot_finite(const lt_online *m, int64_t model, int64_t slot);
void lt_online_net_put_head(const lt_online *m, int64_t model, lt_put *w);
void lt_online_net_get_head(lt_online *m, int64_t model, lt_get *r);
void lt_online_net_put_slot(const lt_online *m, int64_t model, int64_t slot, lt_put *w);
void lt_online_net_get_slot(lt_online *m, int64_t model, int64_t slot, lt_get *r);
#endif
