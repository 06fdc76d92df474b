/* board_image KERNELS.cl OUT: builds the kernels with the driver that is there and writes its binary: what stands for a
 * vendor's image in the tests. Prints the device's name and the driver's version, a line each; 77: no device. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>

/* Under AddressSanitizer: what the driver keeps is its own. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libpocl\nleak:libLLVM\nleak:libOpenCL\nleak:libclang\n"; }

int main(int argc, char **argv) {
  static char source[1 << 16];
  char name[256], version[256];
  cl_platform_id platform;
  cl_device_id device;
  cl_int code;
  if (argc != 3) return 2;
  FILE *f = fopen(argv[1], "rb");
  if (!f || fread(source, 1, sizeof source - 1, f) == 0) return 2;
  fclose(f);
  if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL)) return 77;
  cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  const char *text = source;
  cl_program program = code ? NULL : clCreateProgramWithSource(context, 1, &text, NULL, &code);
  if (code || clBuildProgram(program, 1, &device, "-cl-std=CL1.2", NULL, NULL)) return 1;
  size_t size = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL)) return 1;
  unsigned char *binary = malloc(size + 1);
  if (!binary || clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL)) return 1;
  f = fopen(argv[2], "wb");
  if (!f || fwrite(binary, 1, size, f) != size || fclose(f)) return 1;
  free(binary);
  clReleaseProgram(program);
  clReleaseContext(context);
  clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name, name, NULL);
  clGetDeviceInfo(device, CL_DRIVER_VERSION, sizeof version, version, NULL);
  printf("%s\n%s\n", name, version);
  return 0;
}
