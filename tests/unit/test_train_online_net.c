/* The network among the online learners: its arithmetic against plain loops and finite differences, what it can learn that
 * the linear ones cannot, its two names, copies and bytes. */
#include "model/online_copy.h"
#include "model/online_net.h"
#include "model/online_lanes.h"
#include "online_help.h"
#include "train/learn.h"

enum { HIDDEN = 12, MOST = 19, ROWS = 400, STRIDE = HIDDEN + 1, D = HIDDEN + 2 };

static void tanh_is_near(void **state) {
  (void)state;
  for (int i = -6000; i <= 6000; i++) {
    float v[4], x = (float)i / 1000;
    x4_store(v, x4_tanh(x4_all(x)));
    for (int k = 0; k < 4; k++) assert_true(fabs((double)v[k] - tanh((double)x)) < 1e-4 && fabsf(v[k]) <= 1);
  }
}

static lt_online *net_of(leat_runtime *rt, const char *learner, int64_t classes, int64_t dense, int64_t hash_bits) {
  lt_encoder e;
  lt_online *m = NULL;
  memset(&e, 0, sizeof e);
  e.n_dense = dense;
  e.hash_bits = hash_bits;
  e.n_slots = dense + (hash_bits > 1 ? 1 : 0);
  assert_int_equal(lt_online_create(rt, lt_online_learners(learner, classes < 0), HIDDEN, classes, &e, &m, NULL), LEAT_OK);
  return m;
}

/* The network again, one number after the other. */
typedef struct plain_net { float *w; double v[D], p[D][D], noise; } plain_net;

static float plain_act(int j, float a) {
  float v[4];
  if (j & 4) return a > 0 ? a : 0;
  x4_store(v, x4_tanh(x4_all(a)));
  return v[0];
}

static double plain_output(const plain_net *t, const uint32_t *slot, const float *z, int n, float u[HIDDEN]) {
  double even = t->v[0], odd = 0;
  for (int j = 0; j < HIDDEN; j++) {
    float a = 0;
    for (int i = 0; i < n; i++) a += t->w[slot[i] * STRIDE + (uint32_t)j] * z[i];
    u[j] = plain_act(j, a * (1 / sqrtf((float)n)));
    if (j % 2) odd += t->v[1 + j] * (double)u[j];
    else even += t->v[1 + j] * (double)u[j];
  }
  return even + odd;
}

static void plain_learn(plain_net *t, const uint32_t *slot, const float *z, int n, const float u[HIDDEN], double out, int numbers,
                        double y, double w, float rate) {
  double x[D] = {1}, px[D] = {0}, g, h, s = 1;
  float back[HIDDEN], mean = 0;
  if (numbers) {
    double miss = out - y, noise = t->noise > 1e-6 ? t->noise : 1e-6, part = fmin(8, fmax(-8, miss));
    g = w * fmin(4, fmax(-4, miss)) / noise;
    h = w / noise;
    t->noise += (part * part - t->noise) * 0.001;
  } else {
    double p = lt_online_sigmoid(out);
    g = w * (p - y);
    h = w * fmax(0.02, p * (1 - p));
  }
  for (int j = 0; j < HIDDEN; j++) {
    double v = (double)u[j], slope = j & 4 ? v > 0 : 1 - v * v;
    back[j] = (float)(g * t->v[1 + j] * slope * (1 / sqrt((double)n)));
    mean += back[j] * back[j];
    x[1 + j] = v;
  }
  for (int j = 0; j < D; j++)
    for (int i = 0; i < D; i++) px[i] += t->p[j][i] * x[j];
  for (int i = 0; i < D; i++) s += h * x[i] * px[i];
  for (int i = 0; i < D; i++) {
    t->v[i] -= px[i] * g / s;
    px[i] *= sqrt(h / s);
  }
  for (int i = 0; i < D; i++)
    for (int j = 0; j < D; j++) t->p[i][j] -= px[i] * px[j];
  for (int i = 0; i + 1 < D; i++)
    if (t->p[i][i] < 0.1) t->p[i][i] += 1e-4;
  mean /= HIDDEN;
  for (int i = 0; mean > 0 && i < n; i++) {
    float *c = t->w + slot[i] * STRIDE;
    c[HIDDEN] += mean * z[i] * z[i];
    float step = rate * z[i] / sqrtf(c[HIDDEN] + 1e-8f);
    for (int j = 0; j < HIDDEN; j++) c[j] -= step * back[j];
  }
}

