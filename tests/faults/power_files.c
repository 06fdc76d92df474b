#include "power_files.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, NAME = 512 };

typedef struct node {
  int folder, handles, locked; /* locked: 2 exclusive, 1 shared */
  int shared;
  unsigned char *now, *safe, *dirty; /* dirty: one byte a sector */
  uint64_t size, safe_size, cap;
  struct node *next;
} node;
typedef struct entry { char path[NAME]; node *at; } entry;
typedef struct map { entry *e; int n, cap; } map;
/* kind 'l' link, 'u' unlink, 'r' rename */
typedef struct change { int kind; char folder[NAME], from[NAME], to[NAME]; node *at; } change;
typedef struct handle { node *at; int lock; int64_t life; } handle;
struct power_disk {
  pthread_mutex_t mutex;
  map now, safe;
  change *pending;
  int n_pending, cap_pending;
  node *nodes;
  int64_t changes, fail_at, limit, life; /* life: handles from before a loss are dead */
  int failed;
};

static void *must(void *p) {
  if (p == NULL) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return p;
}
static entry *look(const map *m, const char *path) {
  for (int i = 0; i < m->n; i++)
    if (strcmp(m->e[i].path, path) == 0) return &m->e[i];
  return NULL;
}
static void put(map *m, const char *path, node *at) {
  entry *e = look(m, path);
  if (e != NULL) {
    e->at = at;
    return;
  }
  if (m->n == m->cap) {
    m->cap = m->cap ? 2 * m->cap : 64;
    m->e = must(realloc(m->e, (size_t)m->cap * sizeof *m->e));
  }
  snprintf(m->e[m->n].path, NAME, "%s", path);
  m->e[m->n++].at = at;
}
static void drop(map *m, const char *path) {
  entry *e = look(m, path);
  if (e != NULL) *e = m->e[--m->n];
}
static void parent(const char *path, char *out) {
  snprintf(out, NAME, "%s", path);
  char *slash = strrchr(out, '/');
  if (slash == NULL) snprintf(out, NAME, ".");
  else *slash = 0;
}
/* "a//b/" -> "a/b" */
static void clean(const char *path, char *out) {
  int n = 0;
  for (const char *p = path; *p != 0 && n < NAME - 1; p++)
    if (*p != '/' || n == 0 || out[n - 1] != '/') out[n++] = *p;
  while (n > 1 && out[n - 1] == '/') n--;
  out[n] = 0;
}
static int there(const power_disk *d, const char *folder) {
  const entry *e = look(&d->now, folder);
  return strcmp(folder, ".") == 0 || folder[0] == 0 || (e != NULL && e->at->folder);
}
static void record(power_disk *d, int kind, const char *from, const char *to, node *at) {
  if (d->n_pending == d->cap_pending) {
    d->cap_pending = d->cap_pending ? 2 * d->cap_pending : 64;
    d->pending = must(realloc(d->pending, (size_t)d->cap_pending * sizeof *d->pending));
  }
  change *c = &d->pending[d->n_pending++];
  memset(c, 0, sizeof *c);
  c->kind = kind;
  c->at = at;
  parent(from, c->folder);
  snprintf(c->from, NAME, "%s", from);
  if (to != NULL) snprintf(c->to, NAME, "%s", to);
}
static void apply(map *m, const change *c) {
  if (c->kind == 'l') put(m, c->from, c->at);
  if (c->kind == 'u') drop(m, c->from);
  if (c->kind == 'r' && look(m, c->from) != NULL) {
    put(m, c->to, look(m, c->from)->at);
    drop(m, c->from);
  }
}
static node *fresh(power_disk *d, int folder) {
  node *a = must(calloc(1, sizeof *a));
  a->folder = folder;
  a->next = d->nodes;
  d->nodes = a;
  return a;
}
static void room(node *a, uint64_t size) {
  if (size <= a->cap) return;
  uint64_t cap = a->cap ? a->cap : 4096;
  while (cap < size) cap *= 2;
  a->now = must(realloc(a->now, cap));
  a->safe = must(realloc(a->safe, cap));
  a->dirty = must(realloc(a->dirty, cap / SECTOR));
  memset(a->now + a->cap, 0, cap - a->cap);
  memset(a->safe + a->cap, 0, cap - a->cap);
  memset(a->dirty + a->cap / SECTOR, 0, (cap - a->cap) / SECTOR);
  a->cap = cap;
}
static void touch(node *a, uint64_t from, uint64_t to) {
  for (uint64_t s = from / SECTOR; to > from && s <= (to - 1) / SECTOR; s++) a->dirty[s] = 1;
}

