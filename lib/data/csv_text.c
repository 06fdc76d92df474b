/* CSV text: fields, and where records begin. RFC 4180, with white space around fields and blank lines allowed. */
#include "data/csv.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static int is_space(char c, char delim) { return (c == ' ' || c == '\t' || c == '\r') && c != delim; }

const char *lt_csv_skip_blank(const char *p, const char *end, char delim) {
  for (;;) {
    const char *q = p;
    while (q < end && is_space(*q, delim)) q++;
    if (q == end) return end;
    if (*q != '\n') return p;
    p = q + 1;
  }
}

/* The first delimiter or newline in [p, end), or end. */
static const char *field_end(const char *p, const char *end, char delim) {
#if defined(__SSE2__)
  const __m128i d = _mm_set1_epi8(delim), n = _mm_set1_epi8('\n');
  while (end - p >= 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    int m = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, d), _mm_cmpeq_epi8(v, n)));
    if (m) return p + __builtin_ctz((unsigned)m);
    p += 16;
  }
#endif
  while (p < end && *p != delim && *p != '\n') p++;
  return p;
}

lt_csv_text lt_csv_cursor(const lt_csv *c, const char *p, const char *end) {
  return (lt_csv_text){.p = p, .end = end, .delim = c->delim, .quotes = c->quotes, .rt = c->rt,
                       .span = c->keep ? LT_QUOTED_MOST : 0};
}

static int step_over(lt_csv_text *t, const char *q) {
  if (q == t->end) {
    t->p = q;
    return LT_FIELD_LAST;
  }
  t->p = q + 1;
  return *q == '\n' ? LT_FIELD_LAST : LT_FIELD_MORE;
}

static void trim(lt_field *f, char delim) {
  while (f->len && is_space(*f->s, delim)) f->s++, f->len--;
  while (f->len && is_space(f->s[f->len - 1], delim)) f->len--;
}

/* The next quote from p on, in a field that begins at `start`; *line: where its line ends, when that was looked for. */
static const char *next_quote(const lt_csv_text *t, const char *start, const char *p, const char **line) {
  const char *near = t->span && (uint64_t)(t->end - start) > t->span ? start + t->span : t->end;
  const char *q = p < near ? memchr(p, '"', (uint64_t)(near - p)) : NULL;
  if (q || near == t->end) return q;
  if (p < near) p = near;
  if (!*line) *line = memchr(start, '\n', (uint64_t)(t->end - start));
  if (!*line) *line = t->end;
  return *line > p ? memchr(p, '"', (uint64_t)(*line - p)) : NULL;
}

static int quoted_field(lt_csv_text *t, const char *p, lt_field *out) {
  const char *start = p, *line = NULL, *q = next_quote(t, start, p, &line);
  uint64_t kept = 0;
  while (q && q + 1 < t->end && q[1] == '"') { /* a doubled quote: what is before it and one of the two are kept */
    uint64_t n = (uint64_t)(q + 1 - p);
    if (t->skim) n = 0;
    if (n && lt_grow(t->rt, (void **)&t->scratch, &t->scratch_cap, kept + n + 64, 1, NULL)) return LT_FIELD_MEMORY;
    if (n) memcpy(t->scratch + kept, p, n);
    kept += n;
    p = q + 2;
    q = next_quote(t, start, p, &line);
  }
  if (!q) return LT_FIELD_OPEN;
  if (kept) {
    uint64_t n = (uint64_t)(q - p);
    if (lt_grow(t->rt, (void **)&t->scratch, &t->scratch_cap, kept + n + 64, 1, NULL)) return LT_FIELD_MEMORY;
    memcpy(t->scratch + kept, p, n);
    out->s = t->scratch;
    out->len = kept + n;
  } else {
    out->s = start;
    out->len = (uint64_t)(q - start);
  }
  trim(out, t->delim);
  q++;
  while (q < t->end && is_space(*q, t->delim)) q++;
  if (q < t->end && *q != t->delim && *q != '\n') return LT_FIELD_JUNK;
  return step_over(t, q);
}

