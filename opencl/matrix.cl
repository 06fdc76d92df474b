/* gemv, small products in a batch, products with weights of 8 bits. */

/* y = alpha * a x + beta * y: L work items a row (L a power of two), R rows a group. */
kernel void gemv(global const float *a, long ao, long a_rs, long a_cs, global const float *x, long xo, long x_s,
                 global float *y, long yo, long y_s, int m, int n, float alpha, float beta, local float *t) {
  const int l = (int)get_local_id(0), L = (int)get_local_size(0), r = (int)get_local_id(1);
  const int i = (int)get_global_id(1);
  float sum = 0.0f;
  if (i < m) {
    global const float *row = a + ao + i * a_rs;
    x += xo;
    for (int j = l; j < n; j += L) sum = MAD(row[j * a_cs], x[j * x_s], sum);
  }
  t[r * L + l] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
#define HALVE(s)                                                                                       \
  if (l < s && s < L) t[r * L + l] += t[r * L + l + s];                                                \
  barrier(CLK_LOCAL_MEM_FENCE);
  HALVE(8) HALVE(4) HALVE(2) HALVE(1) /* as in rows.cl; L is at most 16 */
  if (l == 0 && i < m) {
    global float *to = y + yo + i * y_s;
    *to = blend(alpha, t[r * L], beta, to);
  }
}

/* One work item an element of c: (column, row, product). */
kernel void gemm_batched(global const float *a, long ao, long a_ps, long a_rs, long a_cs, global const float *b, long bo,
                         long b_ps, long b_rs, long b_cs, global float *c, long co, long c_ps, long c_rs, long c_cs,
                         int m, int n, int k, float alpha, float beta) {
  const int j = (int)get_global_id(0), i = (int)get_global_id(1);
  const long q = get_global_id(2);
  if (i >= m || j >= n) return;
  a += ao + q * a_ps + i * a_rs;
  b += bo + q * b_ps + j * b_cs;
  c += co + q * c_ps + i * c_rs + j * c_cs;
  float sum = 0.0f;
  for (int p = 0; p < k; p++) sum = MAD(a[p * a_cs], b[p * b_rs], sum);
  *c = blend(alpha, sum, beta, c);
}

/* c = act(scale * a w' + bias), w [n, k] of 8 bits: eight sums by k mod 8, then their sum. */
kernel void gemm_q8(global const float *a, long ao, long a_rs, global const char *w, long wo, long w_rs,
                    global const float *scale, long so, global const float *bias, long bo, global float *c, long co,
                    long c_rs, int m, int n, int k, int f) {
  const int j = (int)get_global_id(0), i = (int)get_global_id(1);
  if (i >= m || j >= n) return;
  a += ao + i * a_rs;
  w += wo + j * w_rs;
  float8 sums = (float8)(0.0f);
  int p = 0;
  for (; p + 8 <= k; p += 8) sums = MAD(vload8(0, a + p), convert_float8(vload8(0, w + p)), sums);
  float sum = ((sums.s0 + sums.s4) + (sums.s1 + sums.s5)) + ((sums.s2 + sums.s6) + (sums.s3 + sums.s7));
  for (; p < k; p++) sum = MAD(a[p], (float)w[p], sum);
  c[co + i * c_rs + j] = act(f, scale[so + j] * sum + bias[bo + j]);
}
