/* What a package carries about the data that its model has seen: reference profiles and golden rows. */
#ifndef LEAT_MODEL_PROFILES_H
#define LEAT_MODEL_PROFILES_H
#include "data/dataset.h"
#include "stats/profile.h"
enum { LT_MAX_PROFILES = 4096 };
/* Profiles of the rows of d: one for each FEATURE number (blocks element by element, up to 4096 profiles in all),
 * category and sparse block, then the target's. Cells of numbers are quantiles of at most 20 000 rows, drawn one from
 * each of as many equal stretches; counts are over all rows. The same at any number of threads. Free with
 * lt_profiles_free. */
leat_status lt_profiles_fit(leat_runtime *rt, const leat_dataset *d, lt_profile ***out, int64_t *n, leat_error *err);
void lt_profiles_free(leat_runtime *rt, lt_profile **profiles, int64_t n);
/* The same of the rows at hand, all of which are counted: for a sample that somebody else has drawn. */
leat_status lt_profiles_of(leat_runtime *rt, const lt_rows *rows, lt_profile ***out, int64_t *n, leat_error *err);
/* Counts rows [from, from + count) in n profiles that lt_profiles_fit has made for the schema s. Columns are found by name, labels by text; a
 * column that the rows do not have, or have as another kind, is left out. */
leat_status lt_profiles_count(leat_runtime *rt, const leat_schema *s, lt_profile *const *profile, int64_t n,
                              const lt_rows *rows, int64_t from, int64_t count, leat_error *err);
/* Up to 16 rows of d, evenly spaced from first to last, as a batch of its schema (lt_batch_free). */
leat_status lt_golden_pick(leat_runtime *rt, const leat_dataset *d, leat_batch **out, leat_error *err);
#endif
