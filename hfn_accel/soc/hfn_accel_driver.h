/* SPDX-License-Identifier: Apache-2.0
 * Driver of the Hidden-Fold Network accelerator: C99, freestanding, no allocation, no globals.
 *
 * The user supplies access to the core's registers; memory that the core reads or writes is the
 * user's too, caches and barriers included: what was written for the core must be in memory before
 * hfn_accel_start, and logits are read from memory after the run. Every function may be called for
 * several cores side by side, but for one core by one thread at a time. */
#ifndef HFN_ACCEL_DRIVER_H
#define HFN_ACCEL_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "hfn_accel_regs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a function returns: 0 or more is no failure. */
enum hfn_accel_result {
    HFN_ACCEL_OK = 0,           /* done */
    HFN_ACCEL_RUNNING = 1,      /* the run goes on */
    HFN_ACCEL_IDLE = 2,         /* nothing ran since power-on or reset */
    HFN_ACCEL_STOPPED = -1,     /* the core stopped the run: see hfn_accel_error */
    HFN_ACCEL_NO_CORE = -2,     /* ID is not the accelerator's */
    HFN_ACCEL_OTHER_CORE = -3,  /* register map or program format of another version */
    HFN_ACCEL_NO_PROGRAM = -4,  /* the image is no whole program of this version */
    HFN_ACCEL_OTHER_SHAPE = -5, /* the program was compiled for another array or bus */
    HFN_ACCEL_MISPLACED = -6,   /* an address is not aligned, or its region is too small */
    HFN_ACCEL_BUSY = -7,        /* a run goes on, or the last one's error was not reset */
    HFN_ACCEL_NO_ANSWER = -8    /* the limit of polls was reached */
};

/* A core. Set the first three members (or call hfn_accel_at), then hfn_accel_open. */
struct hfn_accel {
    uint32_t (*read32)(void *context, uint32_t offset);
    void (*write32)(void *context, uint32_t offset, uint32_t value);
    void *context;
    uint16_t rows, columns, bus_bytes; /* set by hfn_accel_open */
};

/* What a program needs, from its first descriptor. All in bytes but the last two. */
struct hfn_accel_program {
    uint32_t image_bytes, input_bytes, output_bytes, workspace_bytes;
    uint16_t rows, columns, bus_bytes;
    uint16_t batch, classes;
};

/* A place in the memory that the core's AXI4 master sees. */
struct hfn_accel_region {
    uint32_t address, bytes;
};

/* One run. program: address a multiple of 4096; the others of 64. The image must lie at
 * program.address, the images at input.address; logits come to output.address, for each image of
 * the batch int32 logits, at multiples of 64 bytes. */
struct hfn_accel_run {
    struct hfn_accel_region program, input, output, workspace;
};

/* Why a run stopped. */
struct hfn_accel_failure {
    uint8_t code;        /* HFN_ACCEL_ERROR_* */
    uint16_t descriptor; /* number of the descriptor in execution, modulo 65536 */
    const char *text;
};

/* Every 64-bit counter, by name: HFN_ACCEL_CYCLES, HFN_ACCEL_BYTES_MASK, ... */
#define HFN_ACCEL_COUNTER(name, offset) HFN_ACCEL_##name,
enum hfn_accel_counter { HFN_ACCEL_COUNTERS(HFN_ACCEL_COUNTER) HFN_ACCEL_COUNTER_COUNT };
#undef HFN_ACCEL_COUNTER

/* Use the registers that are mapped at `base`. */
void hfn_accel_at(struct hfn_accel *core, volatile void *base);

/* Check ID and versions, read the shape: OK, NO_CORE or OTHER_CORE. */
int hfn_accel_open(struct hfn_accel *core);

/* Read what a program image of `bytes` bytes needs: OK or NO_PROGRAM. */
int hfn_accel_inspect(const void *image, size_t bytes, struct hfn_accel_program *program);

/* Check that `program` suits core and regions, then start it with the interrupt enabled: OK,
 * OTHER_SHAPE, MISPLACED or BUSY. */
int hfn_accel_start(struct hfn_accel *core, const struct hfn_accel_program *program,
                    const struct hfn_accel_run *run);

/* State of the run: OK (ended well), RUNNING, IDLE or STOPPED. */
int hfn_accel_poll(struct hfn_accel *core);

/* Poll until the run ends, at most `polls` times: OK, IDLE, STOPPED or NO_ANSWER. */
int hfn_accel_wait(struct hfn_accel *core, uint32_t polls);

/* For the interrupt's handler: take the request back, return hfn_accel_poll. */
int hfn_accel_interrupt(struct hfn_accel *core);

/* Stop what runs and forget errors; bus transfers in flight end first, for which STATUS is read at
 * most `polls` times: OK or NO_ANSWER. Afterwards a program can be started. */
int hfn_accel_reset(struct hfn_accel *core, uint32_t polls);

/* Why the last run stopped; code 0 if it did not. */
struct hfn_accel_failure hfn_accel_error(struct hfn_accel *core);

/* Meaning of an error code, or of what a function returned. */
const char *hfn_accel_error_text(uint8_t code);
const char *hfn_accel_result_text(int result);

/* A counter of the last run; between runs counters stand still. */
uint64_t hfn_accel_read(struct hfn_accel *core, enum hfn_accel_counter counter);

/* Clocks without progress after which a run stops with TIMEOUT; 0: never. Kept over runs. */
void hfn_accel_watchdog(struct hfn_accel *core, uint32_t clocks);

#ifdef __cplusplus
}
#endif

#endif
