/* Losses of one number a row, l and its derivative by f; `which` as docs/ops.md numbers them. */
kernel void loss(global const float *fs, long fo, global const float *ys, long yo, global const float *ws, long wo,
                 int has_w, global float *loss, long lo, global float *df, long d_o, int has_df, long m, float scale,
                 float shape, int which) {
  const long i = get_global_id(0);
  if (i >= m) return;
  const float f = fs[fo + i], y = ys[yo + i], w = has_w ? ws[wo + i] : 1.0f, d = f - y, s = 2.0f * y - 1.0f;
  float l = 0.0f, g = 0.0f;
  if (which == 0) {
    l = 0.5f * d * d;
    g = d;
  } else if (which == 1) {
    const float e = exp(-fabs(f));
    l = (y == 0.0f || y == 1.0f) ? fmax(-s * f, 0.0f) + log1p(e) : fmax(f, 0.0f) - y * f + log1p(e);
    if (f != f) l = f;
    /* for a label of 0 or 1 without a difference of near numbers */
    if (y == 1.0f) g = -(f >= 0.0f ? e : 1.0f) / (1.0f + e);
    else g = (f >= 0.0f ? 1.0f : e) / (1.0f + e) - y;
  } else if (which == 2) {
    const float size = fabs(d);
    l = size <= shape ? 0.5f * d * d : shape * (size - 0.5f * shape);
    g = size <= shape ? d : d > 0.0f ? shape : d < 0.0f ? -shape : d;
  } else if (which == 3) {
    const float r = y - f;
    l = r > 0.0f ? shape * r : r < 0.0f ? (shape - 1.0f) * r : r;
    g = r > 0.0f ? -shape : r < 0.0f ? 1.0f - shape : r;
    if (r == 0.0f) l = g = 0.0f;
  } else if (which == 4) {
    const float e = exp(f);
    l = e - f * y - y + (y > 0.0f ? y * log(y) : y == 0.0f ? 0.0f : NAN);
    g = e - y;
  } else {
    const float r = 1.0f - s * f, over = r <= 0.0f ? 0.0f : r;
    l = which == 5 ? over : over * over;
    g = which == 5 ? (over > 0.0f ? -s : over) : -2.0f * s * over;
  }
  loss[lo + i] = w * l;
  if (has_df) df[d_o + i] = scale * w * g;
}