static void plain_same(const lt_online *m, const plain_net *t) {
  assert_memory_equal(m->net[0], t->w, (size_t)lt_online_net_bytes(m));
  assert_memory_equal(m->head[0], t->v, sizeof t->v);
  assert_memory_equal(lt_online_net_cov(m, m->head[0]), t->p, sizeof t->p);
  assert_true(*lt_online_net_noise(m, m->head[0]) == t->noise);
}

/* Rows as they may come: slots twice, weights, large values; every bit as the plain loops have it. */
static void as_plain_loops(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  for (int kind = 0; kind < 4; kind++) {
    const int numbers = kind & 1;
    lt_online *m = net_of(rt, kind & 2 ? "net" : "mlp", numbers ? -1 : 2, 5, 5);
    const lt_online_rates rates = {0.5f, 0.1, 1, 0, 0.7f};
    plain_net t;
    uint32_t slot[MOST + 1];
    float raw[MOST + 1], z[MOST + 1], units[2 * HIDDEN], u[HIDDEN];
    lt_rng r;
    t.w = malloc((size_t)lt_online_net_bytes(m));
    memcpy(t.w, m->net[0], (size_t)lt_online_net_bytes(m));
    memcpy(t.v, m->head[0], sizeof t.v);
    memcpy(t.p, lt_online_net_cov(m, m->head[0]), sizeof t.p);
    t.noise = 1;
    lt_rng_init(&r, 11, (uint64_t)kind);
    lt_online_feed f = {m, 0, 0, MOST + 1, slot, raw, z, 0, NULL, NULL};
    for (int row = 0; row < ROWS; row++) {
      lt_online_dot d = {0};
      double expert[LT_LEARNERS] = {0}, w = row % 3 ? 1 : 2.5, y = numbers ? lt_rng_normal(&r) * 2 : lt_rng_unit(&r) < 0.4;
      f.n = 1 + (int64_t)lt_rng_below(&r, MOST);
      f.n_done = 1;
      f.counted = 0;
      slot[0] = 0;
      raw[0] = 1;
      for (int64_t i = 1; i < f.n; i++) {
        slot[i] = 1 + (uint32_t)lt_rng_below(&r, row % 2 ? 6 : (uint64_t)m->n_slots - 1);
        raw[i] = (float)lt_rng_normal(&r) * (row % 5 ? 1 : 30);
      }
      d.unit = units;
      lt_online_dot_clear(m, &d);
      lt_online_see(&f, &d);
      double mixed = lt_online_mix(m, 0, &d, expert), out = plain_output(&t, slot, z, (int)f.n, u);
      assert_true(out == lt_online_net_output(m, 0, &d));
      assert_true(expert[LT_NET] == out);
      if (kind & 2) assert_true(mixed == out);
      lt_online_step(m, 0, &f, &d, expert, mixed, y, w, &rates);
      lt_online_count(m, &f, (double[5]){NAN, NAN, NAN, NAN, NAN});
      plain_learn(&t, slot, z, (int)f.n, u, out, numbers, y, w, rates.net);
      plain_same(m, &t);
    }
    free(t.w);
    lt_online_free(m);
  }
  leat_runtime_free(rt);
}

static double loss_at(const lt_online *m, lt_online_feed *f, double y) {
  float units[2 * HIDDEN];
  lt_online_dot d = {0};
  d.unit = units;
  lt_online_dot_clear(m, &d);
  lt_online_net_sums(m, 0, f, &d);
  double v = lt_online_net_output(m, 0, &d), p = lt_online_sigmoid(v);
  return m->regression ? (v - y) * (v - y) / 2 : -log(y > 0.5 ? p : 1 - p);
}

