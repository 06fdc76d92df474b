/* The registry: backends and their devices, by name. Devices never go before the runtime does, so pointers to them may
 * be kept; the lists are under a lock because plug-ins can be added at any time. */
#include "device/registry.h"
#include "base/load.h"
#include "device/host_device.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { REGISTRY_MAX_DEVICES = 1024, REGISTRY_MAX_NAME = 64 };

/* ---- going away */
static void device_drop(leat_device *dev) {
  if (!dev) return;
  leat_runtime *rt = dev->backend->rt;
  if (dev->open && dev->backend->table.device_close) dev->backend->table.device_close(dev->open);
  lt_mutex_destroy(&dev->lock);
  lt_free(rt, dev->name);
  lt_free(rt, dev->vendor);
  lt_free(rt, dev);
}

/* keep_library: the caller keeps it (an add that failed). */
static void backend_drop(lt_backend *b, int keep_library) {
  if (!b) return;
  leat_runtime *rt = b->rt;
  if (b->table.close) b->table.close(b->table.self);
  if (!keep_library) lt_library_close(b->library);
  lt_free(rt, b->name);
  lt_free(rt, b);
}

static void registry_release(void *registry) {
  lt_registry *r = registry;
  for (uint64_t i = r->n_devices; i-- > 0;) device_drop(r->devices[i]);
  for (uint64_t i = r->n_backends; i-- > 0;) backend_drop(r->backends[i], 0);
  lt_free(r->rt, r->devices);
  lt_free(r->rt, r->backends);
  lt_mutex_destroy(&r->lock);
  lt_free(r->rt, r);
}

/* ---- adding */
/* What a plug-in may have said in err, made safe to print; `fallback` when it said nothing. */
static leat_status plugin_failed(leat_error *err, leat_status st, const char *whence, leat_error *said,
                                 const char *fallback) {
  said->message[sizeof said->message - 1] = 0;
  if (st > 0) st = LEAT_E_BACKEND;
  return lt_fail_os(err, st, said->os_code, "%s: %s", whence, said->message[0] ? said->message : fallback);
}

static leat_error fresh_error(void) {
  leat_error e;
  memset(&e, 0, sizeof e);
  e.struct_size = sizeof e;
  return e;
}

static int name_is_good(const char *name) {
  uint64_t n = 0;
  for (; name[n]; n++)
    if (n >= REGISTRY_MAX_NAME || !((name[n] >= 'a' && name[n] <= 'z') || (name[n] >= '0' && name[n] <= '9') ||
                                    name[n] == '-' || name[n] == '_' || name[n] == '.'))
      return 0;
  return n > 0;
}

/* The contract of a table that a query has filled; before its size is known to be good, nothing of it is called. */
static leat_status table_check_size(const leat_b_backend *t, const char *whence, leat_error *err) {
  if (t->struct_size > sizeof *t)
    return lt_fail(err, LEAT_E_VERSION, "%s: its table has %llu bytes, this leat knows %llu; it is built for a newer leat",
                   whence, (unsigned long long)t->struct_size, (unsigned long long)sizeof *t);
  if (t->struct_size < offsetof(leat_b_backend, device_props) + sizeof t->device_props)
    return lt_fail(err, LEAT_E_BACKEND, "%s: its table says struct_size %llu, too small to hold device_props; leave "
                   "struct_size as leat has set it (%llu)", whence, (unsigned long long)t->struct_size,
                   (unsigned long long)sizeof *t);
  return LEAT_OK;
}

static leat_status table_check(const leat_b_backend *t, const char *whence, leat_error *err) {
  if (t->abi_minor_min > LEAT_BACKEND_ABI_MINOR)
    return lt_fail(err, LEAT_E_VERSION, "%s: it needs plug-in interface %d.%llu, this leat has %d.%d", whence,
                   LEAT_BACKEND_ABI_MAJOR, (unsigned long long)t->abi_minor_min, LEAT_BACKEND_ABI_MAJOR,
                   LEAT_BACKEND_ABI_MINOR);
  if (!t->name || !name_is_good(t->name))
    return lt_fail(err, LEAT_E_BACKEND, "%s: its name must have 1 to %d of a-z 0-9 - _ .", whence, REGISTRY_MAX_NAME);
  if (!t->device_count || !t->device_props)
    return lt_fail(err, LEAT_E_BACKEND, "%s: %s is NULL; every plug-in must have it", whence,
                   t->device_count ? "device_props" : "device_count");
  return LEAT_OK;
}

