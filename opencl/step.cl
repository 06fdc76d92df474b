/* Steps of optimisers, element by element; the clipping factor comes from the norm that lies on the device. */
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
  const vec old = take(to, some);
  vec step = clipped(scale, clip, has_norm, norm2 + no) * take(g + go + i * gr + j, some) + decay * old;
  if (has_v) {
    global float *at = v + vo + i * vr + j;
    const vec speed = momentum * take(at, some) + step;
    put(speed, at, some);
    step = nesterov ? step + momentum * speed : speed;
  }
  put(old - rate * step, to, some);
}

/* Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019. by1, by2: 1 / bias1, 1 / bias2. */
kernel void adam(global const float *g, long go, long gr, global const float *norm2, long no, int has_norm,
                 global float *w, long wo, long wr, global float *u, long uo, long ur, global float *v, long vo,
                 long vr, long n, float rate, float beta1, float rest1, float beta2, float rest2, float eps, float decay,
                 float scale, float clip, float by1, float by2, int decoupled) {
  AT
  global float *to = w + wo + i * wr + j, *at_u = u + uo + i * ur + j, *at_v = v + vo + i * vr + j;
  const vec old = take(to, some);
  vec step = clipped(scale, clip, has_norm, norm2 + no) * take(g + go + i * gr + j, some);
  if (!decoupled) step += decay * old;
  const vec a = beta1 * take(at_u, some) + rest1 * step;
  const vec b = beta2 * take(at_v, some) + rest2 * step * step;
  put(a, at_u, some);
  put(b, at_v, some);
  vec move = (a * by1) / (sqrt(b * by2) + eps);
  if (decoupled) move += decay * old;
  put(old - rate * move, to, some);
}
