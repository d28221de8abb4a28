// A Verilated accelerator with its memory: clock, reset, register accesses, interrupt.
#pragma once

#include "memory.h"
#include "verilated.h"

struct Core {
    VerilatedContext context;
    Vtop top{&context};
    Memory memory{&top};

    // Holds `rst` for 4 clocks; what is outstanding at the memory is forgotten.
    void reset() {
        memory.reset();
        top.rst = 1;
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
        top.s_axil_arvalid = top.s_axil_rready = 0;
        for (int i = 0; i < 4; ++i) {
            top.eval();
            edge();
        }
        top.eval();
        if (top.m_axi_arvalid || top.m_axi_awvalid || top.m_axi_wvalid) fail("valid in a reset");
        top.rst = 0;
    }

    void edge() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
    }

    // Seen in each clock before the edge, for what an owner keeps of it.
    virtual void record() {}
    virtual ~Core() = default;

    // One clock. `look` sees the design's outputs in it, before the edge.
    template <typename Look>
    void clock(Look look) {
        top.eval();
        look();
        record();
        memory.sample();
        edge();
        memory.drive();
    }

    static constexpr int kAccess = 10000;  // clocks; an AXI4-Lite access takes a handful

    void write(uint32_t offset, uint32_t value) {
        top.s_axil_awaddr = offset;
        top.s_axil_wdata = value;
        top.s_axil_wstrb = 15;
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 1;
        for (int i = 0; i < kAccess; ++i) {
            bool address, data, answer;
            clock([&] {
                address = top.s_axil_awready;
                data = top.s_axil_wready;
                answer = top.s_axil_bvalid;
            });
            if (address) top.s_axil_awvalid = 0;
            if (data) top.s_axil_wvalid = 0;
            if (answer) {
                top.s_axil_bready = 0;
                return;
            }
        }
        fail("register write was not answered");
    }

    uint32_t read(uint32_t offset) {
        top.s_axil_araddr = offset;
        top.s_axil_arvalid = top.s_axil_rready = 1;
        for (int i = 0; i < kAccess; ++i) {
            bool address, answer;
            uint32_t value;
            clock([&] {
                address = top.s_axil_arready;
                answer = top.s_axil_rvalid;
                value = top.s_axil_rdata;
            });
            if (address) top.s_axil_arvalid = 0;
            if (answer) {
                top.s_axil_rready = 0;
                return value;
            }
        }
        fail("register read was not answered");
    }

    // Clocks until irq, the clock that shows it included; `limit` + 1 if it does not come.
    uint64_t wait(uint64_t limit) {
        bool irq = false;
        uint64_t clocks = 0;
        while (!irq && clocks++ < limit) clock([&] { irq = top.irq; });
        return clocks;
    }
};
