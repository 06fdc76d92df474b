/* What the targets of single files share. The driver without libFuzzer is plain_main.c. */
#ifndef LEAT_TESTS_FUZZ_CHECK_H
#define LEAT_TESTS_FUZZ_CHECK_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t leat_fuzz_seed(size_t number, uint8_t *out, size_t cap);
#define FUZZ_REQUIRE(c) do { if (!(c)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); abort(); } } while (0)
#endif
