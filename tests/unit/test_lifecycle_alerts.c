#define _DEFAULT_SOURCE /* mkdtemp */
/* Alerts by the clock, which is the test's: labels that stop coming, a learner that learns nothing, a host's own. Raised above the
 * limit, over below half of it, once each, also over a restart. */
#include "learner_help.h"

static int64_t now = 1700000000000000000;
static int64_t tell(void *user) {
  (void)user;
  return now;
}
static void wait(double seconds) { now += (int64_t)(seconds * 1e9); }

static const lr_stream stream = {2, 0, 0, 5};
static leat_batch *records(lr_life *x, leat_schema *s, int64_t from, int64_t n, int what) { /* 0 to predict, 1 labels, 2 both */
  leat_batch *b = NULL;
  LR_OK(leat_batch_create(x->rt, s, &b, &lr_e));
  for (int64_t i = from; i < from + n; i++) {
    char text[3][32], id[32], plan[2], y[32];
    double v[3];
    lr_record(&stream, i, v, plan, y);
    snprintf(id, sizeof id, "k%lld", (long long)i);
    for (int k = 0; k < 3; k++) snprintf(text[k], 32, "%.17g", v[k]);
    const char *field[] = {id, text[0], text[1], text[2], plan, what ? y : ""};
    const char *label[] = {id, y};
    LR_OK(leat_batch_add_text(b, what == 1 ? label : field, what == 1 ? 2 : 6, &lr_e));
  }
  LR_OK(leat_batch_set_source(b, what == 1 ? "labels" : what ? "whole" : "asked", from, &lr_e));
  return b;
}
static void predict(lr_life *x, leat_schema *s, int64_t from, int64_t n) {
  leat_batch *b = records(x, s, from, n, 0);
  double room[200];
  leat_matrix out = {.struct_size = sizeof out, .data = room, .rows = n, .cols = 1, .dtype = LEAT_F64};
  LR_OK(leat_learner_predict(x->l, b, &out, &lr_e));
  leat_batch_free(b);
}
static void label(lr_life *x, leat_schema *labels, int64_t from, int64_t n) {
  leat_batch *b = records(x, labels, from, n, 1);
  LR_OK(leat_learner_label(x->l, b, &lr_e));
  leat_batch_free(b);
}
/* How many events of a kind and name there are; the last one. */
static int64_t told(lr_life *x, int64_t kind, const char *name, leat_event *last) {
  leat_event e = {.struct_size = sizeof e};
  int64_t n = 0, cursor = 0;
  while (leat_store_history(x->s, &cursor, &e, NULL) == LEAT_OK) {
    if (e.kind != kind || strcmp(e.name, name) != 0) continue;
    n++;
    *last = e;
  }
  return n;
}