/* A step goes down the gradient of the loss: a slot's is its move times the root of its squares, over the rate. */
static void down_the_gradient(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  for (int numbers = 0; numbers < 2; numbers++) {
    lt_online *m = net_of(rt, "net", numbers ? -1 : 2, 6, 1), *before = NULL;
    uint32_t slot[7];
    float z[7], units[2 * HIDDEN];
    lt_rng r;
    lt_rng_init(&r, 5, (uint64_t)numbers);
    lt_online_feed f = {m, 7, 7, 7, slot, z, z, 0, NULL, NULL};
    for (uint32_t i = 0; i < 7; i++) {
      slot[i] = i;
      z[i] = i ? (float)lt_rng_normal(&r) : 1;
    }
    for (int j = 0; j <= HIDDEN; j++) m->head[0][j] = j ? lt_rng_normal(&r) : -0.5;
    double y = numbers ? 0.3 : 1, checked = 0;
    assert_int_equal(lt_online_copy(m, &before, NULL), LEAT_OK);
    lt_online_dot d = {0};
    d.unit = units;
    lt_online_dot_clear(m, &d);
    lt_online_net_sums(m, 0, &f, &d);
    lt_online_net_step(m, 0, &f, &d, lt_online_net_output(m, 0, &d), y, 1, 1);
    for (int64_t i = 0; i < 7; i++) {
      float *old = lt_online_net_at(before, 0, i);
      const float *now = lt_online_net_at(m, 0, i);
      double root = sqrt((double)now[HIDDEN] + 1e-8);
      for (int j = 0; j < HIDDEN; j++) {
        float at = old[j];
        old[j] = at + 0.01f;
        double up = loss_at(before, &f, y);
        old[j] = at - 0.01f;
        double down = loss_at(before, &f, y), moved = (double)(at - now[j]) * root;
        old[j] = at;
        double want = (up - down) / 0.02;
        if (fabs(moved - want) > 2e-3 * (1 + fabs(want)) && fabs(moved - want) > 0.05 * fabs(want)) fail_msg("%d: slot %d unit %d: %g, not %g", numbers, (int)i, j, moved, want);
        checked += fabs(want) > 1e-2;
      }
    }
    if (!(checked > 20)) fail_msg("%g", checked);
    lt_online_free(m);
    lt_online_free(before);
  }
  leat_runtime_free(rt);
}

/* Products of two numbers: no linear learner can see them. */
static leat_dataset *products(leat_runtime *rt, int64_t n, int numbers) {
  leat_schema *s = tr_schema(rt, 3, numbers ? 0 : 2, 0);
  double *x = malloc((size_t)(3 * n) * sizeof *x), *y = malloc((size_t)n * sizeof *y);
  lt_rng r;
  leat_dataset *d = NULL;
  leat_error e = tr_error();
  lt_rng_init(&r, 3, 3);
  for (int64_t i = 0; i < n; i++) {
    for (int k = 0; k < 3; k++) x[3 * i + k] = lt_rng_normal(&r);
    y[i] = x[3 * i] * x[3 * i + 1];
    if (!numbers) y[i] = y[i] > 0;
  }
  leat_matrix m = tr_matrix(x, n, 3, LEAT_F64), labels = tr_matrix(y, n, 1, LEAT_F64);
  TR_OK(lt_dataset_from_dense(rt, s, &m, &labels, NULL, &d, &e), &e);
  lt_schema_free(s);
  free(x);
  free(y);
  return d;
}

static void beyond_lines(void **state) {
  (void)state;
  static const char *const learner[] = {"learner=race", "learner=mlp", "learner=net", "learner=mlp hidden=8"};
  leat_runtime *rt = tr_runtime(1);
  for (int numbers = 0; numbers < 2; numbers++) {
    leat_dataset *d = products(rt, 20000, numbers);
    for (int k = 0; k < 4; k++) {
      leat_trainer *t = on_trainer(rt, learner[k], NULL);
      on_run(t, d, 0, 20000, 1000, 1, NULL, 1);
      double good = on_metric(t, 2, numbers ? "r2" : "accuracy");
      if (k == 0) assert_true(good < (numbers ? 0.1 : 0.6));
      else if (!(good > 0.9)) fail_msg("%s on %s: %g", learner[k], numbers ? "numbers" : "classes", good);
      leat_trainer_free(t);
    }
    lt_dataset_free(d);
  }
  leat_runtime_free(rt);
}