int lt_csv_field(lt_csv_text *t, lt_field *out) {
  const char *p = t->p;
  while (p < t->end && is_space(*p, t->delim)) p++;
  if (p < t->end && *p == '"' && t->quotes == LT_QUOTES_FULL) return quoted_field(t, p + 1, out);
  if (p < t->end && *p == '"' && t->quotes == LT_QUOTES_LINE) {
    const char *all = t->end, *newline = memchr(p, '\n', (uint64_t)(all - p));
    t->end = newline ? newline + 1 : all;
    int more = quoted_field(t, p + 1, out);
    t->end = all;
    if (more >= 0 || more == LT_FIELD_MEMORY) return more;
  }
  const char *q = field_end(p, t->end, t->delim);
  out->s = p;
  out->len = (uint64_t)(q - p);
  while (out->len && is_space(p[out->len - 1], t->delim)) out->len--;
  return step_over(t, q);
}

/* ---- records */

/* Is the line [start, newline) blank? */
static int blank_line(const char *start, const char *newline, char delim) {
  while (newline > start && is_space(newline[-1], delim)) newline--;
  return newline == start;
}

static void count_line(lt_csv_scan *s, const char **start, const char *newline, char delim) {
  if (!blank_line(*start, newline, delim)) {
    s->records++;
    s->whole++;
  }
  s->newlines++;
  *start = newline + 1;
}

/* Text without quotes: records are lines. Stops at the first `quote` (0: there are none) and returns where it is. */
static const char *scan_plain(const char *from, const char *to, char delim, char quote, lt_csv_scan *s) {
  const char *p = from, *start = from;
#if defined(__SSE2__)
  const __m128i n = _mm_set1_epi8('\n'), q = _mm_set1_epi8(quote), z = _mm_setzero_si128();
  while (to - p >= 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, q), _mm_cmpeq_epi8(v, z)))) break;
    unsigned m = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, n));
    while (m) {
      count_line(s, &start, p + __builtin_ctz(m), delim);
      m &= m - 1;
    }
    p += 16;
  }
#endif
  for (; p < to && (*p != quote || !quote); p++) {
    if (*p == '\n') count_line(s, &start, p, delim);
    else if (!*p && !s->nul) s->nul = p;
  }
  s->tail = start;
  if (p == to && !blank_line(start, to, delim)) s->records++;
  return p;
}

/* Text with quotes, from a line's start, outside (or inside) a quoted field. */
static void scan_quoted(const char *from, const char *to, char delim, int quoted, lt_csv_scan *s) {
  const char *p = from, *record = NULL; /* record: where the present record started; NULL: before this text */
  int started = quoted;                 /* a record is open */
  s->tail = from;
  s->first = to;
  if (quoted) goto inside;
  for (;;) {
    if (!started) { /* a record may begin */
      const char *next = lt_csv_skip_blank(p, to, delim);
      for (const char *c = p; c < next; c++) {
        if (*c != '\n') continue;
        s->newlines++;
        s->tail = c + 1;
      }
      p = next;
      if (p == to) break;
      if (s->first == to) s->first = p;
      record = p;
      started = 1;
      s->records++;
    }
    while (p < to && is_space(*p, delim)) p++;
    if (p < to && *p == '"') {
      p++;
    inside:
      for (;;) {
        const char *q = p < to ? memchr(p, '"', (uint64_t)(to - p)) : NULL;
        const char *stop = q ? q : to;
        for (const char *c = p; c < stop && (c = memchr(c, '\n', (uint64_t)(stop - c))) != NULL; c++) s->newlines++;
        if (!q) {
          s->quoted = 1;
          return;
        }
        p = q + 1;
        if (p < to && *p == '"') p++;
        else break;
      }
    }
    p = field_end(p, to, delim);
    if (p == to) break;
    if (*p++ != '\n') continue;
    s->newlines++;
    s->tail = p;
    if (record) s->whole++;
    started = 0;
  }
}

