/* Sealed files: written once, verified whole, then parsed. The first of the two on-disk primitives (packages, tables,
 * checkpoints, datasets). See docs/formats.md for the bytes.
 *   header: magic, kind, format version, minimum reader version, section count, file size, XXH3 of header and table
 *   table:  per section name[16], codec, offset, stored size, raw size, XXH3-128 of the stored bytes
 * Opening verifies the checksum of every section, and that padding is zero; unpacking happens on demand. Trailing
 * bytes are damage. One thread at a time. */
#ifndef LEAT_BASE_SEALED_H
#define LEAT_BASE_SEALED_H
#include "base/bytes.h"
typedef struct lt_sealed lt_sealed;
typedef struct lt_seal lt_seal;
enum { LT_SEAL_RAW = 0, LT_SEAL_ZSTD = 1 };
/* kind: 4 characters, e.g. "MODL" */
leat_status lt_seal_create(leat_runtime *rt, const char kind[4], uint32_t version, uint32_t min_reader, lt_seal **out,
                           leat_error *err);
/* Adds a section (bytes are copied/compressed at once; a large one that zstd would hardly make smaller is stored raw). Names are unique, at most 15 characters. */
leat_status lt_seal_add(lt_seal *s, const char *name, int32_t codec, const void *data, uint64_t size, leat_error *err);
/* The same from w, which is empty then: its memory becomes the section's where it is stored raw. */
leat_status lt_seal_add_put(lt_seal *s, const char *name, int32_t codec, lt_put *w, leat_error *err);
/* The whole file as bytes (owned by s until it is freed). The same sections give the same bytes. */
leat_status lt_seal_bytes(lt_seal *s, const void **data, uint64_t *size, leat_error *err);
/* The same, owned by the caller (lt_free); s can only be freed then. checksum: as lt_sealed_checksum tells it. */
leat_status lt_seal_take(lt_seal *s, void **data, uint64_t *size, char checksum[33], leat_error *err);
/* Writes it with lt_file_replace. */
leat_status lt_seal_write(lt_seal *s, const char *path, leat_error *err);
void lt_seal_free(lt_seal *s);

/* reader_version: the newest format version that this code understands. A file whose min_reader is above it is VERSION.
 * All memory that opening and reading takes is bounded by `budget` bytes (0: the runtime's load budget). */
leat_status lt_sealed_open(leat_runtime *rt, const char *path, const char *kind, uint32_t reader_version,
                           uint64_t budget, lt_sealed **out, leat_error *err);
/* The same from memory, which is borrowed until lt_sealed_free. name: for messages. */
leat_status lt_sealed_open_bytes(leat_runtime *rt, const void *data, uint64_t size, const char *name,
                                 const char *kind, uint32_t reader_version, uint64_t budget, lt_sealed **out,
                                 leat_error *err);
/* kind "" above: any kind (else 4 characters); then this tells which. */
void lt_sealed_kind(const lt_sealed *s, char kind[5]);
uint32_t lt_sealed_version(const lt_sealed *s);
int64_t lt_sealed_count(const lt_sealed *s);
leat_status lt_sealed_info(const lt_sealed *s, int64_t index, const char **name, uint64_t *stored, uint64_t *raw,
                           int32_t *codec, leat_error *err);
/* A section's raw bytes, verified and decompressed into memory owned by s. NOT_FOUND when it is not there. */
leat_status lt_sealed_section(lt_sealed *s, const char *name, const void **data, uint64_t *size, leat_error *err);
/* XXH3-128 over the table (thus over all contents) as 32 hex digits + NUL. */
void lt_sealed_checksum(const lt_sealed *s, char hex[33]);
void lt_sealed_free(lt_sealed *s);
#endif
