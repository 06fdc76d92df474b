/* Reference profiles (DESIGN 4, Monitoring): per feature number 10 equal-mass cells with frozen edges + missing,
 * non-finite, below, above; per category the top 100 + other + missing. Mergeable counts, < 5 KB each. */
#ifndef LEAT_STATS_PROFILE_H
#define LEAT_STATS_PROFILE_H
#include "base/bytes.h"
typedef struct lt_profile lt_profile;
enum { LT_PROFILE_NUMBER = 1, LT_PROFILE_CATEGORY = 2, LT_PROFILE_SPARSE = 3 };
enum { LT_PROFILE_LABELS = 100 }; /* that a category lists; the others are one cell */
/* A number's profile from a sample (any order, NaN and Inf allowed), which is counted too. Edges: at most ten distinct
 * values get a cell each; else cells of equal mass, where a value that holds more than its share has a cell of its own
 * and the rest is spread over the others. Cells are [low, high), the last one with its upper edge. */
leat_status lt_profile_number(leat_runtime *rt, const char *name, const double *sample, int64_t n, lt_profile **out,
                              leat_error *err);
/* A category's profile: top 100 labels by count (ties by label). counts[n_labels], missing. */
leat_status lt_profile_category(leat_runtime *rt, const char *name, const char *const *labels, const int64_t *counts,
                                int64_t n_labels, int64_t missing, lt_profile **out, leat_error *err);
/* A sparse block, in aggregate: cells over non-zeros a row and over the row's L2 norm. */
leat_status lt_profile_sparse(leat_runtime *rt, const char *name, const double *nnz, const double *norm, int64_t n,
                              lt_profile **out, leat_error *err);
void lt_profile_add(lt_profile *p, double v);                          /* NUMBER */
void lt_profile_add_many(lt_profile *p, const double *v, int64_t n);   /* the same counts as one by one, faster */
void lt_profile_add_label(lt_profile *p, const char *label, uint64_t n, int64_t times); /* CATEGORY; NULL: missing */
void lt_profile_add_sparse(lt_profile *p, double nnz, double norm);
void lt_profile_clear(lt_profile *p);                                  /* counts to 0, edges stay */
/* A profile of the same cells, with its counts or (counts 0) without; it shares what never changes (edges apart). */
leat_status lt_profile_clone(leat_runtime *rt, const lt_profile *p, int counts, lt_profile **out, leat_error *err);
leat_status lt_profile_merge(lt_profile *p, const lt_profile *other, leat_error *err);
int32_t lt_profile_type(const lt_profile *p);
const char *lt_profile_name(const lt_profile *p);
int64_t lt_profile_cells(const lt_profile *p);
leat_status lt_profile_cell(const lt_profile *p, int64_t index, const char **label, double *low, double *high,
                            int64_t *count, leat_error *err);
int64_t lt_profile_rows(const lt_profile *p);
void lt_profile_save(const lt_profile *p, lt_put *w);
leat_status lt_profile_load(leat_runtime *rt, lt_get *r, lt_profile **out, leat_error *err);
/* The counts alone, for one whose cells are known. */
void lt_profile_save_counts(const lt_profile *p, lt_put *w);
void lt_profile_load_counts(lt_profile *p, lt_get *r);
void lt_profile_free(lt_profile *p);
#endif
