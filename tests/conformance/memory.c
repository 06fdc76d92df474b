/* Buffers, copies, maps, queues and events. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "suite.h"

enum { BYTES = 5003 };
typedef struct ends { unsigned char a[BYTES], b[BYTES]; } ends;

/* Counts the case: good, or what is wrong. */
static void judge(cf_suite *s, const char *what, leat_status st, const leat_error *said, int good) {
  if (!st && good) cf_pass(s);
  else if (st == LEAT_E_UNSUPPORTED) cf_skip(s, what);
  else cf_fail(s, "%s: status %d %s%s", what, (int)st, said->message, st ? "" : "succeeded with the wrong bytes");
}

static void noise(cf_suite *s, unsigned char *p, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) p[i] = (unsigned char)(cf_next(s) >> 40);
}

static leat_status copy(cf_suite *s, leat_b_buffer *dst, uint64_t dst_at, leat_b_buffer *src, uint64_t src_at, void *host,
                        uint64_t size, leat_b_event **done, leat_error *err) {
  leat_b_copy c = {sizeof c, dst, src, host, dst_at, src_at, size, NULL, 0};
  return s->t.queue_copy(s->queue, &c, done, err);
}

static void copies(cf_suite *s, ends *e, leat_b_buffer *b) {
  leat_error said = cf_error();
  noise(s, e->a, BYTES);
  memset(e->b, 0, BYTES);
  leat_status st = copy(s, b, 0, NULL, 0, e->a, BYTES, NULL, &said);
  if (!st) st = copy(s, NULL, 0, b, 0, e->b, BYTES, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  judge(s, "a copy in and out", st, &said, !memcmp(e->a, e->b, BYTES));
  memcpy(e->a + 1001, e->b + 7, 1500);
  st = copy(s, b, 1001, NULL, 0, e->b + 7, 1500, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said); /* until then the bytes are the device's to read */
  memset(e->b, 0, BYTES);
  if (!st) st = copy(s, NULL, 0, b, 333, e->b + 333, BYTES - 333, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  judge(s, "copies of parts at odd offsets", st, &said, !memcmp(e->a + 333, e->b + 333, BYTES - 333));
  st = copy(s, b, BYTES, NULL, 0, e->b, 0, NULL, &said);
  judge(s, "a copy of nothing at the end", st, &said, 1);
}

static void between(cf_suite *s, ends *e, leat_b_buffer *b) {
  leat_error said = cf_error();
  leat_b_buffer *other = NULL;
  leat_status st = s->t.buffer_alloc(s->device, 0, BYTES, 64, &other, &said);
  noise(s, e->a, BYTES);
  if (!st) st = copy(s, b, 0, NULL, 0, e->a, BYTES, NULL, &said);
  if (!st) st = copy(s, other, 0, b, 0, NULL, BYTES, NULL, &said);
  if (!st) st = copy(s, other, 3001, b, 5, NULL, 77, NULL, &said);
  if (!st) st = copy(s, NULL, 0, other, 0, e->b, BYTES, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  memcpy(e->a + 3001, e->a + 5, 77);
  judge(s, "a copy from buffer to buffer", st, &said, !memcmp(e->a, e->b, BYTES));
  if (other) s->t.buffer_free(other);
}

static void maps(cf_suite *s, ends *e, leat_b_buffer *b) {
  leat_error said = cf_error();
  void *p = NULL;
  if (!s->t.buffer_map || !s->t.buffer_unmap) {
    cf_skip(s, "no buffer_map");
    return;
  }
  noise(s, e->a, BYTES);
  leat_status st = copy(s, b, 0, NULL, 0, e->a, BYTES, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  if (!st) st = s->t.buffer_map(b, 64, 1000, 0, &p, &said);
  int good = !st && p && !memcmp(p, e->a + 64, 1000);
  if (good) memset(p, 0x3c, 500), memset(e->a + 64, 0x3c, 500);
  if (!st) st = s->t.buffer_unmap(b, p, &said);
  if (!st) st = copy(s, NULL, 0, b, 0, e->b, BYTES, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  judge(s, "a map that is read and written", st, &said, good && !memcmp(e->a, e->b, BYTES));
  said = cf_error();
  p = NULL;
  st = s->t.buffer_map(b, BYTES - 10, 11, 0, &p, &said);
  judge(s, "a map beyond the end is refused", LEAT_OK, &said, st < 0 && !p);
}

static void wraps(cf_suite *s, ends *e) {
  leat_error said = cf_error();
  leat_b_buffer *w = NULL;
  void *host = NULL;
  if (!s->t.buffer_wrap) {
    cf_skip(s, "no buffer_wrap");
    return;
  }
  if (posix_memalign(&host, 4096, 8192)) {
    cf_break(s, LEAT_E_MEMORY, "no memory");
    return;
  }
  noise(s, host, BYTES);
  memcpy(e->a, host, BYTES);
  leat_status st = s->t.buffer_wrap(s->device, host, BYTES, &w, &said);
  if (!st) st = copy(s, NULL, 0, w, 11, e->b, 2000, NULL, &said);
  if (!st) st = copy(s, w, 4000, NULL, 0, e->a, 100, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  judge(s, "wrapped memory is the host's", st, &said,
        !st && !memcmp(e->a + 11, e->b, 2000) && !memcmp((char *)host + 4000, e->a, 100));
  if (!st) s->t.buffer_free(w);
  judge(s, "wrapped memory outlives its buffer", st, &said, !st && !memcmp(host, e->a, 4000));
  free(host);
}

static void events(cf_suite *s, ends *e, leat_b_buffer *b) {
  leat_error said = cf_error();
  leat_b_queue *second = NULL;
  leat_b_event *done = NULL, *then = NULL;
  if (!s->t.event_wait || !s->t.event_free) {
    cf_skip(s, "no events");
    return;
  }
  noise(s, e->a, BYTES);
  leat_status st = s->t.queue_create(s->device, 0, &second, &said);
  if (!st) st = copy(s, b, 0, NULL, 0, e->a, BYTES, &done, &said);
  leat_b_copy out = {sizeof out, NULL, b, e->b, 0, 0, BYTES, (leat_b_event *const *)&done, 1};
  if (!st && done) st = s->t.queue_copy(second, &out, &then, &said);
  if (!st && then) st = s->t.event_wait(then, -1, &said);
  judge(s, "a second queue that waits for the first's event", st, &said, done && then && !memcmp(e->a, e->b, BYTES));
  if (!st && done) st = s->t.event_wait(done, -1, &said);
  judge(s, "an event that is over may be waited for", st, &said, done != NULL);
  if (done) s->t.event_free(done);
  if (then) s->t.event_free(then);
  if (second) s->t.queue_free(second);
}

/* What must be refused; the buffer keeps what it has. */
static void refusals(cf_suite *s, ends *e, leat_b_buffer *b) {
  static const uint64_t far = UINT64_MAX - 3;
  const struct { const char *what; leat_b_copy c; } wrong[] = {
      {"a copy beyond the end is refused", {sizeof(leat_b_copy), b, NULL, e->b, 10, 0, BYTES - 9, NULL, 0}},
      {"a copy from beyond the end is refused", {sizeof(leat_b_copy), NULL, b, e->b, 0, BYTES, 1, NULL, 0}},
      {"a copy whose end overflows is refused", {sizeof(leat_b_copy), b, NULL, e->b, far, 0, 8, NULL, 0}},
      {"a copy without buffers is refused", {sizeof(leat_b_copy), NULL, NULL, e->b, 0, 0, 8, NULL, 0}},
      {"a copy with one end is refused", {sizeof(leat_b_copy), b, NULL, NULL, 0, 0, 8, NULL, 0}}};
  leat_error said = cf_error();
  noise(s, e->a, BYTES);
  memset(e->b, 0x77, BYTES);
  leat_status st = copy(s, b, 0, NULL, 0, e->a, BYTES, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong && !st; i++) {
    leat_error refused = cf_error();
    leat_status got = s->t.queue_copy(s->queue, &wrong[i].c, NULL, &refused);
    refused.message[sizeof refused.message - 1] = 0;
    judge(s, wrong[i].what, LEAT_OK, &refused, got < 0 && refused.message[0]);
    for (int k = 0; k < BYTES; k++)
      if (e->b[k] != 0x77) {
        cf_fail(s, "%s, but bytes were written", wrong[i].what);
        break;
      }
  }
  if (!st) st = copy(s, NULL, 0, b, 0, e->b, BYTES, NULL, &said);
  if (!st) st = s->t.queue_finish(s->queue, &said);
  judge(s, "the buffer keeps its bytes after refused copies", st, &said, !memcmp(e->a, e->b, BYTES));
}

static void sizes(cf_suite *s) {
  static const uint64_t ask[] = {1, 3, 4, 4096, 1 << 20}, aligns[] = {1, 64, 256, 4096, 0};
  leat_error said = cf_error();
  for (int i = 0; i < 5; i++) {
    leat_b_buffer *b = NULL;
    leat_status st = s->t.buffer_alloc(s->device, 0, ask[i], aligns[i], &b, &said);
    judge(s, "a buffer of any size", st, &said, b != NULL);
    if (b) s->t.buffer_free(b);
  }
  for (int i = 0; i < 2; i++) {
    leat_b_buffer *b = NULL;
    leat_error refused = cf_error();
    leat_status st = s->t.buffer_alloc(s->device, 0, i ? UINT64_MAX - 7 : UINT64_C(1) << 62, 64, &b, &refused);
    judge(s, "a buffer larger than any memory is refused, with words", LEAT_OK, &refused, st < 0 && refused.message[0]);
  }
  leat_b_buffer *b = NULL;
  leat_error refused = cf_error();
  leat_status st = s->t.buffer_alloc(s->device, 4711, 64, 64, &b, &refused);
  judge(s, "a buffer of an unknown kind is refused", LEAT_OK, &refused, st < 0);
  if (!st && b) s->t.buffer_free(b);
}

static void devices(cf_suite *s) {
  leat_error said = cf_error();
  leat_b_device *twice = NULL;
  leat_device_props props;
  int64_t count = 0;
  memset(&props, 0, sizeof props);
  props.struct_size = sizeof props;
  leat_status st = s->t.device_props(s->t.self, s->opts.device, &props, &said);
  judge(s, "properties of the device, with a name", st, &said, props.name && props.name[0]);
  if (s->t.device_count(s->t.self, &count, &said) == LEAT_OK) {
    st = s->t.device_open(s->t.self, count, &twice, &said);
    judge(s, "a device that is not there is not opened", LEAT_OK, &said, st < 0);
  }
  if (s->t.device_state) {
    char why[512] = "";
    uint64_t needed = 0;
    st = s->t.device_state(s->t.self, s->opts.device, why, sizeof why, &needed, &said);
    judge(s, "the state of a device that is open is good", st, &said, needed == 1 && !why[0]);
  }
}

void cf_memory(cf_suite *s) {
  leat_error said = cf_error();
  leat_b_buffer *b = NULL;
  if (!cf_begin(s, "memory")) return;
  ends *e = cf_take(s, sizeof *e);
  if (!e) return;
  devices(s);
  if (s->t.buffer_alloc && s->t.queue_copy) {
    sizes(s);
    leat_status st = s->t.buffer_alloc(s->device, 0, BYTES, 64, &b, &said);
    judge(s, "a buffer", st, &said, b != NULL);
    if (!st) copies(s, e, b), between(s, e, b), maps(s, e, b), events(s, e, b), refusals(s, e, b);
    if (!st) s->t.buffer_free(b);
  } else {
    cf_skip(s, "no buffer_alloc or no queue_copy");
  }
  if (s->t.queue_copy) wraps(s, e);
  s->arena.used = 0;
  cf_end(s);
}
