/* c = act(alpha * a b + beta * c + bias), two ways. In both, every element of c is one accumulator that takes k in
 * order: the bits do not depend on the way nor on the size of tiles.
 *
 * Packed, for processors: pack_a and pack_b write panels of MR rows of a (and of NR columns of b, which are rows of its
 * transpose) as [panel][k][width], with zeros at the edge; one work item computes MR x NR of c from two panels. */
#ifdef PACKED
/* x(i, p) = x[i * rs + p * cs], i < rows, p < k. Work items: (p in steps of 64, panel). Whole panels have loops of their
 * own: their width is a constant, their elements come by vectors where they lie side by side. */
#define PACK(name, width)                                                                              \
  kernel void name(global const float *x, long xo, long rs, long cs, int rows, int k, global float *to) { \
    const int p0 = (int)get_global_id(0) * 64, panel = (int)get_global_id(1), i0 = panel * width;      \
    const int p1 = min(p0 + 64, k), n = min(width, rows - i0);                                         \
    if (p0 >= k) return;                                                                               \
    global const float *from = x + xo + (long)i0 * rs;                                                 \
    to += ((long)panel * k + p0) * width;                                                              \
    if (n < width) {                                                                                   \
      for (int p = p0; p < p1; p++, to += width)                                                       \
        for (int i = 0; i < width; i++) to[i] = i < n ? from[i * rs + p * cs] : 0.0f;                  \
    } else if (rs == 1) {                                                                              \
      for (int p = p0; p < p1; p++, to += width) {                                                     \
        for (int v = 0; v + 8 <= width; v += 8) vstore8(vload8(0, from + p * cs + v), 0, to + v);      \
        for (int i = width / 8 * 8; i < width; i++) to[i] = from[p * cs + i];                          \
      }                                                                                                \
    } else if (cs == 1) {                                                                              \
      for (int p = p0; p < p1; p++, to += width)                                                       \
        for (int i = 0; i < width; i++) to[i] = from[i * rs + p];                                      \
    } else {                                                                                           \
      for (int p = p0; p < p1; p++, to += width)                                                       \
        for (int i = 0; i < width; i++) to[i] = from[i * rs + p * cs];                                 \
    }                                                                                                  \
  }
PACK(pack_a, MR)
PACK(pack_b, NR)

/* All accumulators have names of their own, so that they stay in registers: row r, vector v of the columns. */
#if NR == 8
#define OF_ROW(M, r) M(r, 0)
#elif NR == 16
#define OF_ROW(M, r) M(r, 0) M(r, 1)
#elif NR == 24
#define OF_ROW(M, r) M(r, 0) M(r, 1) M(r, 2)
#endif
#if MR == 4
#define ROWS_OF(M) M(0) M(1) M(2) M(3)
#elif MR == 6
#define ROWS_OF(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif MR == 8
#define ROWS_OF(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#elif MR == 12
#define ROWS_OF(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#endif

inline float8 act8(int f, float8 x) {
  if (f == 1) return select(x, (float8)(0.0f), x <= 0.0f);
  if (f == 0) return x;
  float t[8];
  vstore8(x, 0, t);
  for (int i = 0; i < 8; i++) t[i] = act(f, t[i]);
  return vload8(0, t);
}

/* Work items: (panel of a, panel of b). */
kernel void gemm_packed(global const float *a, global const float *b, global float *c, long co, long c_rs, long c_cs,
                        int m, int n, int k, float alpha, float beta, global const float *bias, long bo, int has_bias,
                        int f, int mp) {
  const int ip = (int)get_global_id(0), jp = (int)get_global_id(1);
  if (ip >= mp) return;
  global const float *pa = a + (long)ip * k * MR, *pb = b + (long)jp * k * NR;
#define ZERO(r, v) float8 x##r##v = (float8)(0.0f);
#define ZERO_ROW(r) OF_ROW(ZERO, r)
  ROWS_OF(ZERO_ROW)
  for (int p = 0; p < k; p++, pa += MR, pb += NR) {
#define LOAD(r, v) const float8 b##v = vload8(v, pb);
    OF_ROW(LOAD, 0)
#define STEP(r, v) x##r##v = MAD(s, b##v, x##r##v);
#define STEP_ROW(r) { const float8 s = (float8)(pa[r]); OF_ROW(STEP, r) }
    ROWS_OF(STEP_ROW)
  }
  const int i0 = ip * MR, j0 = jp * NR;
  const int rows = min(MR, m - i0), cols = min(NR, n - j0);
  c += co + (long)i0 * c_rs + (long)j0 * c_cs;
  if (has_bias) bias += bo + j0;
  if (rows == MR && cols == NR && c_cs == 1) {
#define STORE(r, v)                                                                                    \
  {                                                                                                    \
    float8 t = alpha * x##r##v;                                                                        \
    if (beta != 0.0f) t = MAD((float8)(beta), vload8(v, c + r * c_rs), t);                             \
    if (has_bias) t += vload8(v, bias);                                                                \
    vstore8(act8(f, t), v, c + r * c_rs);                                                              \
  }
#define STORE_ROW(r) OF_ROW(STORE, r)
    ROWS_OF(STORE_ROW)
    return;
  }
  float tile[MR * NR];
#define KEEP(r, v) vstore8(x##r##v, (NR / 8) * r + v, tile);
#define KEEP_ROW(r) OF_ROW(KEEP, r)
  ROWS_OF(KEEP_ROW)
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < cols; j++) {
      global float *to = c + r * c_rs + j * c_cs;
      float t = blend(alpha, tile[r * NR + j], beta, to);
      if (has_bias) t += bias[j];
      *to = act(f, t);
    }
}
#endif