/* 0, or EIO when the power is gone; *now: it goes with this change */
static int32_t step(power_disk *d, int changes, int *now) {
  *now = 0;
  if (d->failed) return EIO;
  if (!changes) return 0;
  d->changes++;
  if (d->fail_at != 0 && d->changes >= d->fail_at) d->failed = *now = 1;
  return 0;
}

static int32_t p_open(void *user, const char *name, uint64_t mode, void **file) {
  power_disk *d = user;
  char path[NAME], up[NAME];
  int gone;
  *file = NULL;
  clean(name, path);
  parent(path, up);
  entry *e = look(&d->now, path);
  const int makes = e == NULL && (mode & LEAT_FILE_CREATE);
  int32_t rc = step(d, makes || (mode & LEAT_FILE_TRUNCATE), &gone);
  if (rc != 0 || gone) return EIO;
  if (e != NULL && (mode & LEAT_FILE_EXCLUSIVE) && (mode & LEAT_FILE_CREATE)) return EEXIST;
  if (e == NULL && !makes) return ENOENT;
  if (e != NULL && e->at->folder) return EISDIR;
  if (makes) {
    if (!there(d, up)) return ENOENT;
    node *a = fresh(d, 0);
    put(&d->now, path, a);
    record(d, 'l', path, NULL, a);
    e = look(&d->now, path);
  }
  if (mode & LEAT_FILE_TRUNCATE) {
    touch(e->at, 0, e->at->size);
    e->at->size = 0;
  }
  handle *h = must(calloc(1, sizeof *h));
  h->at = e->at;
  h->life = d->life;
  e->at->handles++;
  *file = h;
  return 0;
}
static void unlock(handle *h) {
  if (h->lock == 2) h->at->locked = 0;
  if (h->lock == 1) h->at->shared--;
  h->lock = 0;
}
static int32_t p_close(void *user, void *file) {
  power_disk *d = user;
  handle *h = file;
  if (h->life == d->life) {
    unlock(h);
    h->at->handles--;
  }
  free(h);
  return 0;
}
static int32_t p_size(void *user, void *file, uint64_t *size) {
  int gone;
  int32_t rc = step(user, 0, &gone);
  if (rc == 0) *size = ((handle *)file)->at->size;
  return rc;
}
static int32_t p_read(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  int gone;
  int32_t rc = step(user, 0, &gone);
  const node *a = ((handle *)file)->at;
  *done = 0;
  if (rc != 0) return rc;
  if (offset >= a->size) return 0;
  *done = size < a->size - offset ? size : a->size - offset;
  memcpy(buf, a->now + offset, *done);
  return 0;
}
static int32_t p_write(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  power_disk *d = user;
  node *a = ((handle *)file)->at;
  int gone;
  int32_t rc = step(d, 1, &gone);
  *done = 0;
  if (rc != 0) return rc;
  uint64_t n = gone ? size / 2 : size;
  if (d->limit > 0 && offset + n > a->size) {
    int64_t left = d->limit - power_bytes(d);
    uint64_t most = a->size + (left > 0 ? (uint64_t)left : 0);
    if (offset + n > most) {
      n = most > offset ? most - offset : 0;
      rc = ENOSPC;
    }
  }
  if (n > 0) {
    room(a, offset + n);
    if (offset > a->size) touch(a, a->size, offset);
    memcpy(a->now + offset, buf, n);
    touch(a, offset, offset + n);
    if (offset + n > a->size) a->size = offset + n;
  }
  *done = n;
  return gone ? EIO : rc;
}
static int32_t p_truncate(void *user, void *file, uint64_t size) {
  node *a = ((handle *)file)->at;
  int gone;
  int32_t rc = step(user, 1, &gone);
  if (rc != 0 || gone) return EIO;
  room(a, size);
  if (size < a->size) {
    memset(a->now + size, 0, a->size - size);
    touch(a, size, a->size);
  } else {
    touch(a, a->size, size);
  }
  a->size = size;
  return 0;
}
static int32_t p_sync(void *user, void *file) {
  node *a = ((handle *)file)->at;
  int gone;
  int32_t rc = step(user, 1, &gone);
  if (rc != 0 || gone) return EIO;
  if (a->cap) {
    memcpy(a->safe, a->now, a->cap);
    memset(a->dirty, 0, a->cap / SECTOR);
  }
  a->safe_size = a->size;
  return 0;
}
static int32_t p_rename(void *user, const char *from, const char *to) {
  power_disk *d = user;
  char a[NAME], b[NAME];
  int gone;
  int32_t rc = step(d, 1, &gone);
  clean(from, a);
  clean(to, b);
  if (rc != 0 || gone) return EIO;
  if (look(&d->now, a) == NULL) return ENOENT;
  record(d, 'r', a, b, NULL);
  apply(&d->now, &d->pending[d->n_pending - 1]);
  return 0;
}
static int32_t p_remove(void *user, const char *name) {
  power_disk *d = user;
  char path[NAME];
  int gone;
  int32_t rc = step(d, 1, &gone);
  clean(name, path);
  if (rc != 0 || gone) return EIO;
  if (look(&d->now, path) == NULL) return ENOENT;
  record(d, 'u', path, NULL, NULL);
  drop(&d->now, path);
  return 0;
}
static int32_t p_make_folder(void *user, const char *name) {
  power_disk *d = user;
  char path[NAME], up[NAME];
  int gone;
  int32_t rc = step(d, 1, &gone);
  clean(name, path);
  parent(path, up);
  if (rc != 0 || gone) return EIO;
  if (look(&d->now, path) != NULL) return EEXIST;
  if (!there(d, up)) return ENOENT;
  node *a = fresh(d, 1);
  put(&d->now, path, a);
  record(d, 'l', path, NULL, a);
  return 0;
}
static int32_t p_sync_folder(void *user, const char *name) {
  power_disk *d = user;
  char path[NAME];
  int gone, left = 0;
  int32_t rc = step(d, 1, &gone);
  clean(name, path);
  if (rc != 0 || gone) return EIO;
  for (int i = 0; i < d->n_pending; i++) {
    if (strcmp(d->pending[i].folder, path) == 0) apply(&d->safe, &d->pending[i]);
    else d->pending[left++] = d->pending[i];
  }
  d->n_pending = left;
  return 0;
}
static int32_t p_list(void *user, const char *name, void (*each)(void *arg, const char *name), void *arg) {
  power_disk *d = user;
  char path[NAME], up[NAME];
  int gone;
  int32_t rc = step(d, 0, &gone);
  clean(name, path);
  if (rc != 0) return rc;
  const entry *e = look(&d->now, path);
  if (e == NULL && !there(d, path)) return ENOENT;
  if (e != NULL && !e->at->folder) return ENOTDIR;
  map copy = {must(malloc(((size_t)d->now.n + 1) * sizeof(entry))), d->now.n, d->now.n};
  memcpy(copy.e, d->now.e, (size_t)copy.n * sizeof(entry));
  for (int i = 0; i < copy.n; i++) {
    parent(copy.e[i].path, up);
    if (strcmp(up, path) == 0) each(arg, strrchr(copy.e[i].path, '/') ? strrchr(copy.e[i].path, '/') + 1 : copy.e[i].path);
  }
  free(copy.e);
  return 0;
}
static int32_t p_lock(void *user, void *file, int64_t kind) {
  handle *h = file;
  int gone;
  int32_t rc = step(user, 0, &gone);
  if (rc != 0) return rc;
  unlock(h);
  if (kind == 0) return 0;
  if (h->at->locked || (kind == 2 && h->at->shared)) return EWOULDBLOCK;
  if (kind == 2) h->at->locked = 1;
  else h->at->shared++;
  h->lock = (int)kind;
  return 0;
}