/* Names of leat's own in place of the plug-in's: "opencl:0", and "VENDOR MODEL" as vendor. */
static leat_status device_name(leat_device *dev, leat_error *err) {
  lt_backend *b = dev->backend;
  const char *vendor = dev->props.vendor ? dev->props.vendor : "", *model = dev->props.name ? dev->props.name : "";
  char name[REGISTRY_MAX_NAME + 32], maker[512];
  snprintf(name, sizeof name, "%s:%lld", b->name, (long long)dev->index);
  snprintf(maker, sizeof maker, "%s%s%s", vendor, *vendor && *model ? " " : "", model);
  dev->name = lt_strdup(b->rt, b->built_in ? b->name : name);
  dev->vendor = lt_strdup(b->rt, b->built_in ? vendor : maker);
  if (!dev->name || !dev->vendor) return lt_fail_memory(err, sizeof name, "a device's name");
  dev->props.struct_size = sizeof dev->props;
  dev->props.name = dev->name;
  dev->props.vendor = dev->vendor;
  dev->props.backend = b->name;
  if (!dev->props.driver) dev->props.driver = "";
  return LEAT_OK;
}

static leat_status device_make(lt_backend *b, int64_t index, leat_device **out, leat_error *err) {
  leat_error said = fresh_error();
  leat_device *dev = lt_zalloc(b->rt, sizeof *dev);
  if (!dev) return lt_fail_memory(err, sizeof *dev, "a device");
  if (lt_mutex_init(&dev->lock)) {
    lt_free(b->rt, dev);
    return lt_fail(err, LEAT_E_MEMORY, "no memory for a lock");
  }
  dev->backend = b;
  dev->index = index;
  dev->props.struct_size = sizeof dev->props;
  leat_status st = b->table.device_props(b->table.self, index, &dev->props, &said);
  st = st ? plugin_failed(err, st, b->name, &said, "device_props failed") : device_name(dev, err);
  if (st) device_drop(dev);
  else *out = dev;
  return st;
}

static leat_status backend_make(leat_runtime *rt, leat_backend_query_fn query, void *library, const char *whence,
                                lt_backend **out, leat_error *err) {
  leat_error said = fresh_error();
  leat_b_backend table;
  lt_backend *b = lt_zalloc(rt, sizeof *b);
  if (!b) return lt_fail_memory(err, sizeof *b, "a plug-in");
  b->rt = rt;
  lt_backend_lend(b);
  memset(&table, 0, sizeof table);
  table.struct_size = sizeof table;
  leat_status st = query(LEAT_BACKEND_ABI_MAJOR, &b->host, &table, &said);
  if (st) st = plugin_failed(err, st, whence, &said, "it refused to start and gave no reason");
  else st = table_check_size(&table, whence, err);
  if (st) goto fail; /* it did not begin, or cannot be called: there is nothing to close */
  memcpy(&b->table, &table, table.struct_size);
  st = table_check(&b->table, whence, err);
  if (st) goto fail;
  b->built_in = query == lt_cpu_query || query == lt_reference_query;
  b->library = library;
  b->name = lt_strdup(rt, table.name);
  if (!b->name) {
    st = lt_fail_memory(err, strlen(table.name) + 1, "a plug-in's name");
    goto fail;
  }
  *out = b;
  return LEAT_OK;
fail:
  backend_drop(b, 1);
  return st;
}

/* All its devices at once, or none. */
static leat_status registry_insert(lt_registry *r, lt_backend *b, const char *whence, leat_error *err) {
  leat_error said = fresh_error();
  int64_t count = 0;
  leat_status st = b->table.device_count(b->table.self, &count, &said);
  if (st) return plugin_failed(err, st, whence, &said, "device_count failed");
  if (count < 0 || count > REGISTRY_MAX_DEVICES)
    return lt_fail(err, LEAT_E_BACKEND, "%s: it has %lld devices; 0 to %d are allowed", whence, (long long)count,
                   REGISTRY_MAX_DEVICES);
  lt_mutex_lock(&r->lock);
  uint64_t before = r->n_devices;
  for (uint64_t i = 0; i < r->n_backends && !st; i++)
    if (!strcmp(r->backends[i]->name, b->name))
      st = lt_fail(err, LEAT_E_BACKEND, "%s: a plug-in of the name %s is there already", whence, b->name);
  if (!st) st = lt_grow(r->rt, (void **)&r->devices, &r->cap_devices, before + (uint64_t)count, sizeof *r->devices, err);
  if (!st) st = lt_grow(r->rt, (void **)&r->backends, &r->cap_backends, r->n_backends + 1, sizeof *r->backends, err);
  for (int64_t i = 0; i < count && !st; i++) {
    st = device_make(b, i, &r->devices[r->n_devices], err);
    if (!st) r->n_devices++;
  }
  if (st) {
    while (r->n_devices > before) device_drop(r->devices[--r->n_devices]);
  } else {
    r->backends[r->n_backends++] = b;
  }
  lt_mutex_unlock(&r->lock);
  return st;
}

