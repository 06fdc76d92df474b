/* Rows by index. 32 bits are moved as they are: float32 and int32 alike. */

/* Work items: (column of y, row of y). */
kernel void gather(global const uint *table, long to, long tr, global const int *index, long io, long ir,
                   global uint *y, long yo, long yr, long v, long d, long columns) {
  const long c = get_global_id(0), i = get_global_id(1);
  if (c >= columns) return;
  const long j = c / d, row = index[io + i * ir + j];
  y[yo + i * yr + c] = row >= 0 && row < v ? table[to + row * tr + (c - j * d)] : 0u;
}

/* table = beta * table + alpha * sums. Work items: (column c, part p of parts): each goes through all indices in order and
 * adds to the rows r with r mod parts = p: nothing is added by two, and always in the same order. */
kernel void scatter_add(global const float *d, long d_o, long dr, global const int *index, long io, long ir,
                        global float *table, long to, long tr, long m, long f, long v, long w, float alpha, float beta,
                        int parts) {
  const long c = get_global_id(0);
  const int part = (int)get_global_id(1);
  if (c >= w) return;
  table += to + c;
  for (long r = part; r < v; r += parts) table[r * tr] = beta == 0.0f ? 0.0f : beta * table[r * tr];
  if (alpha == 0.0f) return;
  for (long i = 0; i < m; i++)
    for (long j = 0; j < f; j++) {
      const int r = index[io + i * ir + j];
      if (r >= 0 && r < v && r % parts == part) table[r * tr] += alpha * d[d_o + i * dr + j * w + c];
    }
}

/* hist [f, bins, 2] of codes [m, f]. Work items: (feature, part of the bins), rows in order. */
kernel void histogram(global const uchar *code, long co, long cr, global const float *g, long go,
                      global const float *h, long ho, global float *hist, long to, long ts, long tb, long m, long f, int bins,
                      float beta, int parts) {
  const long j = get_global_id(0);
  const int part = (int)get_global_id(1);
  if (j >= f) return;
  hist += to + j * ts;
  for (int b = part; b < bins; b += parts) {
    hist[b * tb] = beta == 0.0f ? 0.0f : beta * hist[b * tb];
    hist[b * tb + 1] = beta == 0.0f ? 0.0f : beta * hist[b * tb + 1];
  }
  for (long i = 0; i < m; i++) {
    const int b = code[co + i * cr + j];
    if (b < bins && b % parts == part) {
      hist[b * tb] += g[go + i];
      hist[b * tb + 1] += h[ho + i];
    }
  }
}