/* One call at a time. */
#define GUARDED(call)                                  \
  power_disk *disk = user;                             \
  pthread_mutex_lock(&disk->mutex);                    \
  const int32_t result = call;                         \
  pthread_mutex_unlock(&disk->mutex);                  \
  return result;
static int32_t g_open(void *user, const char *path, uint64_t mode, void **file) { GUARDED(p_open(user, path, mode, file)) }
static int32_t g_close(void *user, void *file) { GUARDED(p_close(user, file)) }
static int32_t g_size(void *user, void *file, uint64_t *size) { GUARDED(p_size(user, file, size)) }
static int32_t g_read(void *user, void *file, uint64_t at, void *buf, uint64_t size, uint64_t *done) {
  GUARDED(p_read(user, file, at, buf, size, done))
}
static int32_t g_write(void *user, void *file, uint64_t at, const void *buf, uint64_t size, uint64_t *done) {
  GUARDED(p_write(user, file, at, buf, size, done))
}
static int32_t g_truncate(void *user, void *file, uint64_t size) { GUARDED(p_truncate(user, file, size)) }
static int32_t g_sync(void *user, void *file) { GUARDED(p_sync(user, file)) }
static int32_t g_rename(void *user, const char *from, const char *to) { GUARDED(p_rename(user, from, to)) }
static int32_t g_remove(void *user, const char *path) { GUARDED(p_remove(user, path)) }
static int32_t g_make_folder(void *user, const char *path) { GUARDED(p_make_folder(user, path)) }
static int32_t g_sync_folder(void *user, const char *path) { GUARDED(p_sync_folder(user, path)) }
static int32_t g_lock(void *user, void *file, int64_t kind) { GUARDED(p_lock(user, file, kind)) }

