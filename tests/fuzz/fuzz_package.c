/* Packages and checkpoints whose *contents* lie: a real file is taken apart, bytes of one section are changed, and the
 * file is sealed again with right checksums, so that every parser behind the checksums meets nonsense. Loading must give
 * an error or an object that can be used. Without resealing, any change must be refused.
 *
 * Input: byte 0 what (bit 0 checkpoint, bit 1 do not reseal), byte 1 the section, then edits of 4 bytes: where (two
 * bytes, scaled to the section), how, with what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sealed.h"
#include "leat/leat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);

typedef struct file { uint8_t *data; uint64_t size; char kind[5]; } file;
static leat_runtime *rt;
static leat_dataset *rows;
static file package[2], checkpoint[2]; /* linear, a network */
static char path[256];
static const char *const fields[] = {"31", "4.5", "two", "slow line", "1"};

static void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_package: %s\n", what);
  abort();
}

static void read_back(file *f) {
  FILE *in = fopen(path, "rb");
  must(in != NULL && fseek(in, 0, SEEK_END) == 0, "reading back");
  f->size = (uint64_t)ftell(in);
  rewind(in);
  f->data = malloc(f->size);
  must(f->data != NULL && fread(f->data, 1, f->size, in) == f->size, "reading back");
  fclose(in);
}

static const char csv[] =
    "age,charge,plan,note,flag,churn\n21,1.5,one,slow line,1,yes\n35,,two,happy,0,no\n60,9.25,one,,1,no\n"
    "18,2.5,three,called twice,0,yes\n44,3,two,moved house,1,no\n23,1.25,one,slow line again,0,yes\n";
static uint64_t csv_at;
static int64_t pull(void *user, void *buf, uint64_t cap) {
  (void)user;
  uint64_t n = sizeof csv - 1 - csv_at;
  if (n > cap) n = cap;
  memcpy(buf, csv + csv_at, n);
  csv_at += n;
  return (int64_t)n;
}

static void train(const char *spec, int k) {
  leat_params *params = NULL;
  leat_trainer *trainer = NULL;
  leat_model *model = NULL;
  leat_error err = {.struct_size = sizeof err};
  must(leat_params_create(rt, spec, &params, &err) == LEAT_OK, err.message);
  must(leat_params_set_i64(params, "hash_bits", 6, &err) == LEAT_OK, err.message);
  if (k) {
    must(leat_params_set_text(params, "layers", "4,3", &err) == LEAT_OK, err.message);
    must(leat_params_set_text(params, "norm", "batch", &err) == LEAT_OK, err.message);
    must(leat_params_set_i64(params, "embedding", 2, &err) == LEAT_OK, err.message);
    must(leat_params_set_i64(params, "embedding_from", 3, &err) == LEAT_OK, err.message);
    must(leat_params_set_i64(params, "max_iterations", 2, &err) == LEAT_OK, err.message);
  }
  must(leat_trainer_create(rt, params, NULL, NULL, &trainer, &err) == LEAT_OK, err.message);
  must(leat_trainer_set_data(trainer, rows, NULL, &err) == LEAT_OK, err.message);
  must(leat_trainer_step(trainer, 0, NULL, &err) == LEAT_OK, err.message);
  must(leat_trainer_save(trainer, path, &err) == LEAT_OK, err.message);
  read_back(&checkpoint[k]);
  must(leat_trainer_fit(trainer, &err) == LEAT_OK, err.message);
  must(leat_trainer_snapshot(trainer, &model, &err) == LEAT_OK, err.message);
  must(leat_model_save(model, path, &err) == LEAT_OK, err.message);
  read_back(&package[k]);
  leat_model_free(model);
  leat_trainer_free(trainer);
  leat_params_free(params);
}

static void start(void) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1, .load_budget_bytes = 64 << 20};
  leat_params *reader = NULL;
  leat_error err = {.struct_size = sizeof err};
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/leat-fuzz-%d.tmp", folder != NULL ? folder : "/tmp", (int)getpid());
  must(leat_runtime_create(&opts, &rt, &err) == LEAT_OK, err.message);
  must(leat_params_create(rt, "reader/csv", &reader, &err) == LEAT_OK, err.message);
  must(leat_params_set_text(reader, "target", "churn", &err) == LEAT_OK, err.message);
  must(leat_params_set_text(reader, "text", "note", &err) == LEAT_OK, err.message);
  must(leat_dataset_from_reader(rt, NULL, reader, "seed.csv", pull, NULL, &rows, &err) == LEAT_OK, err.message);
  train("model/linear", 0);
  train("model/mlp", 1);
  leat_params_free(reader);
}

static void edit(uint8_t *bytes, uint64_t n, const uint8_t *how, size_t count) {
  for (size_t i = 0; i + 4 <= count && n > 0; i += 4) {
    const uint64_t at = ((uint64_t)how[i] << 8 | how[i + 1]) * n / 65536u;
    const uint8_t v = how[i + 3];
    switch (how[i + 2] % 6) {
      case 0: bytes[at] ^= (uint8_t)(1u << (v % 8)); break;
      case 1: bytes[at] = v; break;
      case 2: for (uint64_t k = at; k < at + 8 && k < n; k++) bytes[k] = 0xff; break;
      case 3: for (uint64_t k = at; k < at + 8 && k < n; k++) bytes[k] = 0; break;
      case 4: bytes[at] = (uint8_t)(bytes[at] + v); break;
      default: for (uint64_t k = at & ~(uint64_t)7; k < (at & ~(uint64_t)7) + 8 && k < n; k++) bytes[k] = k % 8 == v % 8; break;
    }
  }
}