leat_status lt_devices_take(leat_runtime *rt, leat_backend_query_fn query, void *library, const char *whence,
                            leat_error *err) {
  lt_registry *r = lt_runtime_devices(rt);
  lt_backend *b = NULL;
  leat_status st = backend_make(rt, query, library, whence, &b, err);
  if (!st && (st = registry_insert(r, b, whence, err)) != 0) backend_drop(b, 1);
  return st;
}

leat_status lt_devices_add(leat_runtime *rt, leat_backend_query_fn query, leat_error *err) {
  return lt_devices_take(rt, query, NULL, "the linked plug-in", err);
}

leat_status lt_devices_init(leat_runtime *rt, leat_error *err) {
  lt_registry *r = lt_zalloc(rt, sizeof *r);
  if (!r) return lt_fail_memory(err, sizeof *r, "the device registry");
  if (lt_mutex_init(&r->lock)) {
    lt_free(rt, r);
    return lt_fail(err, LEAT_E_MEMORY, "no memory for a lock");
  }
  r->rt = rt;
  lt_runtime_set_devices(rt, r, registry_release);
  leat_status st = lt_devices_take(rt, lt_cpu_query, NULL, "cpu", err);
  return st ? st : lt_devices_take(rt, lt_reference_query, NULL, "reference", err);
}

/* ---- asking */
int64_t lt_devices_count(const leat_runtime *rt) {
  lt_registry *r = lt_runtime_devices(rt);
  lt_mutex_lock(&r->lock);
  int64_t n = (int64_t)r->n_devices;
  lt_mutex_unlock(&r->lock);
  return n;
}

const leat_device *lt_devices_at(const leat_runtime *rt, int64_t index) {
  lt_registry *r = lt_runtime_devices(rt);
  const leat_device *dev = NULL;
  lt_mutex_lock(&r->lock);
  if (index >= 0 && (uint64_t)index < r->n_devices) dev = r->devices[index];
  lt_mutex_unlock(&r->lock);
  return dev;
}

leat_status lt_devices_find(const leat_runtime *rt, const char *name, const leat_device **out, leat_error *err) {
  const char *near[16];
  int64_t n = lt_devices_count(rt), n_near = 0;
  *out = NULL;
  for (int64_t i = 0; i < n; i++) {
    const leat_device *dev = lt_devices_at(rt, i);
    if (!strcmp(dev->name, name)) *out = dev;
    if (n_near < 16) near[n_near++] = dev->name;
  }
  if (*out) return LEAT_OK;
  const char *meant = lt_nearest(name, near, n_near);
  if (meant) return lt_fail(err, LEAT_E_NOT_FOUND, "there is no device '%s'; did you mean '%s'?", name, meant);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no device '%s' among the %lld of this runtime; 'cpu' is always there, "
                 "others come with their plug-in", name, (long long)n);
}

const leat_device *lt_devices_cpu(const leat_runtime *rt) { return lt_devices_at(rt, 0); }
const char *lt_device_name(const leat_device *dev) { return dev->name; }
leat_runtime *lt_device_runtime(const leat_device *dev) { return dev->backend->rt; }

leat_status lt_device_props(const leat_device *dev, leat_device_props *props, leat_error *err) {
  leat_device_props known;
  uint64_t given = props->struct_size;
  leat_status st = lt_take_struct(&known, sizeof known, props, given < sizeof known ? given : sizeof known,
                                  "leat_device_props", err);
  if (!st) lt_give_struct(props, given, &dev->props, sizeof dev->props);
  return st;
}

leat_status lt_device_why(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  const leat_b_backend *t = &dev->backend->table;
  char why[512] = "";
  uint64_t size = 0;
  if (t->device_state) {
    leat_error said = fresh_error();
    leat_status st = t->device_state(t->self, dev->index, why, sizeof why, &size, &said);
    why[sizeof why - 1] = 0;
    if (st && st != LEAT_E_CAPACITY) return plugin_failed(err, st, dev->name, &said, "device_state failed");
  }
  return lt_give_text(why, strlen(why), buf, cap, needed, err);
}

leat_status lt_device_ready(leat_device *dev, leat_error *err) {
  const leat_b_backend *t = &dev->backend->table;
  leat_error said = fresh_error();
  leat_status st = LEAT_OK;
  lt_mutex_lock(&dev->lock);
  if (!dev->open && t->device_open) {
    st = t->device_open(t->self, dev->index, &dev->open, &said);
    if (st) {
      dev->open = NULL;
      st = plugin_failed(err, st, dev->name, &said, "the device cannot be opened");
    }
  }
  lt_mutex_unlock(&dev->lock);
  return st;
}
