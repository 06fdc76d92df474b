/* leat.h chapter 15: what any sealed file holds. All checksums are verified at opening, so a handle is immutable. */
#include "base/sealed.h"
#include <string.h>

struct leat_inspection {
  leat_runtime *rt;
  lt_sealed *file;
  int64_t sections;
};

/* The four letters that mark a file -> the word users see. */
static const char *format_word(const char kind[5], char own[5]) {
  static const char *const words[][2] = { { "MODL", "model" }, { "CKPT", "checkpoint" }, { "LTAB", "table" }, { "DATA", "dataset" } };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (memcmp(kind, words[i][0], 4) == 0) return words[i][1];
  memcpy(own, kind, 5);
  return own;
}

static leat_status verify_sections(leat_inspection *in, leat_error *err) {
  in->sections = lt_sealed_count(in->file);
  for (int64_t i = 0; i < in->sections; i++) {
    const char *name;
    const void *data;
    uint64_t stored, raw, size;
    int32_t codec;
    leat_status e = lt_sealed_info(in->file, i, &name, &stored, &raw, &codec, err);
    if (!e) e = lt_sealed_section(in->file, name, &data, &size, err);
    if (e) return e;
  }
  return LEAT_OK;
}

leat_status leat_inspection_open(leat_runtime *rt, const char *path, leat_inspection **out, leat_error *err) {
  if (out) *out = NULL;
  if (!rt || !path || !out) return lt_fail(err, LEAT_E_ARG, "inspection: rt, path and out must not be NULL");
  static const char any_kind[4] = { 0 };
  leat_inspection *in = lt_zalloc(rt, sizeof *in);
  if (!in) return lt_fail_memory(err, sizeof *in, "an inspection");
  in->rt = rt;
  lt_runtime_ref(rt);
  leat_status e = lt_sealed_open(rt, path, any_kind, UINT32_MAX, 0, &in->file, err);
  if (!e) e = verify_sections(in, err);
  if (e) {
    leat_inspection_free(in);
    return e;
  }
  *out = in;
  return lt_ok(err);
}

void leat_inspection_free(leat_inspection *in) {
  if (!in) return;
  leat_runtime *rt = in->rt;
  lt_sealed_free(in->file);
  lt_free(rt, in);
  lt_runtime_unref(rt);
}

leat_status leat_inspection_get_i64(const leat_inspection *in, const char *name, int64_t *value, leat_error *err) {
  static const char *const names[] = { "version", "sections" };
  if (value) *value = 0;
  if (!in || !name || !value) return lt_fail(err, LEAT_E_ARG, "inspection: in, name and value must not be NULL");
  if (strcmp(name, "version") == 0) *value = (int64_t)lt_sealed_version(in->file);
  else if (strcmp(name, "sections") == 0) *value = in->sections;
  else {
    const char *near = lt_nearest(name, names, 2);
    return lt_fail(err, LEAT_E_NOT_FOUND, "inspection: no integer '%s': expected %s", name,
                   near ? near : "version or sections");
  }
  return lt_ok(err);
}

leat_status leat_inspection_get_text(const leat_inspection *in, const char *name, char *buf, uint64_t cap,
                                     uint64_t *needed, leat_error *err) {
  char kind[5], own[5], hex[33];
  const char *text = NULL;
  if (needed) *needed = 0;
  if (!in || !name || !needed || (cap && !buf))
    return lt_fail(err, LEAT_E_ARG, "inspection: in, name, buf and needed must not be NULL");
  if (strcmp(name, "format") == 0) {
    lt_sealed_kind(in->file, kind);
    text = format_word(kind, own);
  } else if (strcmp(name, "checksum") == 0) {
    lt_sealed_checksum(in->file, hex);
    text = hex;
  } else
    return lt_fail(err, LEAT_E_NOT_FOUND, "inspection: no text '%s': expected format or checksum", name);
  leat_status e = lt_give_text(text, strlen(text), buf, cap, needed, err);
  return e ? e : lt_ok(err);
}

leat_status leat_inspection_section(const leat_inspection *in, int64_t index, leat_section_info *info,
                                    leat_error *err) {
  if (!in || !info) return lt_fail(err, LEAT_E_ARG, "inspection: in and info must not be NULL");
  leat_section_info full, given;
  leat_status e = lt_take_struct(&given, sizeof given, info, info->struct_size, "leat_section_info", err);
  if (e) return e;
  if (index < 0 || index >= in->sections)
    return lt_fail(err, LEAT_E_NOT_FOUND, "inspection: no section %lld: the file has %lld", (long long)index,
                   (long long)in->sections);
  uint64_t stored, raw;
  int32_t codec;
  memset(&full, 0, sizeof full);
  e = lt_sealed_info(in->file, index, &full.name, &stored, &raw, &codec, err);
  if (e) return e;
  full.struct_size = info->struct_size;
  full.codec = codec == LT_SEAL_ZSTD ? "zstd" : "raw";
  full.stored_bytes = (int64_t)stored;
  full.raw_bytes = (int64_t)raw;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return lt_ok(err);
}
