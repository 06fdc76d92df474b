/* What a verdict says in words: the value, and what would be right. Only for rows with a reason. */
#include <stdio.h>
#include <string.h>
#include "base/number.h"
#include "lifecycle/gate_inner.h"

/* About four digits: a mean of thousands of values has no more to say. */
static const char *about(double x, char buf[32]) {
  if (x != 0 && fabs(x) > 1e-30 && fabs(x) < 1e30) {
    double unit = pow(10, floor(log10(fabs(x))) - 3);
    lt_f32_text((float)(round(x / unit) * unit), buf);
  } else {
    lt_f64_text(x, buf);
  }
  return buf;
}

/* Numbers that people write for "unknown": -1, -9, -99, ..., 96 to 99, 996 to 999, 9996 to 9999, ... */
static int looks_like_code(double x) {
  if (x == -1) return 1;
  for (double nines = 9; nines < 1e10; nines = nines * 10 + 9)
    if (x == -nines || (nines > 9 && x <= nines && x >= nines - 3 && x == floor(x))) return 1;
  return 0;
}

void lt_gate_tell_value(lt_verdict *v, double x) {
  char a[32];
  lt_f64_text(x, a);
  if (v->reason == LEAT_REASON_NON_FINITE)
    snprintf(v->detail, sizeof v->detail, "%s is no number that can be learned from: it must be finite and below 1e150 (in sparse blocks 1e15)", a);
  else if (v->reason == LEAT_REASON_WEIGHT)
    snprintf(v->detail, sizeof v->detail, "the weight is %s, it must be a finite number, 0 or more", isnan(x) ? "missing" : a);
  else
    snprintf(v->detail, sizeof v->detail, "the target is %s, which is not usable", a);
}

void lt_gate_tell_range(lt_verdict *v, double x, double low, double high) {
  char a[32], b[32], c[32];
  lt_f64_text(x, a);
  lt_f64_text(low, b);
  lt_f64_text(high, c);
  snprintf(v->detail, sizeof v->detail, "%s is outside its range %s:%s", a, isinf(low) ? "" : b, isinf(high) ? "" : c);
}

static void tell_end(lt_verdict *v, double x, int64_t element) {
  uint64_t n = strlen(v->detail);
  if (element >= 0) n += (uint64_t)snprintf(v->detail + n, sizeof v->detail - n, " (element %lld)", (long long)element);
  if (n < sizeof v->detail && looks_like_code(x))
    snprintf(v->detail + n, sizeof v->detail - n, "; if it stands for 'unknown', let it be read as missing");
}

void lt_gate_tell_far(lt_verdict *v, double x, const lt_gate_stat *s, int64_t element) {
  char a[32], b[32], c[32], d[32];
  lt_f64_text(x, a);
  snprintf(v->detail, sizeof v->detail, "%s is far from what came before: mean %s, deviation %s, at most %s from the mean", a,
           about(s->mean, b), about(sqrt(s->var), c), about(s->dev, d));
  tell_end(v, x, element);
}

void lt_gate_tell_slot(lt_verdict *v, double x, int32_t top, int own, int64_t index) {
  char a[32], b[32];
  lt_f32_text((float)x, a);
  lt_f32_text((float)ldexp(1, top - 126), b);
  snprintf(v->detail, sizeof v->detail, "%s is far from what the %s has shown: less than %s in size", a, own ? "index" : "block", b);
  tell_end(v, x, index);
}

void lt_gate_tell_label(lt_verdict *v, const lt_dict *d, int64_t code, uint64_t shown) {
  uint64_t n = 0;
  const char *text = d ? lt_dict_text(d, code, &n) : "";
  int cut = n > 80;
  if (cut)
    for (n = 80; n > 70 && ((unsigned char)text[n] & 0xc0) == 0x80;) n--; /* not within a character of UTF-8 */
  if (v->reason == LEAT_REASON_LABEL_INVALID && d)
    snprintf(v->detail, sizeof v->detail, "the label '%.*s%s' would be one class too many", (int)n, text, cut ? "..." : "");
  else if (v->reason == LEAT_REASON_LABEL_INVALID)
    snprintf(v->detail, sizeof v->detail, "the target's label is none of the schema's");
  else if (!d)
    snprintf(v->detail, sizeof v->detail, "the label is none of the schema's");
  else
    snprintf(v->detail, sizeof v->detail, "the label '%.*s%s' did not come up in %llu records before", (int)n, text,
             cut ? "..." : "", (unsigned long long)shown);
}

void lt_gate_tell_old(lt_verdict *v, int64_t time, int64_t newest, double max_age) {
  char a[40], b[40], c[32];
  lt_time_text(time, a);
  lt_time_text(newest, b);
  lt_f64_text(max_age, c);
  snprintf(v->detail, sizeof v->detail, "%s is more than max_age = %s seconds before %s, the newest time that was learned", a, c, b);
}

void lt_gate_tell(const lt_rows *rows, lt_verdict *v) {
  const char *name = v->column >= 0 && v->column < rows->schema->n ? rows->schema->col[v->column].name : NULL;
  const char *why = "the record was marked";
  if (v->reason == LEAT_REASON_PARSE) why = "it cannot be cut into fields";
  if (v->reason == LEAT_REASON_TOO_LONG) why = "it is longer than a record may be";
  if (v->reason == LEAT_REASON_TYPE) why = "a field is not of its column's kind";
  if (v->reason == LEAT_REASON_SHAPE) why = "an index or a length does not fit the schema";
  if (v->reason == LEAT_REASON_MISSING) why = name ? "a required field is missing" : "every feature is missing";
  if (v->reason == LEAT_REASON_LABEL_MISSING) why = "no label: predicted, not learned";
  if (v->reason == LEAT_REASON_LABEL_INVALID) why = "the target is not usable";
  if (v->reason == LEAT_REASON_WEIGHT) why = "the weight is not usable";
  if (name) snprintf(v->detail, sizeof v->detail, "%s: column '%.100s'", why, name);
  else snprintf(v->detail, sizeof v->detail, "%s", why);
}
