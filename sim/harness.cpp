// Runs a Verilated accelerator (top `hfn_accel`, prefix Vtop) without a simulator around it.
//
// usage: harness JOB. JOB is text, one command a line, in order of execution (sim/harness.py writes
// it and reads RESULTS):
//   memory FILE        contents of the AXI4 memory, address 0 first
//   latency N          clocks, as sim/memory.py defines them
//   seed S             random mode, with `latency` the longest latency
//   stall P            probability of a stall a clock in random mode
//   fault A B R        addresses A..B answer with R (2 SLVERR, 3 DECERR)
//   limit N            clocks that a `wait` may take
//   trace FILE         activation writes: u16 layer, u8 bank, u8 0, u32 address, u64 data
//   progress S N       a line on standard error: N clocks are expected in all (0: unknown); on a
//                      terminal it is rewritten, elsewhere there is one every S seconds
//   results FILE       "read OFFSET VALUE" and "wait CLOCKS" lines; "timeout" if the limit was met
//   write OFFSET VALUE, read OFFSET    one AXI4-Lite access
//   wait               until irq is 1
//   expect OFFSET MASK VALUE           a read; the accesses end here if its masked bits differ
//   save FILE          write the memory's contents
// Exit status: 0; 1 with a line on standard error if the job or the bus protocol is wrong.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <sstream>
#include <string>

#include "core.h"
#ifdef HFN_COVERAGE
#include "verilated_cov.h"
#endif

struct Progress {
    static constexpr uint64_t kLook = 1 << 14;  // clocks between two looks at the time
    using Time = std::chrono::steady_clock;
    double seconds = 0;
    uint64_t expected = 0;
    const bool terminal = isatty(fileno(stderr));
    const Time::time_point start = Time::now();
    double next = 0;

    void look(uint64_t clocks) {
        const double passed = std::chrono::duration<double>(Time::now() - start).count();
        if (passed < next) return;
        next = passed + (terminal ? 0.2 : seconds);
        show(clocks, passed);
    }

    void show(uint64_t clocks, double passed) const {
        const double rate = clocks / std::max(passed, 1e-6);
        fprintf(stderr, "%s%.1f", terminal ? "\r\033[K" : "", clocks * 1e-6);
        if (expected) fprintf(stderr, " of %.1f", expected * 1e-6);
        fprintf(stderr, " million clocks");
        if (expected) fprintf(stderr, " (%.0f%%)", std::min(100.0, 100.0 * clocks / expected));
        fprintf(stderr, ", %.0f thousand a second", rate * 1e-3);
        if (expected > clocks) {
            const int left = std::lround((expected - clocks) / rate);
            fprintf(stderr, ", %d:%02d left", left / 60, left % 60);
        }
        fputs(terminal ? "" : "\n", stderr);
    }

    void end() const {
        if (terminal && seconds > 0) fputs("\r\033[K", stderr);
    }
};

struct Harness : Core {
    FILE* trace = nullptr;
    FILE* results = nullptr;
    uint64_t limit = 1ull << 40;
    Progress progress;

    void record() override {
        if (progress.seconds > 0 && memory.now % Progress::kLook == 0) progress.look(memory.now);
#ifdef HFN_TRACE
        if (trace && top.trace_valid) {
            const struct {
                uint16_t layer;
                uint8_t bank, pad;
                uint32_t address;
                uint64_t data;
            } event{static_cast<uint16_t>(top.trace_layer), static_cast<uint8_t>(top.trace_bank),
                    0, static_cast<uint32_t>(top.trace_addr), static_cast<uint64_t>(top.trace_data)};
            static_assert(sizeof event == 16);
            fwrite(&event, sizeof event, 1, trace);
        }
#endif
    }
};

static FILE* open_file(const std::string& path, const char* mode) {
    FILE* file = fopen(path.c_str(), mode);
    if (!file) fail("cannot open " + path);
    return file;
}

static void run(Harness& h, const std::string& job) {
    std::ifstream commands(job);
    if (!commands) fail("cannot open " + job);
    bool fresh = true, ended = false;
    for (std::string line; std::getline(commands, line);) {
        std::istringstream in(line);
        in >> std::setbase(0);
        std::string word, path;
        uint64_t a = 0, b = 0, c = 0;
        in >> word;
        if (word == "write" || word == "read" || word == "wait" || word == "expect") {
            if (ended) continue;
            if (fresh) h.reset();
            fresh = false;
        }
        if (word == "memory" && std::getline(in >> std::ws, path)) {
            std::ifstream file(path, std::ios::binary);
            if (!file) fail("cannot open " + path);
            h.memory.data.assign(std::istreambuf_iterator<char>(file), {});
        } else if (word == "latency" && in >> h.memory.latency) {
        } else if (word == "seed" && in >> h.memory.random.state) {
            h.memory.vary = true;
        } else if (word == "stall" && in >> h.memory.stall) {
        } else if (word == "fault" && in >> h.memory.fault_first >> h.memory.fault_last >>
                                          h.memory.fault_response) {
        } else if (word == "limit" && in >> h.limit) {
        } else if (word == "progress" && in >> h.progress.seconds >> h.progress.expected) {
        } else if (word == "trace" && std::getline(in >> std::ws, path)) {
            h.trace = open_file(path, "wb");
        } else if (word == "results" && std::getline(in >> std::ws, path)) {
            h.results = open_file(path, "w");
        } else if (word == "save" && std::getline(in >> std::ws, path)) {
            FILE* file = open_file(path, "wb");
            const std::vector<uint8_t>& data = h.memory.data;
            if (fwrite(data.data(), 1, data.size(), file) != data.size() || fclose(file))
                fail("cannot write " + path);
        } else if (word == "write" && in >> a >> b) {
            h.write(a, b);
        } else if (word == "read" && in >> a) {
            fprintf(h.results, "read %llu %u\n", static_cast<unsigned long long>(a), h.read(a));
        } else if (word == "expect" && in >> a >> b >> c) {
            const uint32_t value = h.read(a);
            fprintf(h.results, "read %llu %u\n", static_cast<unsigned long long>(a), value);
            ended = (value & b) != c;
        } else if (word == "wait") {
            const uint64_t clocks = h.wait(h.limit);
            ended = clocks > h.limit;
            fprintf(h.results, "%s %llu\n", ended ? "timeout" : "wait",
                    static_cast<unsigned long long>(clocks));
        } else {
            fail("cannot understand: " + line);
        }
    }
    if (h.trace && fclose(h.trace)) fail("cannot write the trace");
    if (h.results && fclose(h.results)) fail("cannot write the results");
    h.progress.end();
    h.top.final();
#ifdef HFN_COVERAGE
    h.context.coveragep()->write("coverage.dat");
#endif
}

int main(int argc, char** argv) {
    try {
        if (argc != 2) fail("usage: harness JOB");
        Harness harness;
        run(harness, argv[1]);
    } catch (const std::runtime_error& error) {
        fprintf(stderr, "harness: %s\n", error.what());
        return 1;
    }
}
