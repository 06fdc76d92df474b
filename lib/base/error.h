/* Status and caller-owned errors. */
#ifndef LEAT_BASE_ERROR_H
#define LEAT_BASE_ERROR_H
#include "leat/leat.h"
#if defined(__GNUC__)
#define LT_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define LT_PRINTF(a, b)
#endif
/* Fill err (may be NULL; honours err->struct_size) and return code. Never use %f/%g (locale): see lt_f64_text. */
leat_status lt_fail(leat_error *err, leat_status code, const char *fmt, ...) LT_PRINTF(3, 4);
/* The same with an errno value; its text is added behind the message (": No space left on device"). */
leat_status lt_fail_os(leat_error *err, leat_status code, int32_t os_code, const char *fmt, ...) LT_PRINTF(4, 5);
/* The same with the place: row and column from 1 (0 unknown). */
leat_status lt_fail_at(leat_error *err, leat_status code, int64_t row, int64_t column, const char *fmt, ...)
    LT_PRINTF(5, 6);
/* "no memory for N bytes of WHAT" */
leat_status lt_fail_memory(leat_error *err, uint64_t bytes, const char *what);
/* Success: clears err's code and message (if err is not NULL) and returns LEAT_OK. Called by the api floor only. */
leat_status lt_ok(leat_error *err);
/* The candidate nearest to `name` by edit distance (case folded), or NULL when none is near (distance > max(1, len/3)). */
const char *lt_nearest(const char *name, const char *const *candidates, int64_t n);
/* Struct check of DESIGN 3.7: `given` bytes of a caller's struct are copied to dst (of `known` bytes, zero-filled);
 * an unknown tail that is not all zero is LEAT_E_VERSION. given < 8 is LEAT_E_ARG. */
leat_status lt_take_struct(void *dst, uint64_t known, const void *src, uint64_t given, const char *what,
                           leat_error *err);
/* Copies a filled struct out, keeping the caller's struct_size (never writes past it). */
void lt_give_struct(void *dst, uint64_t given, const void *src, uint64_t known);
/* Text to a caller's buffer by the cap/needed rule (needed counts the NUL); CAPACITY when it does not fit. */
leat_status lt_give_text(const char *text, uint64_t len, char *buf, uint64_t cap, uint64_t *needed, leat_error *err);
#endif
