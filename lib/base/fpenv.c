/* The default floating-point environment around compute entries. Reading the control words costs about a nanosecond,
 * writing them drains the pipeline: they are written only when they differ. */
#include "base/runtime.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <xmmintrin.h>
#define FPENV_MXCSR 0x1F80u  /* all exceptions masked, to nearest, no flush to zero, denormals are kept */
#define FPENV_X87 0x037Fu    /* the same, 64-bit significands */
#define FPENV_FLAGS 0x3Fu    /* sticky exception flags: not a setting */

void lt_fpenv_enter(lt_fpenv *e) {
  uint32_t csr = _mm_getcsr();
  uint16_t word;
  __asm__ __volatile__("fnstcw %0" : "=m"(word));
  e->changed = 0;
  if (__builtin_expect((csr & ~FPENV_FLAGS) != FPENV_MXCSR, 0)) {
    e->saved[0] = csr;
    e->changed |= 1;
    _mm_setcsr(FPENV_MXCSR | (csr & FPENV_FLAGS));
  }
  if (__builtin_expect(word != FPENV_X87, 0)) {
    const uint16_t usual = FPENV_X87;
    e->saved[1] = word;
    e->changed |= 2;
    __asm__ __volatile__("fldcw %0" : : "m"(usual));
  }
}

void lt_fpenv_leave(const lt_fpenv *e) {
  if (__builtin_expect(e->changed == 0, 1)) return;
  if (e->changed & 1) _mm_setcsr((uint32_t)e->saved[0]);
  if (e->changed & 2) {
    const uint16_t word = (uint16_t)e->saved[1];
    __asm__ __volatile__("fldcw %0" : : "m"(word));
  }
}
#else
#include <fenv.h>
#include <string.h>
_Static_assert(sizeof(fenv_t) <= sizeof((lt_fpenv *)0)->saved, "lt_fpenv is too small");

void lt_fpenv_enter(lt_fpenv *e) {
  fenv_t env;
  e->changed = fegetenv(&env) == 0;
  if (!e->changed) return;
  memcpy(e->saved, &env, sizeof env);
  fesetenv(FE_DFL_ENV);
}

void lt_fpenv_leave(const lt_fpenv *e) {
  fenv_t env;
  if (!e->changed) return;
  memcpy(&env, e->saved, sizeof env);
  fesetenv(&env);
}
#endif
