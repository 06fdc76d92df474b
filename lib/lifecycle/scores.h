/* What was predicted under a key, and how it was: notes come from any thread, without a lock and without allocating, into a ring
 * (full: the note is dropped, and counted); whoever owns the scores takes them from there, keeps them until their labels come and
 * scores them. Keys are kept as 128 bits of hash. */
#ifndef LEAT_LIFECYCLE_SCORES_H
#define LEAT_LIFECYCLE_SCORES_H
#include "lifecycle/trial.h"
#include "model/model.h"
typedef struct lt_scores lt_scores;
typedef struct lt_note {
  uint64_t key[2];
  int64_t version[2];      /* who answered, and who predicted beside it (0: nobody) */
  const double *p[2];
  int64_t n[2];
  int64_t time_ns;
  int32_t candidate;       /* which of the two is the candidate: 0, 1; -1 none */
} lt_note;
/* waiting: predictions that are kept at most; delay_ns: for how long; slots: room of the ring, a power of two. */
leat_status lt_scores_create(leat_runtime *rt, int64_t waiting, int64_t delay_ns, int64_t slots, lt_scores **out, leat_error *err);
void lt_scores_free(lt_scores *s);
int lt_scores_note(lt_scores *s, const lt_note *n); /* any thread; 0: dropped */
/* All below: one thread at a time. */
/* Notes of up to `numbers` numbers have room, and labels of m's version can be read. */
leat_status lt_scores_know(lt_scores *s, const leat_model *m, int64_t version, int64_t numbers, leat_error *err);
leat_status lt_scores_drain(lt_scores *s, leat_error *err);
/* label: the class's name, or the number as text. t (may be NULL): the running trial of version candidate against production; a pair
 * of these two is told to it. *matched 1: a prediction waited for it. DATA: no number where numbers are predicted. */
leat_status lt_scores_label(lt_scores *s, const uint64_t key[2], const char *label, uint64_t size, lt_trial *t,
                            const int64_t pair[2], int64_t *matched, leat_error *err);
void lt_scores_get_state(const lt_scores *s, leat_score_state *out);
/* The bucket of a label's delay, of LEAT_DELAY_BUCKETS. */
int lt_delay_bucket(int64_t delay_ns);
#endif
