#define _DEFAULT_SOURCE /* mkdtemp */
/* A race over the default's five optimisers is no worse than its best member and .002, on real streams (LEAT_DATA_DIR): both the
 * mixture in one model, and the learners that race side by side with the mixture as the first champion. */
#include "learner_help.h"

typedef struct rd_set { const char *file, *spec, *settings; } rd_set;
static const rd_set sets[] = {
    {"elec2.csv.zst", "reader/csv", "target=class"},
    {"sea_50k.csv.zst", "reader/csv", "target=class"},
    {"phishing_11k.csv.zst", "reader/csv", "target=target"},
    {"airlines_allyears2k.csv.zst", "reader/csv",
     "target=IsArrDelayed ignore=DepTime,ArrTime,FlightNum,TailNum,ActualElapsedTime,CRSElapsedTime,AirTime,ArrDelay,DepDelay,"
     "TaxiIn,TaxiOut,Cancelled,CancellationCode,Diverted,CarrierDelay,WeatherDelay,NASDelay,SecurityDelay,LateAircraftDelay,"
     "IsDepDelayed categorical=Month,DayofMonth,DayOfWeek"},
    {"spam_assassin_stream.libsvm.zst", "reader/svmlight", ""},
};

static leat_dataset *rd_open(leat_runtime *rt, const char *folder, const rd_set *s) {
  leat_params *p = NULL;
  leat_dataset *d = NULL;
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, s->file);
  LR_OK(leat_params_create(rt, s->spec, &p, &lr_e));
  for (const char *text = s->settings; *text;) {
    char name[64] = {0}, value[512] = {0};
    size_t n = strcspn(text, "=");
    memcpy(name, text, n);
    text += n + 1;
    n = strcspn(text, " ");
    memcpy(value, text, n);
    text += n + (text[n] == ' ');
    LR_OK(leat_params_set_text(p, name, value, &lr_e));
  }
  LR_OK(leat_dataset_open(rt, NULL, path, p, &d, &lr_e));
  leat_params_free(p);
  return d;
}

static double alone(leat_runtime *rt, const leat_dataset *d, const char *learner) {
  char settings[32];
  snprintf(settings, sizeof settings, "learner=%s", learner);
  leat_trainer *t = on_trainer(rt, settings, NULL);
  on_run(t, d, 0, lt_dataset_rows(d), 5000, 1, NULL, 1);
  double loss = on_metric(t, 0, "loss");
  leat_trainer_free(t);
  return loss;
}

/* Each member learns what the champion learns: no guard, no gate. */
static double raced(leat_runtime *rt, const leat_dataset *d, const char *model, const char *race) {
  char path[256], settings[400];
  lr_life x;
  double loss = 0;
  lr_folder(path);
  snprintf(settings, sizeof settings, "guard=false gate=false monitor=false race=%s", race);
  lr_create(&x, rt, path, model, settings, lt_dataset_schema(d), NULL);
  for (int64_t at = 0; at < lt_dataset_rows(d); at += 1000) {
    int64_t n = lt_dataset_rows(d) - at < 1000 ? lt_dataset_rows(d) - at : 1000;
    leat_batch *b = on_rows(d, at, n);
    LR_OK(leat_batch_set_source(b, "stream", at, &lr_e));
    LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
    lt_batch_free(b);
  }
  leat_metrics *k = NULL;
  LR_OK(leat_learner_metrics(x.l, 0, &k, &lr_e));
  LR_OK(leat_metrics_value(k, "loss", &loss, &lr_e));
  leat_metrics_free(k);
  lr_close(&x);
  lr_remove(path);
  return loss;
}

static void against_members(void **state) {
  static const char *const member[] = {"adagrad", "coin", "ons", "alma", "gauss"};
  const char *folder = getenv("LEAT_DATA_DIR");
  (void)state;
  if (!folder) skip();
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    leat_runtime *rt = tr_runtime(2);
    leat_dataset *d = rd_open(rt, folder, &sets[i]);
    double best = 1e9;
    for (int k = 0; k < 5; k++) best = fmin(best, alone(rt, d, member[k]));
    double mixture = alone(rt, d, "race");
    double race = raced(rt, d, NULL, "learner=adagrad;learner=coin;learner=ons;learner=alma;learner=gauss");
    print_message("%s: best member %.4f, mixture %.4f, race with champions %.4f\n", sets[i].file, best, mixture, race);
    assert_true(mixture <= best + 0.002);
    assert_true(race <= best + 0.002 && race <= mixture + 0.002);
    leat_dataset_free(d);
    leat_runtime_free(rt);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(against_members)};
  return cmocka_run_group_tests_name("lifecycle/race_data", tests, NULL, NULL);
}
