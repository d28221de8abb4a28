// The AXI4 slave behind `m_axi_*` of a Verilated design: the model of sim/memory.py, in C++, with
// the same definition of time and the same rules. Random mode draws other numbers than the Python
// model does.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vtop.h"
#include "faults.h"

static constexpr uint64_t kBytes = HFN_BUS / 8;
static constexpr int kOkay = 0, kDecerr = 3;

// SplitMix64
struct Random {
    uint64_t state = 0;
    uint64_t next() {
        uint64_t z = (state += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }
    bool chance(double p) { return (next() >> 11) * 0x1p-53 < p; }
};

struct Burst {
    uint64_t address, beats, due = 0, done = 0;
    int response = kOkay;
};

// What a channel offers, and whether it was not yet taken.
struct Held {
    using Payload = std::array<uint64_t, 4>;
    bool waiting = false;
    Payload payload;
};

struct Beat {
    uint8_t data[kBytes];
    uint64_t strobe;
    bool last;
};

struct Memory {
    Vtop* top;
    std::vector<uint8_t> data;
    uint64_t latency = 1, now = 0;
    bool vary = false;
    double stall = 0.3;
    Random random;
    uint64_t fault_first = 1, fault_last = 0;
    int fault_response = kOkay;
    std::deque<Burst> reads, writes, answers;
    std::deque<Beat> beats;
    Held held[3];  // ar, aw, w
    bool data_taken = false, answer_taken = false;
    Faults faults;

    int response(uint64_t address) const {
        if (address + kBytes > data.size()) return kDecerr;
        return address >= fault_first && address <= fault_last ? fault_response : kOkay;
    }
    uint64_t wait() { return vary ? 1 + random.next() % latency : latency; }
    bool held_back() { return vary && random.chance(stall); }

    bool idle() const {
        return reads.empty() && writes.empty() && answers.empty() && beats.empty();
    }

    void ready() { top->m_axi_arready = top->m_axi_awready = top->m_axi_wready = !vary; }

    void reset() {
        ready();
        top->m_axi_rvalid = top->m_axi_bvalid = 0;
        reads.clear(), writes.clear(), answers.clear(), beats.clear();
        for (Held& h : held) h.waiting = false;
    }

    // A source keeps valid and payload until taken. True if it is taken in this clock.
    static bool take(const char* channel, Held& h, bool valid, bool ready,
                     const Held::Payload& payload) {
        if (h.waiting && !valid) fail(std::string(channel) + "valid fell before it was taken");
        if (h.waiting && payload != h.payload)
            fail(std::string(channel) + " payload changed before it was taken");
        h.waiting = valid && !ready;
        if (h.waiting) h.payload = payload;
        return valid && ready;
    }

    Burst burst(const char* channel, uint64_t address, unsigned length, unsigned size,
                unsigned kind) {
        Burst b{address - address % kBytes, length + 1ull};
        char text[120];
        if ((1u << size) != kBytes || kind != 1) {
            snprintf(text, sizeof text, "%s burst must be INCR, %d bytes a beat", channel,
                     int(kBytes));
            fail(text);
        }
        if (b.address / 4096 != (b.address + b.beats * kBytes - 1) / 4096) {
            snprintf(text, sizeof text, "%s burst of %d beats at 0x%llx crosses 4 KiB", channel,
                     int(b.beats), static_cast<unsigned long long>(b.address));
            fail(text);
        }
        return b;
    }