/* The file anew with one section edited, cut or grown. NULL when the input asks for nothing that can be made. */
static lt_seal *reseal(const file *f, const uint8_t *data, size_t size, const void **out, uint64_t *out_size) {
  lt_sealed *in = NULL;
  lt_seal *seal = NULL;
  char kind[5];
  must(lt_sealed_open_bytes(rt, f->data, f->size, "seed", "", UINT32_MAX, 0, &in, NULL) == LEAT_OK, "the seed opens");
  lt_sealed_kind(in, kind);
  const uint32_t version = lt_sealed_version(in);
  must(lt_seal_create(rt, kind, version, version, &seal, NULL) == LEAT_OK, "seal");
  const int64_t count = lt_sealed_count(in), chosen = data[1] % count;
  for (int64_t i = 0; i < count; i++) {
    const char *name = NULL;
    const void *raw = NULL;
    uint64_t stored = 0, n = 0;
    int32_t codec = 0;
    must(lt_sealed_info(in, i, &name, &stored, &n, &codec, NULL) == LEAT_OK, "info");
    must(lt_sealed_section(in, name, &raw, &n, NULL) == LEAT_OK, "section");
    uint8_t *bytes = malloc(n + 16);
    must(bytes != NULL, "malloc");
    memcpy(bytes, raw, n);
    memset(bytes + n, 0, 16);
    if (i == chosen) {
      const uint8_t shape = data[1] / 64;
      edit(bytes, n, data + 2, size - 2);
      if (shape == 1) n = n * data[2] / 256;
      if (shape == 2) n += data[2] % 16;
    }
    if (i != chosen || data[1] / 64 != 3) must(lt_seal_add(seal, name, codec, bytes, n, NULL) == LEAT_OK, "add");
    free(bytes);
  }
  lt_sealed_free(in);
  must(lt_seal_bytes(seal, out, out_size, NULL) == LEAT_OK, "bytes");
  return seal;
}

static void use_model(const leat_model *m) {
  leat_predictor *q = NULL;
  leat_error err = {.struct_size = sizeof err};
  float out[512];
  uint64_t needed = 0;
  char text[256];
  leat_matrix p = {.struct_size = sizeof p, .data = out, .rows = 6, .cols = 1, .dtype = LEAT_F32};
  if (leat_predictor_create(m, NULL, NULL, &q, &err) == LEAT_OK) {
    int64_t cols = 0, width = 0;
    must(leat_predictor_shape(q, &cols, &width, &err) == LEAT_OK, "shape");
    (void)leat_predictor_one_text(q, fields, 5, out, 512, &err);
    p.cols = width;
    if (width <= 64) (void)leat_predictor_run_dataset(q, rows, &p, &err);
  }
  leat_predictor_free(q);
  for (int k = 0; k < 12; k++) {
    snprintf(text, sizeof text, "feature:%d", k);
    (void)leat_model_get_text(m, text, text, sizeof text, &needed, NULL);
    snprintf(text, sizeof text, "class:%d", k);
    (void)leat_model_get_text(m, text, text, sizeof text, &needed, NULL);
  }
  (void)leat_model_save_bytes(m, NULL, 0, &needed, &err);
}

static void use_checkpoint(const void *bytes, uint64_t n, int changed) {
  leat_trainer *t = NULL;
  leat_error err = {.struct_size = sizeof err};
  FILE *f = fopen(path, "wb");
  must(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0, "writing");
  if (leat_trainer_load(rt, path, NULL, &t, &err) == LEAT_OK) {
    must(!changed, "a changed checkpoint was taken");
    leat_progress progress = {.struct_size = sizeof progress};
    if (leat_trainer_set_data(t, rows, NULL, &err) == LEAT_OK)
      for (int i = 0; i < 3 && leat_trainer_step(t, 0, &progress, &err) == LEAT_OK && progress.state != LEAT_TRAIN_DONE; i++) {}
  } else {
    must(t == NULL && err.message[0] != 0, "an error without a text");
  }
  leat_trainer_free(t);
  remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (rt == NULL) start();
  if (size < 3) return 0;
  const int is_checkpoint = data[0] & 1, as_is = (data[0] & 2) != 0;
  const file *f = is_checkpoint ? &checkpoint[data[0] / 4 & 1] : &package[data[0] / 4 & 1];
  const void *bytes = NULL;
  uint64_t n = 0;
  lt_seal *seal = NULL;
  uint8_t *copy = NULL;
  if (as_is) {
    bytes = copy = malloc(f->size);
    must(copy != NULL, "malloc");
    memcpy(copy, f->data, f->size);
    edit(copy, f->size, data + 2, size - 2);
    n = data[1] == 1 ? f->size * data[2] / 256 : f->size;
  } else {
    seal = reseal(f, data, size, &bytes, &n);
  }
  const int changed = as_is && (n != f->size || memcmp(bytes, f->data, n) != 0);
  if (is_checkpoint) {
    use_checkpoint(bytes, n, changed);
  } else {
    leat_model *m = NULL;
    leat_error err = {.struct_size = sizeof err};
    const leat_status status = leat_model_load_bytes(rt, bytes, n, &m, &err);
    must(!(status == LEAT_OK && changed), "a changed package was taken");
    if (status == LEAT_OK) use_model(m);
    else must(m == NULL && err.message[0] != 0, "an error without a text");
    leat_model_free(m);
  }
  lt_seal_free(seal);
  free(copy);
  return 0;
}

size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap) {
  if (number >= 128 || cap < 64) return 0;
  out[0] = (uint8_t)((number & 3) | number / 64 << 2);
  out[1] = (uint8_t)(number / 4 + (number & 3) * 64);
  for (size_t i = 2; i < 22; i++) out[i] = (uint8_t)(number * 97 + i * 31);
  return 22;
}
