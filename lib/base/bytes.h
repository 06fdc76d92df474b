/* Little-endian byte strings: a growing writer and a bounds-checked reader. The reader is sticky: after a failure every
 * get returns 0 and lt_get_status gives FORMAT, so a parser checks once at the end of a section (and before it trusts a
 * count: see lt_get_count). */
#ifndef LEAT_BASE_BYTES_H
#define LEAT_BASE_BYTES_H
#include "base/runtime.h"
typedef struct lt_put { leat_runtime *rt; uint8_t *data; uint64_t size, cap; int32_t failed; } lt_put;
void lt_put_init(lt_put *w, leat_runtime *rt);
void lt_put_free(lt_put *w);
void lt_put_reserve(lt_put *w, uint64_t n); /* room for n bytes more, exactly; it may not be had: then putting fails */
void lt_put_u8(lt_put *w, uint8_t v);
void lt_put_u32(lt_put *w, uint32_t v);
void lt_put_u64(lt_put *w, uint64_t v);
void lt_put_i64(lt_put *w, int64_t v);
void lt_put_f64(lt_put *w, double v);
void lt_put_f32(lt_put *w, float v);
void lt_put_text(lt_put *w, const char *s);                 /* u64 length + bytes; NULL as "" */
void lt_put_raw(lt_put *w, const void *p, uint64_t n);      /* bytes only */
void lt_put_f64s(lt_put *w, const double *v, uint64_t n);   /* u64 count + values */
void lt_put_floats(lt_put *w, const float *v, uint64_t n); /* without their number */
void lt_put_f32s(lt_put *w, const float *v, uint64_t n);
void lt_put_i64s(lt_put *w, const int64_t *v, uint64_t n);
leat_status lt_put_status(const lt_put *w, leat_error *err); /* MEMORY when it could not grow */

typedef struct lt_get { leat_runtime *rt; const uint8_t *data; uint64_t size, at; int32_t failed; leat_status why; } lt_get;
void lt_get_init(lt_get *r, leat_runtime *rt, const void *data, uint64_t size);
uint8_t lt_get_u8(lt_get *r);
uint32_t lt_get_u32(lt_get *r);
uint64_t lt_get_u64(lt_get *r);
int64_t lt_get_i64(lt_get *r);
double lt_get_f64(lt_get *r);
float lt_get_f32(lt_get *r);
/* A count of items of at least `min_bytes` each that must still fit into what is left and be <= limit; else fails. */
uint64_t lt_get_count(lt_get *r, uint64_t min_bytes, uint64_t limit);
const void *lt_get_raw(lt_get *r, uint64_t n);              /* a pointer into data, or NULL */
char *lt_get_text(lt_get *r);                               /* a fresh NUL-terminated copy (lt_free), or NULL; refuses inner NULs */
double *lt_get_f64s(lt_get *r, uint64_t *n);                /* a fresh copy, or NULL */
float *lt_get_f32s(lt_get *r, uint64_t *n);
int64_t *lt_get_i64s(lt_get *r, uint64_t *n);
uint64_t lt_get_left(const lt_get *r);
void lt_get_fail(lt_get *r, leat_status why);               /* the parser found nonsense */
leat_status lt_get_status(const lt_get *r, const char *what, leat_error *err);
#endif