    // Before the edge: what the design gives in this clock.
    void sample() {
        ++now;
        faults.sample(kAr, top->m_axi_arvalid, top->m_axi_arready);
        faults.sample(kAw, top->m_axi_awvalid, top->m_axi_awready);
        faults.sample(kW, top->m_axi_wvalid, top->m_axi_wready);
        faults.sample(kR, top->m_axi_rvalid, top->m_axi_rready);
        faults.sample(kB, top->m_axi_bvalid, top->m_axi_bready);
        if (take("ar", held[0], top->m_axi_arvalid, top->m_axi_arready,
                 {top->m_axi_araddr, top->m_axi_arlen})) {
            reads.push_back(burst("read", top->m_axi_araddr, top->m_axi_arlen, top->m_axi_arsize,
                                  top->m_axi_arburst));
            reads.back().due = now + wait();
        }
        if (take("aw", held[1], top->m_axi_awvalid, top->m_axi_awready,
                 {top->m_axi_awaddr, top->m_axi_awlen}))
            writes.push_back(burst("write", top->m_axi_awaddr, top->m_axi_awlen,
                                   top->m_axi_awsize, top->m_axi_awburst));
        uint64_t data[2] = {0, 0};
        memcpy(data, &top->m_axi_wdata, kBytes);
        if (take("w", held[2], top->m_axi_wvalid, top->m_axi_wready,
                 {data[0], data[1], top->m_axi_wstrb, top->m_axi_wlast})) {
            Beat beat;
            memcpy(beat.data, data, kBytes);
            beat.strobe = top->m_axi_wstrb;
            beat.last = top->m_axi_wlast;
            beats.push_back(beat);
        }
        data_taken = top->m_axi_rvalid && top->m_axi_rready;
        answer_taken = top->m_axi_bvalid && top->m_axi_bready;
    }

    // After the edge: what the design gets in the next clock.
    void drive() {
        give_data();
        match();
        give_answer();
        if (!vary && !faults.any()) return;
        top->m_axi_arready = !faults.holds(kAr) && !held_back();
        top->m_axi_awready = !faults.holds(kAw) && !held_back();
        top->m_axi_wready = !faults.holds(kW) && !held_back();
    }

    void give_data() {
        if (top->m_axi_rvalid && !data_taken) return;
        if (data_taken && ++reads.front().done >= reads.front().beats) reads.pop_front();
        if (reads.empty() || reads.front().due > now + 1 || held_back() || faults.delays(kR)) {
            top->m_axi_rvalid = 0;
            return;
        }
        Burst& b = reads.front();
        const uint64_t address = b.address + b.done * kBytes;
        int r = response(address);
        bool last = b.done == b.beats - 1;
        if (const Fault* f = faults.next(kR)) {
            if (f->response >= 0) r = f->response;
            last ^= f->last != kRight;
            if (f->last == kCut) b.beats = b.done + 1;
            if (f->last == kLonger) b.beats = b.done + 2;
        }
        if (r == kOkay)
            memcpy(&top->m_axi_rdata, &data[address], kBytes);
        else
            memset(&top->m_axi_rdata, 0, kBytes);
        top->m_axi_rresp = r;
        top->m_axi_rlast = last;
        top->m_axi_rvalid = 1;
    }

    void match() {
        while (!beats.empty() && !writes.empty()) {
            Burst& b = writes.front();
            const Beat& beat = beats.front();
            const uint64_t address = b.address + b.done * kBytes;
            const int r = response(address);
            b.response = std::max(b.response, r);
            for (uint64_t i = 0; i < kBytes; ++i) {
                if (!(beat.strobe >> i & 1)) continue;
                if (r == kOkay) data[address + i] = beat.data[i];
                faults.written(address + i);
            }
            const bool last = ++b.done == b.beats;
            if (beat.last != last) fail("wlast is on another beat than the burst's last");
            beats.pop_front();
            if (last) {
                b.due = now + wait();
                answers.push_back(b);
                writes.pop_front();
            }
        }
    }

    void give_answer() {
        if (top->m_axi_bvalid && !answer_taken) return;
        if (answer_taken) answers.pop_front();
        if (answers.empty() || answers.front().due > now + 1 || held_back() || faults.delays(kB)) {
            top->m_axi_bvalid = 0;
            return;
        }
        top->m_axi_bresp = answers.front().response;
        const Fault* f = faults.next(kB);
        if (f && f->response >= 0) top->m_axi_bresp = f->response;
        top->m_axi_bvalid = 1;
    }
};
