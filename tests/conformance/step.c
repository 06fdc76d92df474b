/* sgd, adam. */
#include <math.h>

#include "suite.h"

static const int64_t sizes[][2] = {{1, 1}, {1, 7}, {3, 17}, {64, 65}, {129, 33}, {1, 4099}, {0, 5}, {5, 0}};

typedef struct step_kind { int64_t m, n, flag; int velocity, padded; double norm2, clip, decay; } step_kind;

/* scale times the clipping factor; norm2 below 0: there is none. */
static double factor_of(double scale, double norm2, double clip) {
  if (norm2 < 0 || clip <= 0) return scale;
  return scale * fmin(1, clip / (scale * sqrt((double)(float)norm2)));
}

static void step_begin(cf_case *c, cf_suite *s, const char *op, const step_kind *g, int states) {
  int64_t one = 1;
  cf_case_begin(c, s, op);
  cf_input(c, cf_matrix(s, g->m, g->n, g->padded));
  if (g->norm2 >= 0) cf_put(cf_input(c, cf_make(s, LEAT_F32, 1, &one, CF_ROWS)), 0, g->norm2);
  cf_output(c, cf_matrix(s, g->m, g->n, g->padded));
  for (int i = 0; i < states; i++) cf_output(c, cf_matrix(s, g->m, g->n, !g->padded));
  cf_label(c, "%lld x %lld, norm2 %g, clip %g, decay %g, flag %lld%s%s", (long long)g->m, (long long)g->n, g->norm2,
           g->clip, g->decay, (long long)g->flag, states ? ", state" : "", g->padded ? ", padded" : "");
}

static void sgd_case(cf_suite *s, step_kind g) {
  cf_case c;
  double rate = 0.05, momentum = 0.9, scale = 0.25, factor = factor_of(scale, g.norm2, g.clip);
  if (s->broken) return;
  step_begin(&c, s, "sgd", &g, g.velocity);
  cf_double(&c, rate), cf_double(&c, momentum), cf_double(&c, g.decay), cf_double(&c, scale), cf_double(&c, g.clip);
  cf_integer(&c, g.flag);
  cf_expect(&c);
  for (int64_t k = 0; k < g.m * g.n && !s->broken; k++) {
    int64_t i = k / g.n, j = k % g.n;
    double w = cf_get(&c.out[0], i, j), x = cf_get(&c.in[0], i, j), grad = factor * x + g.decay * w;
    double mass = fabs(factor * x) + fabs(g.decay * w), step = grad, step_mass = mass;
    if (g.velocity) {
      double v = cf_get(&c.out[1], i, j), now = momentum * v + grad, now_mass = fabs(momentum * v) + mass;
      cf_want(&c, 1, k, now, 16 * CF_E * now_mass);
      step = g.flag ? grad + momentum * now : now;
      step_mass = g.flag ? mass + momentum * now_mass : now_mass;
    }
    cf_want(&c, 0, k, w - rate * step, 16 * CF_E * (fabs(w) + rate * step_mass));
  }
  cf_check(&c);
}

static void adam_case(cf_suite *s, step_kind g, int64_t t) {
  cf_case c;
  double rate = 0.05, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, scale = 0.5, factor = factor_of(scale, g.norm2, g.clip);
  double bias1 = 1 - pow(beta1, (double)t), bias2 = 1 - pow(beta2, (double)t);
  if (s->broken) return;
  step_begin(&c, s, "adam", &g, 2);
  cf_uniform(s, &c.out[2], t == 1 ? 0 : 0.001, t == 1 ? 0 : 1); /* the second moment, above 0 */
  if (t == 1) cf_uniform(s, &c.out[1], 0, 0);
  cf_double(&c, rate), cf_double(&c, beta1), cf_double(&c, beta2), cf_double(&c, eps), cf_double(&c, g.decay);
  cf_double(&c, scale), cf_double(&c, g.clip), cf_double(&c, bias1), cf_double(&c, bias2);
  cf_integer(&c, g.flag);
  cf_expect(&c);
  for (int64_t k = 0; k < g.m * g.n && !s->broken; k++) {
    int64_t i = k / g.n, j = k % g.n;
    double w = cf_get(&c.out[0], i, j), u = cf_get(&c.out[1], i, j), v = cf_get(&c.out[2], i, j);
    double x = cf_get(&c.in[0], i, j);
    double extra = g.flag ? 0 : g.decay * w, grad = factor * x + extra, mass = fabs(factor * x) + fabs(extra);
    double u1 = beta1 * u + (1 - beta1) * grad, u_mass = beta1 * fabs(u) + (1 - beta1) * mass;
    double v1 = beta2 * v + (1 - beta2) * grad * grad, v_mass = beta2 * v + (1 - beta2) * mass * mass;
    double under = sqrt(v1 / bias2) + eps, outer = g.flag ? g.decay * w : 0;
    double lost = v1 > 0 ? v_mass / v1 : 1; /* where the gradient cancels, the root is the less sure */
    cf_want(&c, 1, k, u1, 16 * CF_E * u_mass);
    cf_want(&c, 2, k, v1, 16 * CF_E * v_mass);
    cf_want(&c, 0, k, w - rate * (u1 / bias1 / under + outer),
            16 * CF_E * (fabs(w) + rate * (u_mass / bias1 / under * lost + fabs(outer))));
  }
  cf_check(&c);
}

void cf_step_ops(cf_suite *s) {
  static const double clips[][3] = {{-1, 0, 0}, {-1, 0, 0.5}, {64, 1, 0.25}, {0.01, 1, 0}, {64, 0, 0}, {0, 1, 0}};
  if (cf_begin(s, "sgd")) {
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
      for (size_t v = 0; v < 6; v++)
        sgd_case(s, (step_kind){sizes[z][0], sizes[z][1], (int64_t)v / 3, (int)(v + z) % 3 != 0, (int)z % 2, clips[v][0],
                                clips[v][1], clips[v][2]});
    cf_end(s);
  }
  if (cf_begin(s, "adam")) {
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
      for (size_t v = 0; v < 6; v++)
        adam_case(s, (step_kind){sizes[z][0], sizes[z][1], (int64_t)(v + z) % 2, 1, (int)z % 2, clips[v][0], clips[v][1],
                                 clips[v][2]}, v == 1 ? 1 : 1000 * (int64_t)v + 3);
    cf_end(s);
  }
}
