/* Boards: devices that take only images which were built beforehand (docs/fpga.md). */
#ifndef LEAT_OPENCL_OCL_BOARD_H
#define LEAT_OPENCL_OCL_BOARD_H
#include "ocl.h"
enum { BOARD_F32, BOARD_I8, BOARD_TYPES };
/* What a manifest says of one image. */
typedef struct ocl_manifest {
  char image[64], sha256[65], device[OCL_TEXT], driver[OCL_TEXT];
  int64_t abi;
  int32_t channels;                /* kernels are joined on the chip; else by memory */
  int64_t most[BOARD_TYPES][3];    /* m, n, k of dense_f32 and dense_i8; m 0: the image has it not */
} ocl_manifest;
/* Reads the manifest's part for this device. NOT_FOUND, FORMAT, VERSION, UNSUPPORTED with the reason. */
leat_status ocl_manifest_find(const leat_b_host *host, const ocl_slot *slot, ocl_manifest *m, leat_error *err);
void ocl_sha256(const void *bytes, uint64_t size, char hex[65]);

enum { BOARD_FEED, BOARD_MAC, BOARD_DRAIN, BOARD_KERNELS, BOARD_WEIGHTS = 8, BOARD_LANES = 8, BOARD_ALIGN = 4096 };
typedef struct board_weights { /* of one layer, on the board; told from others by a checksum of its bytes */
  cl_mem mem;
  uint64_t low, high, used;
} board_weights;
struct ocl_board {
  ocl_manifest manifest;
  cl_program program;
  cl_kernel kernel[BOARD_TYPES][BOARD_KERNELS];
  cl_command_queue queue[BOARD_TYPES][BOARD_KERNELS]; /* one a kernel */
  cl_mem a, c, scale, bias, fifo_a, fifo_w, fifo_sum; /* of the largest sizes; fifos without channels only */
  board_weights weights[BOARD_TYPES][BOARD_WEIGHTS];
  uint64_t clock;
  void *host_a, *host_c, *host_w, *host_scale, *host_bias; /* aligned for direct transfers */
  uint64_t size_a, size_c, size_w, size_n;
};
leat_status ocl_board_open(leat_b_device *dev, leat_error *err);
void ocl_board_close(leat_b_device *dev);
int ocl_board_can(const leat_b_device *dev, const leat_b_op *op);
leat_status ocl_board_run(leat_b_device *dev, const leat_b_op *op, leat_error *err);
#endif