static void silence(void **state) {
  leat_clock c = {.struct_size = sizeof c, .now_ns = tell, .monotonic_ns = tell};
  leat_runtime_opts o = {.struct_size = sizeof o, .clock = &c};
  leat_runtime *rt = NULL;
  char path[256];
  lr_life x;
  leat_event e;
  (void)state;
  LR_OK(leat_runtime_create(&o, &rt, &lr_e));
  lr_folder(path);
  leat_schema *s = lr_schema(rt, &stream, 1), *labels = lr_schema(rt, &stream, 2);
  lr_create(&x, rt, path, "hash_bits=8", "guard=false alert_silence=600 alert_age=7200", s, NULL);
  leat_batch *b = records(&x, s, 0, 100, 2);
  LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
  leat_batch_free(b);
  wait(2); /* it looks once a second */
  predict(&x, s, 100, 50);
  wait(500);
  predict(&x, s, 150, 1);
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(labels)", &e), 0);
  wait(200); /* 700 s without a label */
  predict(&x, s, 151, 1);
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(labels)", &e), 1);
  assert_true(e.value >= 699 && e.value <= 701 && e.threshold == 600 && e.time_ns == now && e.row == 100);
  wait(200);
  predict(&x, s, 152, 1); /* not told again */
  LR_OK(leat_learner_commit(x.l, &lr_e));
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(labels)", &e), 1);
  lr_kill(&x);
  lr_open(&x, rt, path);
  wait(2);
  predict(&x, s, 153, 1); /* nor by who comes after a crash, for whom the silence begins anew, and so is over */
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(labels)", &e), 1);
  assert_int_equal(told(&x, LEAT_EVENT_ALERT_OVER, "(labels)", &e), 1);
  wait(601);
  predict(&x, s, 154, 1);
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(labels)", &e), 2);
  label(&x, labels, 100, 10);
  wait(2);
  LR_OK(leat_learner_commit(x.l, &lr_e));
  assert_int_equal(told(&x, LEAT_EVENT_ALERT_OVER, "(labels)", &e), 2);
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(age)", &e), 0);
  wait(7300); /* nothing is learned for two hours */
  LR_OK(leat_learner_commit(x.l, &lr_e));
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "(age)", &e), 1);
  assert_true(e.value > 7200 && e.threshold == 7200);
  label(&x, labels, 110, 10);
  wait(2);
  LR_OK(leat_learner_commit(x.l, &lr_e));
  assert_int_equal(told(&x, LEAT_EVENT_ALERT_OVER, "(age)", &e), 1);
  /* a host's own */
  LR_OK(leat_store_alert(x.s, "disk", 1, 97, 95, "per cent of the disk", &lr_e));
  LR_OK(leat_store_alert(x.s, "disk", 1, 98, 95, NULL, &lr_e));
  assert_int_equal(told(&x, LEAT_EVENT_ALERT, "disk", &e), 1);
  assert_string_equal(e.text, "per cent of the disk");
  LR_OK(leat_store_alert(x.s, "disk", 0, 50, 95, NULL, &lr_e));
  assert_int_equal(told(&x, LEAT_EVENT_ALERT_OVER, "disk", &e), 1);
  assert_int_equal(leat_store_alert(x.s, "", 1, 0, 0, NULL, NULL), LEAT_E_ARG);
  lr_close(&x);
  leat_schema_free(s);
  leat_schema_free(labels);
  lr_remove(path);
  leat_runtime_free(rt);
}

/* Windows of a minute: they end by the records' times in the journal, so a replay ends them where they ended. */
static void minutes(void **state) {
  leat_clock c = {.struct_size = sizeof c, .now_ns = tell, .monotonic_ns = tell};
  leat_runtime_opts o = {.struct_size = sizeof o, .clock = &c};
  leat_runtime *rt = NULL;
  lr_end end[2];
  int64_t points[2];
  (void)state;
  LR_OK(leat_runtime_create(&o, &rt, &lr_e));
  for (int killed = 0; killed < 2; killed++) {
    char path[256];
    lr_life x;
    now = 1700000000000000000;
    lr_folder(path);
    leat_schema *s = lr_schema(rt, &stream, 0);
    lr_create(&x, rt, path, "hash_bits=8", "guard=false monitor_reference=1000 monitor_window=100000 monitor_seconds=60", s, NULL);
    for (int i = 0; i < 8; i++) {
      lr_feed(&x, &stream, s, 1000 + 600 * i, 100);
      wait(61);
      if (!killed || i != 4) continue;
      lr_kill(&x);
      lr_open(&x, rt, path);
    }
    leat_drift_point p = {.struct_size = sizeof p};
    int64_t last = 0;
    points[killed] = 0;
    for (int64_t cursor = 0; leat_store_drift(x.s, &cursor, &p, NULL) == LEAT_OK;) {
      points[killed] += p.row != last;
      if (p.row != last) assert_true(p.drift.rows == 600);
      last = p.row;
    }
    lr_finish(&x, &end[killed]);
    lr_close(&x);
    leat_schema_free(s);
    lr_remove(path);
  }
  assert_int_equal(points[0], 6); /* of seven, one has not ended yet */
  assert_int_equal(points[1], 6);
  lr_same(&end[0], &end[1]);
  lr_drop(&end[0]);
  lr_drop(&end[1]);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(silence), cmocka_unit_test(minutes)};
  return cmocka_run_group_tests_name("lifecycle/alerts", tests, NULL, NULL);
}
