/* SPDX-License-Identifier: Apache-2.0
 * Driver of the Hidden-Fold Network accelerator; hfn_accel_driver.h says what is what. */
#include "hfn_accel_driver.h"

#define FIELD(name, value) (((value) & HFN_ACCEL_##name##_MASK) >> HFN_ACCEL_##name##_SHIFT)

static uint32_t get(struct hfn_accel *core, uint32_t offset) {
    return core->read32(core->context, offset);
}

static void set(struct hfn_accel *core, uint32_t offset, uint32_t value) {
    core->write32(core->context, offset, value);
}

static uint32_t mapped_read(void *base, uint32_t offset) {
    return *(volatile uint32_t *)(void *)((unsigned char *)base + offset);
}

static void mapped_write(void *base, uint32_t offset, uint32_t value) {
    *(volatile uint32_t *)(void *)((unsigned char *)base + offset) = value;
}

void hfn_accel_at(struct hfn_accel *core, volatile void *base) {
    core->read32 = mapped_read;
    core->write32 = mapped_write;
    core->context = (void *)(uintptr_t)base;
}

int hfn_accel_open(struct hfn_accel *core) {
    uint32_t version, shape;
    if (get(core, HFN_ACCEL_REG_ID) != HFN_ACCEL_ID_VALUE) return HFN_ACCEL_NO_CORE;
    version = get(core, HFN_ACCEL_REG_VERSION);
    if (FIELD(VERSION_REGISTERS, version) != HFN_ACCEL_MAP_VERSION ||
        FIELD(VERSION_PROGRAM, version) != HFN_ACCEL_PROGRAM_VERSION)
        return HFN_ACCEL_OTHER_CORE;
    shape = get(core, HFN_ACCEL_REG_SHAPE);
    core->rows = (uint16_t)(1u << FIELD(SHAPE_LOG2_ROWS, shape));
    core->columns = (uint16_t)(1u << FIELD(SHAPE_LOG2_COLUMNS, shape));
    core->bus_bytes = (uint16_t)(1u << FIELD(SHAPE_LOG2_BUS_BYTES, shape));
    return HFN_ACCEL_OK;
}

/* A field of the first descriptor: HFN_ACCEL_BEGIN_* is its first byte and its length. */
static uint32_t begin(const uint8_t *image, unsigned first, unsigned length) {
    uint32_t value = 0;
    while (length--) value = value << 8 | image[first + length];
    return value;
}

int hfn_accel_inspect(const void *image, size_t bytes, struct hfn_accel_program *program) {
    const uint8_t *at = image;
    if (bytes < HFN_ACCEL_DESCRIPTOR_BYTES ||
        begin(at, HFN_ACCEL_BEGIN_MAGIC) != HFN_ACCEL_PROGRAM_MAGIC ||
        begin(at, HFN_ACCEL_BEGIN_VERSION) != HFN_ACCEL_PROGRAM_VERSION ||
        begin(at, HFN_ACCEL_BEGIN_OPCODE) != HFN_ACCEL_PROGRAM_BEGIN)
        return HFN_ACCEL_NO_PROGRAM;
    program->image_bytes = begin(at, HFN_ACCEL_BEGIN_IMAGE_BYTES);
    program->input_bytes = begin(at, HFN_ACCEL_BEGIN_INPUT_BYTES);
    program->output_bytes = begin(at, HFN_ACCEL_BEGIN_OUTPUT_BYTES);
    program->workspace_bytes = begin(at, HFN_ACCEL_BEGIN_WORKSPACE_BYTES);
    program->rows = (uint16_t)(1u << (begin(at, HFN_ACCEL_BEGIN_LOG2_ROWS) & 15));
    program->columns = (uint16_t)(1u << (begin(at, HFN_ACCEL_BEGIN_LOG2_COLUMNS) & 15));
    program->bus_bytes = (uint16_t)(1u << (begin(at, HFN_ACCEL_BEGIN_LOG2_BUS_BYTES) & 15));
    program->batch = (uint16_t)begin(at, HFN_ACCEL_BEGIN_BATCH);
    program->classes = (uint16_t)begin(at, HFN_ACCEL_BEGIN_CLASSES);
    return program->image_bytes > bytes ? HFN_ACCEL_NO_PROGRAM : HFN_ACCEL_OK;
}

/* Whether a region lies at a multiple of `alignment`, below 4 GiB, and holds `bytes`. */
static int holds(struct hfn_accel_region region, uint32_t alignment, uint32_t bytes) {
    return region.address % alignment == 0 && region.bytes >= bytes &&
           (region.bytes == 0 || region.address <= UINT32_MAX - (region.bytes - 1));
}

