/* Steps of optimisers, element by element; the clipping factor comes from the norm that lies on the device. */
#define AT const long j = get_global_id(0), i = get_global_id(1); if (j >= n) return;
inline float clipped(float scale, float clip, int has_norm, global const float *norm2) {
  if (!has_norm || !(clip > 0.0f)) return scale;
  const float c = clip / (scale * sqrt(*norm2));
  return scale * (c < 1.0f ? c : c != c ? (*norm2 == 0.0f ? 1.0f : c) : 1.0f);
}

kernel void sgd(global const float *g, long go, long gr, global const float *norm2, long no, int has_norm,
                global float *w, long wo, long wr, global float *v, long vo, long vr, int has_v, long n, float rate,
                float momentum, float decay, float scale, float clip, int nesterov) {
  AT
  global float *to = w + wo + i * wr + j;
  const float old = *to, step = clipped(scale, clip, has_norm, norm2 + no) * g[go + i * gr + j] + decay * old;
  if (has_v) {
    const float speed = momentum * v[vo + i * vr + j] + step;
    v[vo + i * vr + j] = speed;
    *to = old - rate * (nesterov ? step + momentum * speed : speed);
  } else {
    *to = old - rate * step;
  }
}

/* Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019. */
kernel void adam(global const float *g, long go, long gr, global const float *norm2, long no, int has_norm,
                 global float *w, long wo, long wr, global float *u, long uo, long ur, global float *v, long vo,
                 long vr, long n, float rate, float beta1, float rest1, float beta2, float rest2, float eps, float decay,
                 float scale, float clip, float bias1, float bias2, int decoupled) {
  AT
  global float *to = w + wo + i * wr + j;
  const float old = *to;
  float step = clipped(scale, clip, has_norm, norm2 + no) * g[go + i * gr + j];
  if (!decoupled) step += decay * old;
  const float a = beta1 * u[uo + i * ur + j] + rest1 * step;
  const float b = beta2 * v[vo + i * vr + j] + rest2 * step * step;
  u[uo + i * ur + j] = a;
  v[vo + i * vr + j] = b;
  *to = old - rate * ((a / bias1) / (sqrt(b / bias2) + eps) + (decoupled ? decay * old : 0.0f));
}