/* Tiles, for GPUs: a group of (TN / WN) x (TM / WM) work items computes TM x TN of c; TK columns of a and rows of b at a
 * time go through local memory. Any strides: what is next to each other in memory is read by neighbours. */
#ifdef TILED
#define GX (TN / WN)
#define GY (TM / WM)
#define GROUP (GX * GY)
#define SLOTS_A (TM * TK / GROUP)
#define SLOTS_B (TN * TK / GROUP)
kernel __attribute__((reqd_work_group_size(GX, GY, 1)))
void gemm_tiled(global const float *a, long ao, long a_rs, long a_cs, global const float *b, long bo, long b_rs,
                long b_cs, global float *c, long co, long c_rs, long c_cs, int m, int n, int k, float alpha, float beta,
                global const float *bias, long bias_o, int has_bias, int f) {
  /* aligned: rows are read by fours in one access */
  local float la[TK][TM + 4] __attribute__((aligned(16)));
  local float lb[TK][TN + 4] __attribute__((aligned(16)));
  const int tx = (int)get_local_id(0), ty = (int)get_local_id(1), t = ty * GX + tx;
  const int i0 = (int)get_group_id(1) * TM, j0 = (int)get_group_id(0) * TN;
  float sum[WM][WN], ra[WM], rb[WN];
  float next_a[SLOTS_A], next_b[SLOTS_B];
  /* A work item brings SLOTS_A elements of a tile of a: the first at (ia, pa) of the tile, the others steps behind it. */
  const int a_by_k = a_cs == 1, b_by_k = b_rs == 1 && b_cs != 1;
  const int ia = a_by_k ? t / TK : t % TM, pa = a_by_k ? t % TK : t / TM;
  const int jb = b_by_k ? t / TK : t % TN, pb = b_by_k ? t % TK : t / TN;
  const int ia_step = a_by_k ? GROUP / TK : 0, pa_step = a_by_k ? 0 : GROUP / TM;
  const int jb_step = b_by_k ? GROUP / TK : 0, pb_step = b_by_k ? 0 : GROUP / TN;
  const long a_step = ia_step * a_rs + pa_step * a_cs, b_step = jb_step * b_cs + pb_step * b_rs;
  const int inside = i0 + TM <= m && j0 + TN <= n;
  a += ao + (i0 + ia) * a_rs + pa * a_cs;
  b += bo + (j0 + jb) * b_cs + pb * b_rs;
#pragma unroll
  for (int i = 0; i < WM; i++) {
#pragma unroll
    for (int j = 0; j < WN; j++) sum[i][j] = 0.0f;
  }
#define FETCH(p0)                                                                                      \
  if (inside && p0 + TK <= k) {                                                                        \
    _Pragma("unroll") for (int s = 0; s < SLOTS_A; s++) next_a[s] = a[s * a_step];                     \
    _Pragma("unroll") for (int s = 0; s < SLOTS_B; s++) next_b[s] = b[s * b_step];                     \
  } else {                                                                                             \
    _Pragma("unroll") for (int s = 0; s < SLOTS_A; s++)                                                \
      next_a[s] = (i0 + ia + s * ia_step < m && p0 + pa + s * pa_step < k) ? a[s * a_step] : 0.0f;     \
    _Pragma("unroll") for (int s = 0; s < SLOTS_B; s++)                                                \
      next_b[s] = (j0 + jb + s * jb_step < n && p0 + pb + s * pb_step < k) ? b[s * b_step] : 0.0f;     \
  }                                                                                                    \
  a += TK * a_cs;                                                                                      \
  b += TK * b_rs;
  FETCH(0)
  for (int p0 = 0; p0 < k; p0 += TK) {
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int s = 0; s < SLOTS_A; s++) la[pa + s * pa_step][ia + s * ia_step] = next_a[s];
#pragma unroll
    for (int s = 0; s < SLOTS_B; s++) lb[pb + s * pb_step][jb + s * jb_step] = next_b[s];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (p0 + TK < k) { FETCH(p0 + TK) }
    /* Zeros behind k add nothing, and change no bit of a sum that is not -0. */
#pragma unroll
    for (int p = 0; p < TK; p++) {
#pragma unroll
      for (int i = 0; i < WM; i += 4) {
        const float4 v = *(local const float4 *)&la[p][(i / 4) * (GY * 4) + ty * 4];
        ra[i] = v.x, ra[i + 1] = v.y, ra[i + 2] = v.z, ra[i + 3] = v.w;
      }
#pragma unroll
      for (int j = 0; j < WN; j += 4) {
        const float4 v = *(local const float4 *)&lb[p][(j / 4) * (GX * 4) + tx * 4];
        rb[j] = v.x, rb[j + 1] = v.y, rb[j + 2] = v.z, rb[j + 3] = v.w;
      }
#pragma unroll
      for (int i = 0; i < WM; i++) {
#pragma unroll
        for (int j = 0; j < WN; j++) sum[i][j] = MAD(ra[i], rb[j], sum[i][j]);
      }
    }
  }
  c += co;
  if (has_bias) bias += bias_o;
  for (int i = 0; i < WM; i++) {
    const int row = i0 + (i / 4) * (GY * 4) + ty * 4 + i % 4;
    for (int j = 0; j < WN; j++) {
      const int col = j0 + (j / 4) * (GX * 4) + tx * 4 + j % 4;
      if (row >= m || col >= n) continue;
      global float *to = c + row * c_rs + col * c_cs;
      float v = blend(alpha, sum[i][j], beta, to);
      if (has_bias) v += bias[col];
      *to = act(f, v);
    }
  }
}
#endif