int hfn_accel_start(struct hfn_accel *core, const struct hfn_accel_program *program,
                    const struct hfn_accel_run *run) {
    if (program->rows != core->rows || program->columns != core->columns ||
        program->bus_bytes != core->bus_bytes)
        return HFN_ACCEL_OTHER_SHAPE;
    if (!holds(run->program, HFN_ACCEL_PROGRAM_ALIGNMENT, program->image_bytes) ||
        !holds(run->input, HFN_ACCEL_DATA_ALIGNMENT, program->input_bytes) ||
        !holds(run->output, HFN_ACCEL_DATA_ALIGNMENT, program->output_bytes) ||
        !holds(run->workspace, HFN_ACCEL_DATA_ALIGNMENT, program->workspace_bytes))
        return HFN_ACCEL_MISPLACED;
    if (get(core, HFN_ACCEL_REG_STATUS) &
        (HFN_ACCEL_STATUS_BUSY_MASK | HFN_ACCEL_STATUS_ERROR_MASK))
        return HFN_ACCEL_BUSY;
    set(core, HFN_ACCEL_REG_PROGRAM_ADDR, run->program.address);
    set(core, HFN_ACCEL_REG_INPUT_ADDR, run->input.address);
    set(core, HFN_ACCEL_REG_OUTPUT_ADDR, run->output.address);
    set(core, HFN_ACCEL_REG_WORKSPACE_ADDR, run->workspace.address);
#ifdef HFN_ACCEL_REG_OUTPUT_SIZE
    set(core, HFN_ACCEL_REG_OUTPUT_SIZE, run->output.bytes);
    set(core, HFN_ACCEL_REG_WORKSPACE_SIZE, run->workspace.bytes);
#endif
    set(core, HFN_ACCEL_REG_IRQ_STATUS,
        HFN_ACCEL_IRQ_STATUS_DONE_MASK | HFN_ACCEL_IRQ_STATUS_ERROR_MASK);
    set(core, HFN_ACCEL_REG_CONTROL,
        HFN_ACCEL_CONTROL_START_MASK | HFN_ACCEL_CONTROL_IRQ_ENABLE_MASK);
    return HFN_ACCEL_OK;
}

int hfn_accel_poll(struct hfn_accel *core) {
    const uint32_t status = get(core, HFN_ACCEL_REG_STATUS);
    if (status & HFN_ACCEL_STATUS_ERROR_MASK) return HFN_ACCEL_STOPPED;
    if (status & HFN_ACCEL_STATUS_BUSY_MASK) return HFN_ACCEL_RUNNING;
    return status & HFN_ACCEL_STATUS_DONE_MASK ? HFN_ACCEL_OK : HFN_ACCEL_IDLE;
}

int hfn_accel_wait(struct hfn_accel *core, uint32_t polls) {
    while (polls--) {
        const int result = hfn_accel_poll(core);
        if (result != HFN_ACCEL_RUNNING) return result;
    }
    return HFN_ACCEL_NO_ANSWER;
}

int hfn_accel_interrupt(struct hfn_accel *core) {
    set(core, HFN_ACCEL_REG_IRQ_STATUS, get(core, HFN_ACCEL_REG_IRQ_STATUS));
    return hfn_accel_poll(core);
}

int hfn_accel_reset(struct hfn_accel *core, uint32_t polls) {
    set(core, HFN_ACCEL_REG_CONTROL, HFN_ACCEL_CONTROL_RESET_MASK);
    while (polls--)
        if (!(get(core, HFN_ACCEL_REG_STATUS) & HFN_ACCEL_STATUS_BUSY_MASK)) return HFN_ACCEL_OK;
    return HFN_ACCEL_NO_ANSWER;
}

struct hfn_accel_failure hfn_accel_error(struct hfn_accel *core) {
    const uint32_t status = get(core, HFN_ACCEL_REG_STATUS);
    struct hfn_accel_failure failure;
    failure.code = (uint8_t)FIELD(STATUS_ERROR_CODE, status);
    failure.descriptor = (uint16_t)FIELD(STATUS_LAYER, status);
    failure.text = hfn_accel_error_text(failure.code);
    return failure;
}

const char *hfn_accel_error_text(uint8_t code) {
#define CASE(number, name, text) \
    case number:                 \
        return #name ": " text;
    switch (code) { HFN_ACCEL_ERRORS(CASE) }
#undef CASE
    return "unknown error code";
}

const char *hfn_accel_result_text(int result) {
    switch (result) {
        case HFN_ACCEL_OK: return "done";
        case HFN_ACCEL_RUNNING: return "the run goes on";
        case HFN_ACCEL_IDLE: return "nothing ran";
        case HFN_ACCEL_STOPPED: return "the core stopped the run";
        case HFN_ACCEL_NO_CORE: return "no accelerator at these registers";
        case HFN_ACCEL_OTHER_CORE: return "register map or program format of another version";
        case HFN_ACCEL_NO_PROGRAM: return "no whole program of this version";
        case HFN_ACCEL_OTHER_SHAPE: return "the program was compiled for another array or bus";
        case HFN_ACCEL_MISPLACED: return "an address is not aligned, or its region is too small";
        case HFN_ACCEL_BUSY: return "a run goes on, or an error was not reset";
        case HFN_ACCEL_NO_ANSWER: return "no answer within the limit of polls";
    }
    return "unknown result";
}

uint64_t hfn_accel_read(struct hfn_accel *core, enum hfn_accel_counter counter) {
#define OFFSET(name, offset) offset,
    static const uint16_t offsets[] = {HFN_ACCEL_COUNTERS(OFFSET)};
#undef OFFSET
    const uint64_t low = get(core, offsets[counter]);
    return low | (uint64_t)get(core, offsets[counter] + 4u) << 32;
}

#ifdef HFN_ACCEL_REG_WATCHDOG
void hfn_accel_watchdog(struct hfn_accel *core, uint32_t clocks) {
    set(core, HFN_ACCEL_REG_WATCHDOG, clocks);
}
#endif
