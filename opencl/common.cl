/* In front of every program. Tensors come as a pointer and an offset in elements; strides are in elements. */
#pragma OPENCL EXTENSION cl_khr_byte_addressable_store : enable

/* a * b + c, rounded once where the device does that in hardware. */
#ifdef HAS_FMA
#define MAD fma
#else
#define MAD mad
#endif

/* Elementwise work goes by vectors of VW: a work item takes VW neighbours of one row; of the row's end it takes what is
 * there. VW is 8 on processors, 4 elsewhere. */
#ifndef VW
#define VW 4
#endif
#if VW == 8
typedef float8 vec;
typedef int8 vec_int;
#define VLOAD vload8
#define VSTORE vstore8
#else
typedef float4 vec;
typedef int4 vec_int;
#define VLOAD vload4
#define VSTORE vstore4
#endif
#define AT                                                                                             \
  const long j = get_global_id(0) * VW, i = get_global_id(1);                                          \
  if (j >= n) return;                                                                                  \
  const int some = (int)min((long)VW, n - j);
inline vec take(global const float *p, int some) {
  if (some == VW) return VLOAD(0, p);
  float t[VW];
  for (int e = 0; e < VW; e++) t[e] = e < some ? p[e] : 1.0f;
  return VLOAD(0, t);
}
inline void put(vec v, global float *p, int some) {
  if (some == VW) {
    VSTORE(v, 0, p);
    return;
  }
  float t[VW];
  VSTORE(v, 0, t);
  for (int e = 0; e < some; e++) p[e] = t[e];
}

/* erfc(-x / sqrt 2), the rounding of its argument taken back: far out that would be many units of the last place. */
inline float erfc_half(float x) {
  const float z = -0.70710678f * x, dz = MAD(x, -0.70710678f, -z) - x * 1.21016170e-8f;
  return fabs(z) > 12.0f ? erfc(z) : erfc(z) - 1.12837917f * exp(-z * z) * dz;
}
inline vec erfc_half_vec(vec x) {
  const vec z = -0.70710678f * x, dz = MAD(x, (vec)(-0.70710678f), -z) - x * 1.21016170e-8f;
  return erfc(z) - select(1.12837917f * exp(-z * z) * dz, (vec)(0.0f), fabs(z) > 12.0f);
}

/* f of docs/ops.md: 0 none, 1 relu, 2 gelu, 3 tanh, 4 sigmoid. A NaN stays one. */
inline float act(int f, float x) {
  switch (f) {
  case 1: return x <= 0.0f ? 0.0f : x;
  case 2: return 0.5f * x * erfc_half(x);
  case 3: return tanh(x);
  case 4: return 1.0f / (1.0f + exp(-x));
  default: return x;
  }
}
/* alpha * sum + beta * c, where c is not read when beta is 0. */
inline float blend(float alpha, float sum, float beta, global const float *c) {
  const float r = alpha * sum;
  return beta == 0.0f ? r : MAD(beta, *c, r);
}
