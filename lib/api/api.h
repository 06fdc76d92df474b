/* What the files of the api floor share. */
#ifndef LEAT_API_API_H
#define LEAT_API_API_H
#include "base/params.h"
/* ARG with the argument's name when it is NULL. */
leat_status lt_need(const void *argument, const char *name, leat_error *err);
/* Every parameter spec of this build: readers, families, predictor. NULL outside. */
int64_t lt_specs_count(void);
const lt_spec *lt_specs_at(int64_t index);
/* NOT_FOUND with the nearest name. */
leat_status lt_specs_find(const char *name, const lt_spec **out, leat_error *err);
#endif
