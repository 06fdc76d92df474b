/* Publishing prediction tables in a store, and following them. What leat.h says of leat_table_publish, leat_published_* and
 * leat_follower_*. A published table is a file tables/NAME-GENERATION.ltab that a record of the MANIFEST names. */
#ifndef LEAT_LIFECYCLE_TABLES_H
#define LEAT_LIFECYCLE_TABLES_H
#include "lifecycle/folder.h"
#include "serve/table.h"
extern const lt_spec lt_table_publish_spec; /* "table/publish" */
leat_status lt_tables_publish(leat_store *s, const char *name, const char *path, const leat_params *p,
                              leat_publish_report *report, leat_error *err);
leat_status lt_tables_rollback(leat_store *s, const char *name, int64_t *generation, leat_error *err);
leat_status lt_tables_count(leat_store *s, int64_t *count, leat_error *err);
leat_status lt_tables_at(leat_store *s, int64_t index, leat_published_info *info, leat_error *err);

leat_status lt_follower_create(leat_store *s, const char *name, const leat_params *p, leat_follower **out, leat_error *err);
void lt_follower_free(leat_follower *f);
leat_status lt_follower_poll(leat_follower *f, int64_t *generation, leat_error *err);
void lt_follower_table(leat_follower *f, leat_table **out, int64_t *generation);
leat_status lt_follower_get(leat_follower *f, const void *key, uint64_t size, float *value, uint64_t cap, int64_t *found,
                            leat_error *err);

/* ---- shared by folder_tables.c, publish.c and follower.c */
struct lt_table_entry;
leat_status lt_tables_check_name(const char *name, leat_error *err);
leat_status lt_tables_none(const leat_store *s, const char *name, leat_error *err); /* NOT_FOUND; inside enter */
/* The current generation (steps 0), or the one before (1). NOT_FOUND. */
leat_status lt_tables_current(leat_store *s, const char *name, int64_t steps, struct lt_table_entry *out, leat_error *err);
/* Its file, and that it is the one that was published. NOT_FOUND: removed, or missing. */
leat_status lt_tables_open(leat_store *s, const char *name, const struct lt_table_entry *e, const leat_params *p, leat_table **out,
                           leat_error *err);
/* lt_table_open; read where p says map and the host's files cannot be mapped. */
leat_status lt_tables_open_file(leat_runtime *rt, const char *path, const leat_params *p, leat_table **out, leat_error *err);
int lt_tables_still(leat_store *s, const char *name, int64_t number); /* is it kept? */
void lt_tables_tidy(leat_store *s, const char *name); /* removes files of generations that are not kept; inside a change */
/* Parameters of "table/read" that verify everything, mapped where the host's files can be. */
leat_status lt_tables_params(leat_runtime *rt, leat_params **out, leat_error *err);
#endif
