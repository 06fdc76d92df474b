/* Layer norm: a group has L work items for each of its R rows. Batch norm: one work item a column. */
#define ROW_ITEMS                                                                                      \
  const int l = (int)get_local_id(0), L = (int)get_local_size(0), r = (int)get_local_id(1);            \
  const long i_all = get_global_id(1), i = min(i_all, m - 1);                                          \
  const int mine = i_all < m;
/* As in rows.cl. */
#define HALVE(s)                                                                                       \
  if (l < s && s < L) t[r * L + l] += t[r * L + l + s];                                                \
  barrier(CLK_LOCAL_MEM_FENCE);
#define JOIN(v)                                                                                        \
  {                                                                                                    \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                      \
    t[r * L + l] = v;                                                                                  \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                      \
    HALVE(32) HALVE(16) HALVE(8) HALVE(4) HALVE(2) HALVE(1)                                            \
    v = t[r * L];                                                                                      \
  }

kernel void layer_norm(global const float *x, long xo, long xr, global const float *gamma, long go,
                       global const float *shift, long bo, global float *y, long yo, long yr, global float *mean,
                       long mo, global float *rstd, long ro, long m, long n, float eps, local float *t) {
  ROW_ITEMS
  float sum = 0.0f, squares = 0.0f;
  x += xo + i * xr;
  for (long j = l; j < n; j += L) sum += x[j];
  JOIN(sum)
  const float middle = sum / (float)n;
  for (long j = l; j < n; j += L) squares = MAD(x[j] - middle, x[j] - middle, squares);
  JOIN(squares)
  const float factor = 1.0f / sqrt(squares / (float)n + eps);
  if (!mine) return;
  y += yo + i * yr;
  for (long j = l; j < n; j += L) y[j] = (x[j] - middle) * factor * gamma[go + j] + shift[bo + j];
  if (l == 0) mean[mo + i] = middle, rstd[ro + i] = factor;
}

/* dgamma and dbeta: one work item a column, rows in order. Runs before dx, which may lie on d. */
kernel void layer_norm_columns(global const float *d, long d_o, long dr, global const float *x, long xo, long xr,
                               global const float *mean, long mo, global const float *rstd, long ro,
                               global float *dgamma, long go, global float *dbeta, long bo, long m, long n) {
  const long j = get_global_id(0);
  if (j >= n) return;
  float sum = 0.0f, plain = 0.0f;
  for (long i = 0; i < m; i++) {
    const float v = d[d_o + i * dr + j];
    sum = MAD(v, (x[xo + i * xr + j] - mean[mo + i]) * rstd[ro + i], sum);
    plain += v;
  }
  dgamma[go + j] = sum;
  dbeta[bo + j] = plain;
}

kernel void layer_norm_dx(global const float *d, long d_o, long dr, global const float *x, long xo, long xr,
                          global const float *gamma, long go, global const float *mean, long mo,
                          global const float *rstd, long ro, global float *dx, long yo, long yr, long m, long n,
                          local float *t) {
  ROW_ITEMS
  const float middle = mean[mo + i], factor = rstd[ro + i];
  float sum = 0.0f, with_h = 0.0f;
  d += d_o + i * dr;
  x += xo + i * xr;
  for (long j = l; j < n; j += L) {
    const float g = d[j] * gamma[go + j];
    sum += g;
    with_h = MAD(g, (x[j] - middle) * factor, with_h);
  }
  JOIN(sum)
  JOIN(with_h)
  if (!mine) return;
  sum /= (float)n;
  with_h /= (float)n;
  dx += yo + i * yr;
  for (long j = l; j < n; j += L) {
    const float h = (x[j] - middle) * factor;
    dx[j] = factor * (d[j] * gamma[go + j] - sum - h * with_h);
  }
}

kernel void batch_norm(global const float *x, long xo, long xr, global const float *gamma, long go,
                       global const float *shift, long bo, global float *y, long yo, long yr, global float *mean,
                       long mo, global float *rstd, long ro, global float *run_mean, long rmo, global float *run_var,
                       long rvo, long m, long n, float eps, float momentum) {
  const long j = get_global_id(0);
  if (j >= n) return;
  x += xo + j;
  y += yo + j;
  float sum = 0.0f, squares = 0.0f;
  for (long i = 0; i < m; i++) sum += x[i * xr];
  const float middle = sum / (float)m;
  for (long i = 0; i < m; i++) squares = MAD(x[i * xr] - middle, x[i * xr] - middle, squares);
  const float factor = 1.0f / sqrt(squares / (float)m + eps);
  const float g = gamma[go + j], b = shift[bo + j];
  for (long i = 0; i < m; i++) y[i * yr] = (x[i * xr] - middle) * factor * g + b;
  mean[mo + j] = middle;
  rstd[ro + j] = factor;
  run_mean[rmo + j] = (1.0f - momentum) * run_mean[rmo + j] + momentum * middle;
  run_var[rvo + j] = (1.0f - momentum) * run_var[rvo + j] + momentum * (squares / (float)(m > 1 ? m - 1 : m));
}

kernel void batch_norm_grad(global const float *d, long d_o, long dr, global const float *x, long xo, long xr,
                            global const float *gamma, long go, global const float *mean, long mo,
                            global const float *rstd, long ro, global float *dx, long yo, long yr,
                            global float *dgamma, long dgo, global float *dbeta, long dbo, long m, long n) {
  const long j = get_global_id(0);
  if (j >= n) return;
  const float middle = mean[mo + j], factor = rstd[ro + j], g = gamma[go + j];
  d += d_o + j;
  x += xo + j;
  dx += yo + j;
  float plain = 0.0f, with_h = 0.0f;
  for (long i = 0; i < m; i++) {
    plain += d[i * dr];
    with_h = MAD(d[i * dr], (x[i * xr] - middle) * factor, with_h);
  }
  const float a = plain / (float)m, b = with_h / (float)m;
  for (long i = 0; i < m; i++) dx[i * yr] = factor * g * (d[i * dr] - a - (x[i * xr] - middle) * factor * b);
  dgamma[dgo + j] = with_h;
  dbeta[dbo + j] = plain;
}

kernel void batch_norm_apply(global const float *x, long xo, long xr, global const float *gamma, long go,
                             global const float *shift, long bo, global const float *mean, long mo,
                             global const float *var, long vo, global float *y, long yo, long yr, long n, float eps) {
  const long j = get_global_id(0), i = get_global_id(1);
  if (j >= n) return;
  y[yo + i * yr + j] = (x[xo + i * xr + j] - mean[mo + j]) * (1.0f / sqrt(var[vo + j] + eps)) * gamma[go + j] + shift[bo + j];
}
