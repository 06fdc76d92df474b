/* Chapter 21 of leat.h: endpoints. A loan is on the path of every request: its checks are a handful of compares. */
#include "api/api.h"
#include "lifecycle/endpoint.h"
#include <string.h>

LEAT_API leat_status leat_endpoint_open(leat_store *s, const leat_params *p, leat_endpoint **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(s, "s", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_endpoint_open(s, p, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_endpoint_free(leat_endpoint *e) { lt_endpoint_free(e); }

LEAT_API leat_status leat_endpoint_refresh(leat_endpoint *e, int64_t *swapped, leat_error *err) {
  lt_fpenv env;
  int64_t did = 0;
  if (swapped) *swapped = 0;
  leat_status st = lt_need(e, "e", err);
  if (st) return st;
  lt_fpenv_enter(&env);
  st = lt_endpoint_refresh(e, &did, err);
  lt_fpenv_leave(&env);
  if (swapped) *swapped = did;
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_endpoint_acquire(leat_endpoint *e, leat_lease *out, leat_error *err) {
  leat_lease full;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  uint64_t given = out->struct_size;
  if ((st = lt_need(e, "e", err)) != 0) return st;
  if (given != sizeof full) /* it must come back whole */
    return lt_fail(err, given < sizeof full ? LEAT_E_ARG : LEAT_E_VERSION,
                   "leat_lease.struct_size is %llu: set it to sizeof(leat_lease), %llu", (unsigned long long)given,
                   (unsigned long long)sizeof full);
  st = lt_endpoint_acquire(e, &full, err);
  *out = full;
  out->struct_size = given;
  return st ? st : lt_ok(err);
}

LEAT_API void leat_endpoint_release(leat_endpoint *e, leat_lease *lease) {
  if (!e || !lease) return;
  uint64_t given = lease->struct_size;
  lt_endpoint_release(e, lease);
  memset(lease, 0, sizeof *lease);
  lease->struct_size = given;
}

LEAT_API leat_status leat_endpoint_get_state(leat_endpoint *e, leat_endpoint_state *out, leat_error *err) {
  leat_endpoint_state full;
  leat_status st = lt_need(e, "e", err);
  if (!st) st = lt_need(out, "out", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_endpoint_state", err);
  if (st) return st;
  lt_endpoint_get_state(e, &full);
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_endpoint_try(leat_endpoint *e, int64_t version, const leat_params *p, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(e, "e", err);
  if (st) return st;
  lt_fpenv_enter(&env);
  st = lt_endpoint_try(e, version, p, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_endpoint_act(leat_endpoint *e, int64_t action, leat_error *err) {
  leat_status st = lt_need(e, "e", err);
  if (!st) st = lt_endpoint_act(e, action, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_endpoint_get_trial(leat_endpoint *e, leat_trial_state *out, leat_error *err) {
  leat_trial_state full;
  leat_status st = lt_need(e, "e", err);
  if (!st) st = lt_need(out, "out", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_trial_state", err);
  if (st) return st;
  lt_endpoint_get_trial(e, &full);
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}

static leat_status lease_size(const leat_lease *l, leat_error *err) { /* it must come back whole */
  if (l->struct_size == sizeof *l) return LEAT_OK;
  return lt_fail(err, l->struct_size < sizeof *l ? LEAT_E_ARG : LEAT_E_VERSION,
                 "leat_lease.struct_size is %llu: set it to sizeof(leat_lease), %llu", (unsigned long long)l->struct_size,
                 (unsigned long long)sizeof *l);
}

LEAT_API leat_status leat_endpoint_acquire_key(leat_endpoint *e, const void *key, uint64_t key_size, leat_lease *served,
                                               leat_lease *beside, leat_error *err) {
  leat_status st = lt_need(served, "served", err);
  if (!st) st = lt_need(beside, "beside", err);
  if (!st) st = lt_need(e, "e", err);
  if (!st && key_size) st = lt_need(key, "key", err);
  if (!st) st = lease_size(served, err);
  if (!st) st = lease_size(beside, err);
  if (st) return st;
  st = lt_endpoint_acquire_key(e, key, key_size, served, beside, err);
  served->struct_size = beside->struct_size = sizeof *served;
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_endpoint_note(leat_endpoint *e, const leat_noted *note, leat_error *err) {
  leat_status st = lt_need(e, "e", err);
  if (!st) st = lt_need(note, "note", err);
  if (!st && note->struct_size != sizeof *note)
    st = lt_fail(err, note->struct_size < sizeof *note ? LEAT_E_ARG : LEAT_E_VERSION,
                 "leat_noted.struct_size is %llu: set it to sizeof(leat_noted), %llu",
                 (unsigned long long)note->struct_size, (unsigned long long)sizeof *note);
  if (!st && note->key_size) st = lt_need(note->key, "note->key", err);
  if (!st) st = lt_need(note->served, "note->served", err);
  if (!st && !note->served->predictor)
    st = lt_fail(err, LEAT_E_ARG, "note->served is no loan: give loans back behind the note");
  if (st) return st;
  lt_endpoint_note(e, note);
  return lt_ok(err);
}

LEAT_API leat_status leat_endpoint_label(leat_endpoint *e, const void *key, uint64_t key_size, const char *label,
                                         uint64_t size, int64_t *matched, leat_error *err) {
  int64_t found = 0;
  if (matched) *matched = 0;
  leat_status st = lt_need(e, "e", err);
  if (!st && key_size) st = lt_need(key, "key", err);
  if (!st) st = lt_need(label, "label", err);
  if (!st) st = lt_endpoint_label(e, key, key_size, label, size, &found, err);
  if (matched) *matched = found;
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_endpoint_get_scores(leat_endpoint *e, leat_score_state *out, leat_error *err) {
  leat_score_state full;
  leat_status st = lt_need(e, "e", err);
  if (!st) st = lt_need(out, "out", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_score_state", err);
  if (st) return st;
  lt_endpoint_get_scores(e, &full);
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}
