/* In front of every program. Tensors come as a pointer and an offset in elements; strides are in elements. */
#pragma OPENCL EXTENSION cl_khr_byte_addressable_store : enable

/* f of docs/ops.md: 0 none, 1 relu, 2 gelu, 3 tanh, 4 sigmoid. A NaN stays one. */
inline float act(int f, float x) {
  switch (f) {
  case 1: return x <= 0.0f ? 0.0f : x;
  case 2: return 0.5f * x * erfc(-0.70710678118654752f * x);
  case 3: return tanh(x);
  case 4: return x >= 0.0f ? 1.0f / (1.0f + exp(-x)) : exp(x) / (1.0f + exp(x));
  default: return x;
  }
}
/* alpha * sum + beta * c, where c is not read when beta is 0. */
inline float blend(float alpha, float sum, float beta, global const float *c) {
  float r = alpha * sum;
  return beta == 0.0f ? r : r + beta * *c;
}
