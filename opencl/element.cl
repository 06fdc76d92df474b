/* Element by element. Work items: (vectors of columns, row); `n` columns, strides of rows; rows without gaps come as one
 * long row. */
#define MAP(name, value)                                                                               \
  kernel void name(global const float *xs, long xo, long xr, global float *y, long yo, long yr, long n) { \
    AT const vec x = take(xs + xo + i * xr + j, some);                                                 \
    put(value, y + yo + i * yr + j, some);                                                             \
  }
MAP(map_0, x)
MAP(map_1, select(x, (vec)(0.0f), x <= 0.0f))
MAP(map_2, 0.5f * x * erfc_half_vec(x))
MAP(map_3, tanh(x))
MAP(map_4, 1.0f / (1.0f + exp(-x)))
MAP(map_5, exp(x))
MAP(map_6, log1p(x))
MAP(map_7, x * x)
MAP(map_8, sqrt(x))
MAP(map_9, 1.0f / x)

/* s is y for relu, tanh, sigmoid, exp and the square root, x for the others. */
#define GRAD(name, slope)                                                                              \
  kernel void name(global const float *d, long d_o, long dr, global const float *ss, long so, long sr,  \
                   global float *dx, long xo, long xr, long n) {                                       \
    AT const vec s = take(ss + so + i * sr + j, some);                                                 \
    put(take(d + d_o + i * dr + j, some) * (slope), dx + xo + i * xr + j, some);                       \
  }
GRAD(grad_1, select(select((vec)(0.0f), (vec)(1.0f), s > 0.0f), s, isnan(s)))
GRAD(grad_2, 0.5f * erfc_half_vec(s) +
                 select(s * 0.39894228040143268f * exp(-0.5f * s * s), (vec)(0.0f), fabs(s) > 16.0f))
GRAD(grad_3, (1.0f - s) * (1.0f + s))
GRAD(grad_4, s * (1.0f - s))
GRAD(grad_5, s)
GRAD(grad_6, 1.0f / (1.0f + s))
GRAD(grad_7, 2.0f * s)
GRAD(grad_8, 0.5f / s)
GRAD(grad_9, -1.0f / (s * s))

/* br 0: the same row of b for all. */
#define BINARY(name, value)                                                                            \
  kernel void name(global const float *a, long ao, long ar, global const float *b, long bo, long br,    \
                   global float *c, long co, long cr, long n, float alpha, float beta) {               \
    AT const vec u = alpha * take(a + ao + i * ar + j, some), v = beta * take(b + bo + i * br + j, some); \
    put(value, c + co + i * cr + j, some);                                                             \
  }
BINARY(binary_0, u + v)
BINARY(binary_1, u - v)
BINARY(binary_2, u * v)
BINARY(binary_3, u / v)
BINARY(binary_4, select(select(fmax(u, v), v, isnan(v)), u, isnan(u)))
BINARY(binary_5, select(select(fmin(u, v), v, isnan(v)), u, isnan(u)))

kernel void fill(global float *y, long yo, long yr, long n, float value) {
  AT put((vec)(value), y + yo + i * yr + j, some);
}
/* 32 bits as they are: int32 too. */
kernel void copy_32(global const float *x, long xo, long xr, global float *y, long yo, long yr, long n) {
  AT put(take(x + xo + i * xr + j, some), y + yo + i * yr + j, some);
}
#undef AT
#define AT const long j = get_global_id(0), i = get_global_id(1); if (j >= n) return;
/* One element a work item. Types as leat.h numbers them: 1 float32, 3 float16, 4 bfloat16, 6 unsigned 8 bits; 16 bits rounded to nearest even. */
kernel void copy_types(global const uchar *x, long xo, long xr, int from, global uchar *y, long yo, long yr, int to,
                       long n) {
  AT const long p = xo + i * xr + j, q = yo + i * yr + j;
  float v;
  if (from == 1) v = ((global const float *)x)[p];
  else if (from == 3) v = vload_half(p, (global const half *)x);
  else if (from == 4) v = as_float((uint)((global const ushort *)x)[p] << 16);
  else v = (float)x[p];
  if (to == 1) ((global float *)y)[q] = v;
  else if (to == 3) vstore_half_rte(v, q, (global half *)y);
  else {
    const uint u = as_uint(v);
    ((global ushort *)y)[q] = (ushort)(v != v ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
}

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011). Work items: blocks of four elements in the order of rows. */
kernel void dropout(global const float *x, long xo, long xr, global float *y, long yo, long yr, long m, long n,
                    uint least, float factor, ulong seed, ulong stream) {
  const ulong block = get_global_id(0);
  const long first = (long)block * 4, all = m * n;
  if (first >= all) return;
  uint k0 = (uint)seed, k1 = (uint)(seed >> 32), c0 = (uint)block, c1 = (uint)(block >> 32);
  uint c2 = (uint)stream, c3 = (uint)(stream >> 32);
  for (int round = 0; round < 10; round++) {
    const uint h0 = mul_hi(0xD2511F53u, c0), l0 = 0xD2511F53u * c0, h1 = mul_hi(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const uint word[4] = {c0, c1, c2, c3};
  long i = m > 1 ? first / n : 0, j = first - i * n;
  for (int e = 0; e < 4 && first + e < all; e++, j++) {
    if (j == n) j = 0, i++;
    const float v = x[xo + i * xr + j];
    y[yo + i * yr + j] = word[e] >= least ? v * factor : 0.0f;
  }
}