void lt_csv_scan_text(const char *from, const char *to, const lt_csv *c, int quoted, lt_csv_scan *out) {
  memset(out, 0, sizeof *out);
  if (!quoted) {
    out->first = from;
    if (scan_plain(from, to, c->delim, c->quotes == LT_QUOTES_FULL ? '"' : 0, out) == to) return;
  }
  const char *nul = memchr(from, 0, (uint64_t)(to - from));
  memset(out, 0, sizeof *out);
  out->nul = nul;
  scan_quoted(from, to, c->delim, quoted, out);
}

/* ---- records that are kept whatever is in them */

int64_t lt_csv_count(const lt_csv *c, const char *p, const char *end) {
  lt_csv_text t = lt_csv_cursor(c, p, end);
  t.skim = 1;
  int64_t n = 0;
  int more = LT_FIELD_MORE;
  for (lt_field f; more == LT_FIELD_MORE; n++) more = lt_csv_field(&t, &f);
  return more < 0 ? -1 : n;
}

const char *lt_csv_record_end(const lt_csv *c, const char *p, const char *end, int final) {
  const char *newline = memchr(p, '\n', (uint64_t)(end - p)), *line = newline ? newline + 1 : end;
  if (!newline && !final) return NULL;
  if (c->quotes != LT_QUOTES_FULL || !memchr(p, '"', (uint64_t)(line - p))) return line;
  lt_csv_text t = lt_csv_cursor(c, p, end);
  t.skim = 1;
  int more = LT_FIELD_MORE;
  int64_t n = 0;
  for (lt_field f; more == LT_FIELD_MORE; n++) {
    if (n == c->n || t.p - p > LT_RECORD_MOST) return line; /* one field too many, or too long */
    more = lt_csv_field(&t, &f);
  }
  if (more == LT_FIELD_LAST) {
    if (t.p <= line) return line;
    if (t.p == end && end[-1] != '\n' && !final) return NULL;
    return n == c->n && t.p - p <= LT_RECORD_MOST ? t.p : line;
  }
  if (final) return line;
  const char *open = t.p;
  while (open < end && *open != '"') open++;
  /* not closed, or text behind the closing quote: is all text seen that could change that? */
  return more == LT_FIELD_JUNK || (uint64_t)(end - open) > (uint64_t)LT_QUOTED_MOST + 2 ? line : NULL;
}

void lt_csv_scan_kept(const char *from, const char *to, const char *end, const lt_csv *c, lt_csv_scan *out) {
  memset(out, 0, sizeof *out);
  out->first = from;
  out->next = to;
  if (scan_plain(from, to, c->delim, c->quotes == LT_QUOTES_FULL ? '"' : 0, out) == to) return;
  const char *nul = memchr(from, 0, (uint64_t)(to - from));
  memset(out, 0, sizeof *out);
  out->nul = nul;
  out->first = out->next = to;
  for (const char *p = from; p < to && (p = memchr(p, '\n', (uint64_t)(to - p))) != NULL; p++) out->newlines++;
  for (const char *p = from; (p = lt_csv_skip_blank(p, to, c->delim)) < to;) {
    if (out->first == to) out->first = p;
    out->records++;
    out->next = p = lt_csv_record_end(c, p, end, 1);
    if (p >= to) break;
  }
  if (out->next < to) out->next = to; /* blank lines */
}

const char *lt_csv_whole_kept(const char *from, const char *to, const lt_csv *c, int final, int64_t *records) {
  lt_csv_scan s;
  memset(&s, 0, sizeof s);
  *records = 0;
  if (final || scan_plain(from, to, c->delim, c->quotes == LT_QUOTES_FULL ? '"' : 0, &s) == to) {
    if (final) lt_csv_scan_kept(from, to, to, c, &s);
    *records = final ? s.records : s.whole;
    return final ? to : s.tail;
  }
  const char *tail = from;
  for (const char *p = from; (p = lt_csv_skip_blank(p, to, c->delim)) < to;) {
    p = lt_csv_record_end(c, p, to, 0);
    if (!p) break;
    tail = p;
    ++*records;
  }
  return tail;
}