void power_table(leat_file_system *t, power_disk *d) {
  memset(t, 0, sizeof *t);
  t->struct_size = sizeof *t;
  t->user = d;
  t->open = g_open;
  t->close = g_close;
  t->size = g_size;
  t->read_at = g_read;
  t->write_at = g_write;
  t->truncate = g_truncate;
  t->sync = g_sync;
  t->rename = g_rename;
  t->remove = g_remove;
  t->make_folder = g_make_folder;
  t->sync_folder = g_sync_folder;
  t->list = p_list; /* its callback may come back */
  t->lock = g_lock;
}

power_disk *power_create(void) {
  power_disk *d = must(calloc(1, sizeof *d));
  pthread_mutex_init(&d->mutex, NULL);
  return d;
}
void power_free(power_disk *d) {
  if (d == NULL) return;
  for (node *a = d->nodes; a != NULL;) {
    node *next = a->next;
    free(a->now);
    free(a->safe);
    free(a->dirty);
    free(a);
    a = next;
  }
  free(d->now.e);
  free(d->safe.e);
  free(d->pending);
  pthread_mutex_destroy(&d->mutex);
  free(d);
}
void power_fail_at(power_disk *d, int64_t at) { d->fail_at = at; }
int64_t power_changes(const power_disk *d) { return d->changes; }
int power_failed(const power_disk *d) { return d->failed; }
void power_limit(power_disk *d, int64_t bytes) { d->limit = bytes; }
int64_t power_bytes(const power_disk *d) {
  int64_t sum = 0;
  for (int i = 0; i < d->now.n; i++) sum += (int64_t)d->now.e[i].at->size;
  return sum;
}

static uint64_t draw(uint64_t *state) { /* SplitMix64 */
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void lose(node *a, uint64_t *state, uint64_t chance) {
  if (a->cap == 0) return;
  uint64_t size = a->size == a->safe_size || draw(state) % 4 >= chance ? a->safe_size : a->size;
  uint64_t sectors = a->cap / SECTOR;
  for (uint64_t s = 0; s < sectors; s++)
    if (a->dirty[s] && draw(state) % 4 < chance) memcpy(a->safe + s * SECTOR, a->now + s * SECTOR, SECTOR);
  if (size < a->cap) memset(a->safe + size, 0, a->cap - size);
  memcpy(a->now, a->safe, a->cap);
  memset(a->dirty, 0, sectors);
  a->size = a->safe_size = size;
}

void power_restore(power_disk *d, uint64_t seed) {
  uint64_t state = seed;
  const uint64_t chance = draw(&state) % 5; /* of 4: from nothing kept to everything */
  for (int i = 0; i < d->n_pending; i++)
    if (draw(&state) % 4 < chance) apply(&d->safe, &d->pending[i]);
  d->n_pending = 0;
  for (node *a = d->nodes; a != NULL; a = a->next) {
    lose(a, &state, chance);
    a->handles = a->locked = a->shared = 0;
  }
  d->now.n = 0;
  for (int turn = 0; turn < 8; turn++) /* what lies in a lost folder is lost */
    for (int i = 0; i < d->safe.n; i++) {
      char up[NAME];
      parent(d->safe.e[i].path, up);
      if (there(d, up)) put(&d->now, d->safe.e[i].path, d->safe.e[i].at);
    }
  d->safe.n = 0;
  for (int i = 0; i < d->now.n; i++) put(&d->safe, d->now.e[i].path, d->now.e[i].at);
  d->failed = 0;
  d->fail_at = 0;
  d->life++;
}
