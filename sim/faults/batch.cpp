// Runs many short jobs on a Verilated accelerator, each on a core and a memory of its own.
//
// usage: batch SCRIPT RESULTS. SCRIPT is text, one command a line (sim/faults/batch.py writes it):
//   memory FILE        what every case's memory holds at first, address 0 first
//   case               a new core in reset; the answers to what follows stand behind "case"
//   latency N, seed S, stall P         as in sim/harness.cpp
//   patch A HEX        bytes of the memory from address A on
//   fault CHANNEL INDEX CLOCKS RESPONSE LAST       a Fault of sim/faults.h
//   region FIRST END   bytes that may be written
//   write OFFSET VALUE, read OFFSET    one AXI4-Lite access; "read VALUE"
//   wait LIMIT OFFSET  until irq: "wait CLOCKS"; or "late QUIET PROGRESS": clocks since the last
//                      transfer or activation write, and by how much register OFFSET then grew
//   clocks N           so many clocks pass
//   poll OFFSET MASK N reads until the masked bits are 0: "poll 1", or after N clocks "poll 0"
//   settle N           until nothing is outstanding at the memory, or N clocks
//   reset              a hard reset
//   calm               no more faults
//   restore            the memory as it was at first
//   dump A N           "dump HEX"
//   counts             "counts AR AW W R B STRAYS FIRST_STRAY": transfers, and bytes written
//                      outside the regions
// A broken rule of the bus, or a register access without an answer, ends the case: "broken WHY".

#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

#include "core.h"

struct Batch : Core {
    uint64_t active = 0, transfers = 0;

    void record() override {
        uint64_t sum = 0;
        for (uint64_t n : memory.faults.count) sum += n;
        bool moved = sum != transfers;
#ifdef HFN_TRACE
        moved |= top.trace_valid;
#endif
        if (moved) active = memory.now;
        transfers = sum;
    }

    void idle(uint64_t clocks) {
        while (clocks--) clock([] {});
    }
};

static constexpr uint64_t kLook = 4096;  // clocks between two looks at what should grow

static uint8_t nibble(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static void command(Batch& b, const std::vector<uint8_t>& first, std::istringstream& in,
                    const std::string& word, FILE* out) {
    Memory& memory = b.memory;
    uint64_t x = 0, y = 0, n = 0;
    std::string text;
    if (word == "latency" && in >> memory.latency) {
    } else if (word == "seed" && in >> memory.random.state) {
        memory.vary = true;
    } else if (word == "stall" && in >> memory.stall) {
    } else if (word == "patch" && in >> x >> text) {
        for (size_t i = 0; 2 * i < text.size(); ++i)
            memory.data.at(x + i) = nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]);
    } else if (word == "fault") {
        Fault f;
        if (!(in >> f.channel >> f.index >> f.clocks >> f.response >> f.last)) fail("bad fault");
        memory.faults.list.push_back(f);
    } else if (word == "region" && in >> x >> y) {
        memory.faults.guard = true;
        memory.faults.regions.emplace_back(x, y);
    } else if (word == "write" && in >> x >> y) {
        b.write(x, y);
    } else if (word == "read" && in >> x) {
        fprintf(out, "read %u\n", b.read(x));
    } else if (word == "wait" && in >> n >> x) {
        b.active = memory.now;
        const uint64_t clocks = b.wait(n);
        if (clocks <= n) {
            fprintf(out, "wait %llu\n", static_cast<unsigned long long>(clocks));
            return;
        }
        const uint64_t quiet = memory.now - b.active;
        const uint32_t before = b.read(x);
        b.idle(kLook);
        fprintf(out, "late %llu %u\n", static_cast<unsigned long long>(quiet),
                b.read(x) - before);
    } else if (word == "clocks" && in >> n) {
        b.idle(n);
    } else if (word == "poll" && in >> x >> y >> n) {
        const uint64_t end = memory.now + n;
        bool clear = false;
        while (!clear && memory.now < end) clear = !(b.read(x) & y);
        fprintf(out, "poll %d\n", clear);
    } else if (word == "settle" && in >> n) {
        while (n-- && !memory.idle()) b.idle(1);
    } else if (word == "reset") {
        b.reset();
    } else if (word == "calm") {
        memory.faults.list.clear();
        memory.ready();
    } else if (word == "restore") {
        memory.data = first;
    } else if (word == "dump" && in >> x >> n) {
        fputs("dump ", out);
        while (n--) fprintf(out, "%02x", memory.data.at(x++));
        fputc('\n', out);
    } else if (word == "counts") {
        fputs("counts", out);
        const Faults& f = memory.faults;
        for (uint64_t c : f.count) fprintf(out, " %llu", static_cast<unsigned long long>(c));
        fprintf(out, " %llu %llu\n", static_cast<unsigned long long>(f.strays),
                static_cast<unsigned long long>(f.first_stray));
    } else {
        throw std::invalid_argument("cannot understand: " + in.str());
    }
}

int main(int argc, char** argv) {
    std::ifstream script(argc == 3 ? argv[1] : "");
    FILE* out = argc == 3 ? fopen(argv[2], "w") : nullptr;
    if (!script || !out) {
        fprintf(stderr, "usage: batch SCRIPT RESULTS\n");
        return 1;
    }
    std::vector<uint8_t> first;
    std::unique_ptr<Batch> batch;
    bool broken = false;
    for (std::string line, word; std::getline(script, line);) {
        std::istringstream in(line);
        in >> word;
        if (word == "memory") {
            std::ifstream file(line.substr(7), std::ios::binary);
            first.assign(std::istreambuf_iterator<char>(file), {});
        } else if (word == "case") {
            batch = std::make_unique<Batch>();
            batch->memory.data = first;
            batch->reset();
            broken = false;
            fputs("case\n", out);
        } else if (!broken) {
            try {
                command(*batch, first, in, word, out);
            } catch (const std::runtime_error& error) {
                fprintf(out, "broken %s\n", error.what());
                broken = true;
            }
        }
    }
    return fclose(out) != 0;
}