/* "online/mlp" is "online/linear" with another default; what is kept is the latter. */
static void two_names(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_params *p = NULL;
  leat_trainer *a = NULL, *b = on_trainer(rt, "learner=mlp hidden=8 net_rate=0.5", NULL), *c = NULL;
  char text[32];
  uint64_t needed = 0;
  TR_OK(leat_params_create(rt, "online/mlp", &p, &e), &e);
  TR_OK(leat_params_set_i64(p, "hidden", 8, &e), &e);
  TR_OK(leat_params_set_f64(p, "net_rate", 0.5, &e), &e);
  TR_OK(leat_trainer_create(rt, p, NULL, NULL, &a, &e), &e);
  leat_dataset *d = products(rt, 300, 0);
  on_run(a, d, 0, 300, 300, 1, NULL, 1);
  on_run(b, d, 0, 300, 300, 1, NULL, 1);
  on_same_state(rt, a, b);
  leat_model *m = on_snapshot(a);
  TR_OK(leat_model_get_text(m, "family", text, sizeof text, &needed, &e), &e);
  assert_string_equal(text, "online");
  TR_OK(leat_model_get_text(m, "param:learner", text, sizeof text, &needed, &e), &e);
  assert_string_equal(text, "mlp");
  int64_t v = 0;
  TR_OK(leat_model_get_i64(m, "format_version", &v, &e), &e);
  assert_int_equal(v, 2);
  TR_OK(leat_trainer_from_model(m, p, NULL, &c, &e), &e);
  leat_trainer_free(c);
  TR_OK(leat_params_set_i64(p, "hidden", 12, &e), &e);
  assert_int_equal(leat_trainer_from_model(m, p, NULL, &c, &e), LEAT_E_ARG);
  assert_non_null(strstr(e.message, "hidden"));
  leat_trainer_free(a);
  TR_OK(leat_params_set_i64(p, "hidden", 10, &e), &e);
  TR_OK(leat_trainer_create(rt, p, NULL, NULL, &a, &e), &e);
  leat_batch *rows = on_rows(d, 0, 10);
  assert_int_equal(leat_trainer_learn(a, rows, &e), LEAT_E_ARG);
  assert_string_equal(e.message, "hidden=10 is not a multiple of 4");
  lt_batch_free(rows);
  leat_model_free(m);
  leat_trainer_free(a);
  leat_trainer_free(b);
  leat_params_free(p);
  lt_dataset_free(d);
  leat_runtime_free(rt);
}

/* Copies of slots, differences in bytes, a model's own bytes: the same model; damaged bytes: none that is impossible. */
static void bytes_of(leat_runtime *rt, const lt_online *m, lt_put *w) {
  lt_put_init(w, rt);
  lt_online_save(m, w);
}
static void same_model(leat_runtime *rt, const lt_online *a, const lt_online *b) {
  lt_put x, y;
  bytes_of(rt, a, &x);
  bytes_of(rt, b, &y);
  assert_int_equal(x.size, y.size);
  assert_memory_equal(x.data, y.data, x.size);
  lt_put_free(&x);
  lt_put_free(&y);
}

