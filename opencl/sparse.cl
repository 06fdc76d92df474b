/* Products with sparse rows (CSR). Entries and rows that point outside count as nothing. */

/* Work items: (column of c, row of c), entries in order. */
kernel void csr_gemm(global const int *start, long so, global const int *index, long io, global const float *value,
                     long vo, global const float *b, long bo, long br, global const int *rows, long ro, int has_rows,
                     global float *c, long co, long cr, long r, long nnz, long k, long n, float alpha, float beta) {
  const long j = get_global_id(0), i = get_global_id(1);
  if (j >= n) return;
  const long s = has_rows ? rows[ro + i] : i;
  float sum = 0.0f;
  if (s >= 0 && s < r && alpha != 0.0f) {
    const long from = max((long)start[so + s], 0L), to = min((long)start[so + s + 1], nnz);
    for (long p = from; p < to; p++) {
      const long at = index[io + p];
      if (at >= 0 && at < k) sum = MAD(value[vo + p], b[bo + at * br + j], sum);
    }
  }
  c += co + i * cr + j;
  *c = blend(alpha, sum, beta, c);
}

/* The gradient of b: c = beta * c + alpha * sums. Work items: (column, part of the rows of c): each goes through all
 * entries in order and adds those of its own rows. */
kernel void csr_gemm_t(global const int *start, long so, global const int *index, long io, global const float *value,
                       long vo, global const float *d, long d_o, long dr, global const int *rows, long ro, int has_rows,
                       global float *c, long co, long cr, long r, long nnz, long k, long m, long n, float alpha,
                       float beta, int parts) {
  const long j = get_global_id(0);
  const int part = (int)get_global_id(1);
  if (j >= n) return;
  c += co + j;
  for (long q = part; q < k; q += parts) c[q * cr] = (beta == 0.0f ? 0.0f : beta * c[q * cr]) + (alpha != alpha ? alpha : 0.0f);
  if (alpha == 0.0f) return;
  for (long i = 0; i < m; i++) {
    const long s = has_rows ? rows[ro + i] : i;
    if (s < 0 || s >= r) continue;
    const float v = alpha * d[d_o + i * dr + j];
    const long from = max((long)start[so + s], 0L), to = min((long)start[so + s + 1], nnz);
    for (long p = from; p < to; p++) {
      const long at = index[io + p];
      if (at >= 0 && at < k && at % parts == part) c[at * cr] = MAD(value[vo + p], v, c[at * cr]);
    }
  }
}
