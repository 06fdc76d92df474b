/* Several online models of one shape side by side: copies by slots, the shape, finiteness, bytes beside a base. */
#ifndef LEAT_MODEL_ONLINE_COPY_H
#define LEAT_MODEL_ONLINE_COPY_H
#include "model/online.h"
/* The same learners, classes and slots? Only then may the others here be called. */
int lt_online_alike(const lt_online *a, const lt_online *b);
void lt_online_assign(lt_online *dst, const lt_online *src);
/* All that a model has once; and the slots listed (1: all their numbers are finite). Enough when the two differ in no other
 * slot. */
void lt_online_copy_rest(lt_online *dst, const lt_online *src);
int lt_online_copy_slots(lt_online *dst, const lt_online *src, const uint32_t *slot, int64_t n);
/* A new model of m's shape that has learned nothing; a model back to that. */
leat_status lt_online_fresh(const lt_online *m, lt_online **out, leat_error *err);
void lt_online_clear(lt_online *m);
/* Are all numbers that a model has once, and those of the slots listed (NULL: of all), finite? */
int lt_online_finite(const lt_online *m, const uint32_t *slot, int64_t n);
/* The bytes of what a model has once; of one slot of all models, its place before them; of how many slots and these (touched:
 * all of them have been learned from). */
void lt_online_put_one(const lt_online *m, int64_t model, lt_put *w);
void lt_online_get_one(lt_online *m, int64_t model, lt_get *r);
uint64_t lt_online_slot_bytes(const lt_online *m);
void lt_online_put_slot(const lt_online *m, int64_t slot, lt_put *w);
void lt_online_get_slots(lt_online *m, int touched, lt_get *r);
/* m's numbers, and of its slots those that are not base's; load: into a copy of base. */
void lt_online_save_beside(const lt_online *m, const lt_online *base, lt_put *w);
void lt_online_load_beside(lt_online *m, lt_get *r);
#endif
