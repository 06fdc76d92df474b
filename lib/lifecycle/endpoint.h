/* The endpoint: what a host that predicts asks for a predictor. It serves the version that a stage of a store shows and
 * follows the store, whoever changes it.
 *
 * Versions live in a few cells that are never freed before the endpoint. A loan counts itself into the cell that is
 * current and then looks whether it still is; who swaps empties only cells that are not current and not counted into.
 * So lending takes no lock, allocates nothing, and a swap waits for nobody. */
#ifndef LEAT_LIFECYCLE_ENDPOINT_H
#define LEAT_LIFECYCLE_ENDPOINT_H
#include "lifecycle/folder.h"
#include "lifecycle/trial.h"
#include "model/predictor.h"
extern const lt_spec lt_spec_endpoint;
/* What leat.h says of leat_endpoint_*. */
leat_status lt_endpoint_open(leat_store *s, const leat_params *p, leat_endpoint **out, leat_error *err);
void lt_endpoint_free(leat_endpoint *e);
leat_status lt_endpoint_refresh(leat_endpoint *e, int64_t *swapped, leat_error *err);
leat_status lt_endpoint_acquire(leat_endpoint *e, leat_lease *out, leat_error *err);
void lt_endpoint_release(leat_endpoint *e, const leat_lease *lease);
void lt_endpoint_get_state(leat_endpoint *e, leat_endpoint_state *out);
leat_status lt_endpoint_try(leat_endpoint *e, int64_t version, const leat_params *p, leat_error *err);
leat_status lt_endpoint_act(leat_endpoint *e, int64_t action, leat_error *err);
void lt_endpoint_get_trial(leat_endpoint *e, leat_trial_state *out);
leat_status lt_endpoint_acquire_key(leat_endpoint *e, const void *key, uint64_t key_size, leat_lease *served,
                                    leat_lease *beside, leat_error *err);
void lt_endpoint_note(leat_endpoint *e, const leat_noted *note);
leat_status lt_endpoint_label(leat_endpoint *e, const void *key, uint64_t key_size, const char *label, uint64_t size,
                              int64_t *matched, leat_error *err);
void lt_endpoint_get_scores(leat_endpoint *e, leat_score_state *out);
#endif
