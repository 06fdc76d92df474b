/* Dense layers for boards whose kernels are built beforehand: c = act(a w + bias), in float32 (dense_f32_*) and with weights
 * of 8 bits (dense_i8_*: c = act(scale * a w + bias)). Three single-work-item kernels a type work side by side and are
 * joined by channels:
 *   feed   reads a and w, sends for each row i, block of LANES columns and p < k: a(i, p) and w(p, block)
 *   mac    sums them, sends LANES sums a block
 *   drain  adds the bias, applies act, writes c
 * Shapes come as arguments up to the manifest's limits; n is padded to a multiple of LANES by the host, with zeros.
 *
 * With Intel's channels (-DLEAT_CHANNELS) the three run at the same time. Without, a channel is a buffer in global memory,
 * long enough for all that goes through it: feed, mac and drain then run one after the other, on PoCL and Oclgrind from
 * this same source. The order of sums is that of p, in one accumulator a column. */
#ifdef LEAT_CHANNELS
#pragma OPENCL EXTENSION cl_intel_channels : enable
#define TASK __attribute__((max_global_work_dim(0))) kernel void
#define FIFO_ARG(type, name)
#define FIFO_BEGIN(name)
#define SEND(name, v) write_channel_intel(name, v)
#define TAKE(name) read_channel_intel(name)
channel float a_f32 __attribute__((depth(64)));
channel float8 w_f32 __attribute__((depth(64)));
channel float8 sums_f32 __attribute__((depth(16)));
channel float a_i8 __attribute__((depth(64)));
channel char8 w_i8 __attribute__((depth(64)));
channel float8 sums_i8 __attribute__((depth(16)));
#else
#define TASK kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
#define FIFO_ARG(type, name) , global type *name
#define FIFO_BEGIN(name) long at_##name = 0;
#define SEND(name, v) name[at_##name++] = v
#define TAKE(name) name[at_##name++]
#endif
enum { LANES = 8 };

inline float dense_act(int f, float x) {
  switch (f) {
  case 1: return x <= 0.0f ? 0.0f : x;
  case 2: return 0.5f * x * erfc(-0.70710678f * x);
  case 3: return tanh(x);
  case 4: return 1.0f / (1.0f + exp(-x));
  default: return x;
  }
}

#define DENSE(type, weights)                                                                           \
  TASK dense_##type##_feed(global const float *restrict a, global const weights *restrict w, int m, int n, int k \
                           FIFO_ARG(float, a_##type) FIFO_ARG(weights##8, w_##type)) {                \
    FIFO_BEGIN(a_##type)                                                                               \
    FIFO_BEGIN(w_##type)                                                                               \
    for (int i = 0; i < m; i++)                                                                        \
      for (int j = 0; j < n; j += LANES)                                                               \
        for (int p = 0; p < k; p++) {                                                                  \
          SEND(a_##type, a[(long)i * k + p]);                                                          \
          SEND(w_##type, vload8(0, w + (long)p * n + j));                                             \
        }                                                                                              \
  }                                                                                                    \
  TASK dense_##type##_mac(int m, int n, int k FIFO_ARG(float, a_##type) FIFO_ARG(weights##8, w_##type) \
                          FIFO_ARG(float8, sums_##type)) {                                            \
    FIFO_BEGIN(a_##type)                                                                               \
    FIFO_BEGIN(w_##type)                                                                               \
    FIFO_BEGIN(sums_##type)                                                                            \
    for (int b = 0; b < m * (n / LANES); b++) {                                                        \
      float8 sum = (float8)(0.0f);                                                                   \
      for (int p = 0; p < k; p++) {                                                                    \
        const float x = TAKE(a_##type);                                                                \
        sum += x * convert_float8(TAKE(w_##type));                                                    \
      }                                                                                                \
      SEND(sums_##type, sum);                                                                          \
    }                                                                                                  \
  }                                                                                                    \
  TASK dense_##type##_drain(global const float *restrict scale, global const float *restrict bias,     \
                            global float *restrict c, int m, int n, int f FIFO_ARG(float8, sums_##type)) { \
    FIFO_BEGIN(sums_##type)                                                                            \
    for (int i = 0; i < m; i++)                                                                        \
      for (int j = 0; j < n; j += LANES) {                                                             \
        float sum[LANES];                                                                              \
        vstore8(TAKE(sums_##type), 0, sum);                                                           \
        for (int l = 0; l < LANES; l++) c[(long)i * n + j + l] = dense_act(f, scale[j + l] * sum[l] + bias[j + l]); \
      }                                                                                                \
  }

DENSE(f32, float)
DENSE(i8, char)
