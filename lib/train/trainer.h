/* The trainer, offline and online (learn, test_then_train, predict). */
#ifndef LEAT_TRAIN_TRAINER_H
#define LEAT_TRAIN_TRAINER_H
#include "device/device.h"
#include "model/model.h"
leat_status lt_trainer_create(leat_runtime *rt, const leat_params *p, const leat_schema *s, const leat_device *dev,
                              leat_trainer **out, leat_error *err);
leat_status lt_trainer_from_model(const leat_model *m, const leat_params *p, const leat_device *dev, leat_trainer **out,
                                  leat_error *err);
void lt_trainer_free(leat_trainer *t);
leat_status lt_trainer_set_data(leat_trainer *t, const leat_dataset *train, const leat_dataset *valid, leat_error *err);
leat_status lt_trainer_fit(leat_trainer *t, leat_error *err);
leat_status lt_trainer_step(leat_trainer *t, int64_t max_rows, leat_progress *out, leat_error *err);
leat_status lt_trainer_learn(leat_trainer *t, const leat_batch *rows, leat_error *err);
leat_status lt_trainer_test_then_train(leat_trainer *t, const leat_batch *rows, int64_t chunk_rows, leat_matrix *pred,
                                       leat_error *err);
leat_status lt_trainer_predict(leat_trainer *t, const leat_batch *rows, leat_matrix *pred, leat_error *err);
leat_status lt_trainer_progress(const leat_trainer *t, leat_progress *out, leat_error *err);
leat_status lt_trainer_cancel(leat_trainer *t);
leat_status lt_trainer_metrics(leat_trainer *t, int64_t set, leat_metrics **out, leat_error *err);
leat_status lt_trainer_snapshot(leat_trainer *t, leat_model **out, leat_error *err);
leat_status lt_trainer_save(leat_trainer *t, const char *path, leat_error *err);
leat_status lt_trainer_load(leat_runtime *rt, const char *path, const leat_device *dev, leat_trainer **out,
                            leat_error *err);

/* The api floor enters it around every owner call. */
lt_owner *lt_trainer_owner(leat_trainer *t);
#endif