static void copies_and_bytes(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = on_sparse(rt, 900, 3000, 9, 4);
  leat_params *p = on_params(rt, "learner=mlp hidden=8 hash_bits=12");
  lt_online_trainer *o = NULL;
  leat_error e = tr_error();
  lt_online *base = NULL, *copy = NULL, *loaded = NULL;
  TR_OK(lt_online_open(rt, p, NULL, &o, &e), &e);
  leat_batch *b = on_rows(d, 0, 600), *more = on_rows(d, 600, 300);
  TR_OK(lt_online_rows(o, b, 1, NULL, &e), &e);
  TR_OK(lt_online_copy(o->m, &base, &e), &e);
  TR_OK(lt_online_copy(o->m, &copy, &e), &e);
  TR_OK(lt_online_rows(o, more, 1, NULL, &e), &e);
  lt_put w;
  lt_get g;
  lt_put_init(&w, rt);
  lt_online_save_beside(o->m, base, &w);
  lt_get_init(&g, rt, w.data, w.size);
  lt_online_load_beside(copy, &g);
  assert_false(g.failed);
  assert_int_equal(lt_get_left(&g), 0);
  same_model(rt, copy, o->m);
  lt_put_free(&w);
  uint32_t *all = malloc((size_t)o->m->n_slots * sizeof *all);
  for (int64_t i = 0; i < o->m->n_slots; i++) all[i] = (uint32_t)i;
  lt_online_copy_rest(base, o->m);
  assert_true(lt_online_copy_slots(base, o->m, all, o->m->n_slots));
  same_model(rt, base, o->m);
  lt_online_net_at(copy, 0, 7)[1] = NAN;
  assert_false(lt_online_copy_slots(base, copy, all, 20));
  assert_false(lt_online_finite(copy, NULL, 0));
  lt_online_clear(copy);
  lt_online_free(base);
  TR_OK(lt_online_fresh(o->m, &base, &e), &e);
  same_model(rt, base, copy);
  assert_memory_equal(base->net[0], copy->net[0], (size_t)lt_online_net_bytes(base));
  bytes_of(rt, o->m, &w);
  lt_get_init(&g, rt, w.data, w.size);
  TR_OK(lt_online_load(rt, &g, &loaded, &e), &e);
  same_model(rt, loaded, o->m);
  lt_online_free(loaded);
  lt_rng r;
  lt_rng_init(&r, 8, 8);
  int64_t good = 0;
  for (int i = 0; i < 4000; i++) {
    uint64_t at = lt_rng_below(&r, i % 2 ? 64 : w.size);
    uint8_t old = w.data[at];
    w.data[at] = (uint8_t)lt_rng_below(&r, 256);
    lt_get_init(&g, rt, w.data, i % 8 == 5 ? lt_rng_below(&r, w.size) : w.size);
    if (lt_online_load(rt, &g, &loaded, &e) == LEAT_OK) {
      good++;
      assert_true(lt_online_finite(loaded, NULL, 0) && loaded->n_hidden % 4 == 0 && loaded->n_hidden <= LT_ONLINE_NET_HIDDEN);
    }
    lt_online_free(loaded);
    w.data[at] = old;
  }
  assert_true(good > 100 && good < 3900);
  lt_put_free(&w);
  free(all);
  lt_online_free(base);
  lt_online_free(copy);
  lt_online_close(o);
  lt_batch_free(b);
  lt_batch_free(more);
  leat_params_free(p);
  lt_dataset_free(d);
  leat_runtime_free(rt);
}

/* A covariance that rounding or damage has spoiled begins anew; hastening makes the next steps longer. */
static void mends_itself(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = products(rt, 4000, 0);
  leat_params *p = on_params(rt, "learner=net");
  lt_online_trainer *o = NULL;
  leat_error e = tr_error();
  TR_OK(lt_online_open(rt, p, NULL, &o, &e), &e);
  leat_batch *b = on_rows(d, 0, 3000), *more = on_rows(d, 3000, 1000);
  TR_OK(lt_online_rows(o, b, 1, NULL, &e), &e);
  double *cov = lt_online_net_cov(o->m, o->m->head[0]);
  float squares = lt_online_net_at(o->m, 0, 1)[o->m->n_hidden];
  assert_true(squares > 0);
  cov[0] = LT_ONLINE_NET_PRIOR / 5;
  lt_online_hasten(o->m, 0.25f, 1);
  assert_true(cov[0] == LT_ONLINE_NET_PRIOR / 2 && lt_online_net_at(o->m, 0, 1)[o->m->n_hidden] == squares * 0.25f);
  cov[0] = -1e6;
  cov[35] = NAN;
  TR_OK(lt_online_rows(o, more, 1, NULL, &e), &e);
  assert_true(lt_online_finite(o->m, NULL, 0) && cov[0] > 0);
  lt_online_close(o);
  lt_batch_free(b);
  lt_batch_free(more);
  leat_params_free(p);
  lt_dataset_free(d);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tanh_is_near), cmocka_unit_test(as_plain_loops),   cmocka_unit_test(down_the_gradient),
      cmocka_unit_test(beyond_lines), cmocka_unit_test(two_names),        cmocka_unit_test(copies_and_bytes),
      cmocka_unit_test(mends_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
