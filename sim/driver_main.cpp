// The C driver (hfn_accel/driver) on a Verilated accelerator: register accesses are AXI4-Lite
// transfers, memory is that of the harness, and an interrupt is the `irq` pin.
//
// usage: driver BEFORE AFTER COMMAND...   BEFORE and AFTER are the memory's contents. Commands, each
// of which prints a line "NAME RESULT ..." with the driver's result:
//   open                                  and rows, columns, bytes of the bus
//   start PROGRAM INPUT OUTPUT WORKSPACE  addresses; regions end with what the program asks for
//   short PROGRAM INPUT OUTPUT WORKSPACE  the same with an output region that is one byte too small
//   interrupt                             wait for `irq`, then answer it; and `irq` afterwards
//   wait POLLS                            poll
//   error                                 code, descriptor, text
//   counters                              every counter's value
//   reset POLLS
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core.h"
#include "hfn_accel_driver.h"

static constexpr uint64_t kLimit = 10000000;  // clocks until the interrupt

static uint32_t read32(void* core, uint32_t offset) {
    return static_cast<Core*>(core)->read(offset);
}

static void write32(void* core, uint32_t offset, uint32_t value) {
    static_cast<Core*>(core)->write(offset, value);
}

struct Arguments {
    char** next;
    uint32_t number() {
        if (!*next) fail("a command lacks a number");
        return strtoul(*next++, nullptr, 0);
    }
};

static int start(hfn_accel& core, const std::vector<uint8_t>& memory, Arguments& in, uint32_t less) {
    hfn_accel_program program;
    hfn_accel_run run{};
    run.program.address = in.number();
    run.input.address = in.number();
    run.output.address = in.number();
    run.workspace.address = in.number();
    const uint32_t at = run.program.address;
    const int result = hfn_accel_inspect(&memory[at], memory.size() - at, &program);
    if (result != HFN_ACCEL_OK) return result;
    run.program.bytes = program.image_bytes;
    run.input.bytes = program.input_bytes;
    run.output.bytes = program.output_bytes - less;
    run.workspace.bytes = program.workspace_bytes;
    return hfn_accel_start(&core, &program, &run);
}

static void execute(Core& h, hfn_accel& core, const std::string& name, Arguments& in) {
    printf("%s ", name.c_str());
    if (name == "open") {
        const int result = hfn_accel_open(&core);
        printf("%d %d %d %d\n", result, core.rows, core.columns, core.bus_bytes);
    } else if (name == "start" || name == "short") {
        printf("%d\n", start(core, h.memory.data, in, name == "short"));
    } else if (name == "interrupt") {
        if (h.wait(kLimit) > kLimit) fail("no interrupt came");
        const int result = hfn_accel_interrupt(&core);
        h.clock([] {});
        printf("%d %d\n", result, h.top.irq);
    } else if (name == "wait") {
        printf("%d\n", hfn_accel_wait(&core, in.number()));
    } else if (name == "error") {
        const hfn_accel_failure failure = hfn_accel_error(&core);
        printf("%d %d %s\n", failure.code, failure.descriptor, failure.text);
    } else if (name == "counters") {
        for (int i = 0; i < HFN_ACCEL_COUNTER_COUNT; ++i)
            printf("%llu ", static_cast<unsigned long long>(
                                hfn_accel_read(&core, static_cast<hfn_accel_counter>(i))));
        printf("\n");
    } else if (name == "reset") {
        printf("%d\n", hfn_accel_reset(&core, in.number()));
    } else {
        fail("unknown command " + name);
    }
}

int main(int argc, char** argv) {
    if (argc < 3) fail("usage: driver BEFORE AFTER COMMAND...");
    Core harness;
    std::ifstream before(argv[1], std::ios::binary);
    harness.memory.data.assign(std::istreambuf_iterator<char>(before), {});
    harness.memory.latency = 16;
    harness.reset();
    hfn_accel core{read32, write32, &harness, 0, 0, 0};
    for (Arguments in{argv + 3}; *in.next;) {
        const std::string name = *in.next++;
        execute(harness, core, name, in);
    }
    std::ofstream(argv[2], std::ios::binary)
        .write(reinterpret_cast<char*>(harness.memory.data.data()), harness.memory.data.size());
    harness.top.final();
}
