/* Rows by index. 32 bits are moved as they are: float32 and int32 alike. */

/* Work items: (vectors of a row's columns, index of the row in the order of y). */
kernel void gather(global const float *table, long to, long tr, global const int *index, long io, long ir,
                   global float *y, long yo, long yr, long v, long n, long f) {
  AT
  const long row_y = i / f, in_row = i - row_y * f, row = index[io + row_y * ir + in_row];
  y += yo + row_y * yr + in_row * n + j;
  if (row >= 0 && row < v) put(take(table + to + row * tr + j, some), y, some);
  else put((vec)(0.0f), y, some);
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
