// What goes wrong at the bus, and what the design must not write: for sim/memory.h.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

[[noreturn]] inline void fail(const std::string& message) {
    throw std::runtime_error(message);
}

enum Channel { kAr, kAw, kW, kR, kB, kChannels };

// RLAST of the beat: as it should be; the opposite, and the burst goes on (or ends) as if nothing
// were wrong; 1 too early, and the burst ends there; 0 where it should be 1, and a beat more comes.
enum Last { kRight, kWrong, kCut, kLonger };

struct Fault {
    int channel;
    uint64_t index;      // of the transfer on the channel, counted from 0
    uint64_t clocks;     // that it is held back for, from when it could take place
    int response;        // RRESP or BRESP instead of the right one, or -1
    int last;            // Last
};

struct Faults {
    std::vector<Fault> list;
    uint64_t count[kChannels] = {};                      // transfers so far
    std::vector<std::pair<uint64_t, uint64_t>> regions;  // that may be written: first, end
    uint64_t strays = 0, first_stray = 0;                // bytes written elsewhere
    bool guard = false;

    bool any() const { return !list.empty(); }

    Fault* next(Channel channel) {
        for (Fault& f : list)
            if (f.channel == channel && f.index == count[channel]) return &f;
        return nullptr;
    }

    // The next transfer waits. `delays` lets one clock of it pass: R and B, which the slave offers;
    // on the others it passes while the design offers one (`sample`).
    bool holds(Channel channel) {
        const Fault* f = next(channel);
        return f && f->clocks;
    }
    bool delays(Channel channel) {
        Fault* f = next(channel);
        return f && f->clocks && f->clocks--;
    }
    void sample(Channel channel, bool valid, bool ready) {
        if (valid && ready) ++count[channel];
        else if (valid && holds(channel)) --next(channel)->clocks;
    }

    void written(uint64_t address) {
        if (!guard) return;
        for (const auto& [first, end] : regions)
            if (address >= first && address < end) return;
        if (!strays++) first_stray = address;
    }
};
