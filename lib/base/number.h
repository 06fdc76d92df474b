/* Number text: correctly rounded, locale-free. */
#ifndef LEAT_BASE_NUMBER_H
#define LEAT_BASE_NUMBER_H
#include <stdint.h>
/* Parses a decimal number that fills [s, end) wholly: [+-] digits [. digits] [e [+-] digits] (digits on one side of the
 * point are enough), or inf/infinity/nan in any case. No surrounding space. 1 when it is one, 0 when not. Correctly
 * rounded as strtod, too large is inf: Clinger's exact fast path, then Eisel-Lemire (Lemire: "Number parsing at a
 * gigabyte per second", 2021), big integers for the rest (strtod would know the locale). Reads nothing behind end. */
int lt_parse_f64(const char *s, const char *end, double *out);
/* Parses a prefix: returns the first character behind the number, or NULL when there is none at s. */
const char *lt_scan_f64(const char *s, const char *end, double *out);
/* A whole decimal integer that fits int64. */
int lt_parse_i64(const char *s, const char *end, int64_t *out);
/* The shortest text that reads back as v ("0.1", "1e-300", "nan", "inf"), NUL-terminated, at most 32 bytes with the
 * NUL; returns its length. lt_f32_text: the shortest that reads back as the float. */
int lt_f64_text(double v, char buf[32]);
int lt_f32_text(float v, char buf[32]);
int lt_i64_text(int64_t v, char buf[32]);
/* Four digits, which are enough for people; returns buf. */
const char *lt_few_digits(double v, char buf[32]);
/* v with `digits` digits behind the point, rounded as printf's %.*f in the C locale (cap at least 64). What does not fit
 * into cap, or has more than 800 digits behind the point, is written as lt_f64_text does. */
int lt_fixed_text(double v, int digits, char *buf, uint64_t cap);
/* ISO 8601 date or date-time: YYYY-MM-DD, or YYYY/MM/DD, with [T ]HH:MM[:SS[.fraction]][Z|+HH:MM]. Nanoseconds since
 * 1970 UTC; without a zone, UTC. 1 when [s, end) is one wholly; 0 also outside of what 64 bits hold, 1677 to 2262. */
int lt_parse_time(const char *s, const char *end, int64_t *ns);
int lt_time_text(int64_t ns, char buf[40]);
#endif
