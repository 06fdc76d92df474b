/* board_kernels KERNELS.cl: runs the kernels for boards from their source on whatever driver is there (PoCL, Oclgrind), their
 * channels being buffers, and compares with plain C. Prints "N passed, N failed, N skipped". */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { M = 3, N = 16, K = 7, LANES = 8 };
static cl_context context;
static cl_command_queue queue;
static cl_program program;
static float a[M * K], scale[N], bias[N], c[M * N], w32[K * N];
static signed char w8[K * N];

static cl_mem buffer(const void *from, size_t size) {
  cl_int code;
  cl_mem m = clCreateBuffer(context, CL_MEM_READ_WRITE, size, NULL, &code);
  if (!code && from) code = clEnqueueWriteBuffer(queue, m, CL_TRUE, 0, size, from, 0, NULL, NULL);
  if (code) exit(1);
  return m;
}

static void task(const char *name, int n_args, const size_t *sizes, const void *const *args) {
  cl_int code;
  cl_kernel k = clCreateKernel(program, name, &code);
  for (int i = 0; i < n_args && !code; i++) code = clSetKernelArg(k, (cl_uint)i, sizes[i], args[i]);
  if (!code) code = clEnqueueTask(queue, k, 0, NULL, NULL);
  if (!code) code = clFinish(queue);
  if (code) {
    printf("%s: error %d\n", name, (int)code);
    exit(1);
  }
  clReleaseKernel(k);
}

static int one_type(int i8, int act) {
  cl_int m = M, n = N, k = K, f = act;
  size_t items = (size_t)M * (N / LANES) * K;
  cl_mem da = buffer(a, sizeof a), dw = i8 ? buffer(w8, sizeof w8) : buffer(w32, sizeof w32), ds = buffer(scale, sizeof scale);
  cl_mem db = buffer(bias, sizeof bias), dc = buffer(c, sizeof c), fa = buffer(NULL, items * 4);
  cl_mem fw = buffer(NULL, items * LANES * (i8 ? 1 : 4)), fs = buffer(NULL, sizeof c);
  const size_t p = sizeof da, i = sizeof m;
  task(i8 ? "dense_i8_feed" : "dense_f32_feed", 7, (size_t[]){p, p, i, i, i, p, p},
       (const void *[]){&da, &dw, &m, &n, &k, &fa, &fw});
  task(i8 ? "dense_i8_mac" : "dense_f32_mac", 6, (size_t[]){i, i, i, p, p, p}, (const void *[]){&m, &n, &k, &fa, &fw, &fs});
  task(i8 ? "dense_i8_drain" : "dense_f32_drain", 7, (size_t[]){p, p, p, i, i, i, p},
       (const void *[]){&ds, &db, &dc, &m, &n, &f, &fs});
  if (clEnqueueReadBuffer(queue, dc, CL_TRUE, 0, sizeof c, c, 0, NULL, NULL)) return 0;
  cl_mem all[] = {da, dw, ds, db, dc, fa, fw, fs};
  for (size_t e = 0; e < sizeof all / sizeof *all; e++) clReleaseMemObject(all[e]);
  for (int row = 0; row < M; row++)
    for (int col = 0; col < N; col++) {
      double sum = 0, x;
      for (int e = 0; e < K; e++) sum += (double)a[row * K + e] * (i8 ? (double)w8[e * N + col] : (double)w32[e * N + col]);
      x = (double)scale[col] * sum + (double)bias[col];
      if (act == 1 && x < 0) x = 0;
      if (act == 3) x = tanh(x);
      if (fabs(x - (double)c[row * N + col]) > 1e-4 * (1 + fabs(x))) {
        printf("type %d, act %d, (%d, %d): %g, right is %g\n", i8, act, row, col, (double)c[row * N + col], x);
        return 0;
      }
    }
  return 1;
}

int main(int argc, char **argv) {
  static char source[1 << 16];
  const char *text = source;
  cl_platform_id platform;
  cl_device_id device;
  cl_int code;
  int passed = 0;
  FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!f || fread(source, 1, sizeof source - 1, f) == 0) return 2;
  fclose(f);
  if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL)) return 77;
  context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  if (!code) queue = clCreateCommandQueue(context, device, 0, &code);
  if (!code) program = clCreateProgramWithSource(context, 1, &text, NULL, &code);
  if (code || clBuildProgram(program, 1, &device, "-cl-std=CL1.2", NULL, NULL)) return 1;
  for (int i = 0; i < M * K; i++) a[i] = (float)(i % 9) / 9 - 0.3f;
  for (int i = 0; i < K * N; i++) w32[i] = (float)(i % 13) / 13 - 0.5f, w8[i] = (signed char)(i * 7 % 200 - 100);
  for (int i = 0; i < N; i++) scale[i] = 0.01f * (float)(i + 1), bias[i] = (float)i / 10 - 0.5f;
  for (int type = 0; type < 2; type++)
    for (int act = 0; act < 4; act++)
      if (act != 2) passed += one_type(type, act);
  printf("%d passed, %d failed, 0 skipped\n", passed, 6 - passed);
  return passed != 6;
}
