// Stand-in that copies as copier.v does, but reads and writes at the same time, with up to four
// bursts of each outstanding. Registers as there, and 0x18: clocks between two read beats taken - 1.
`define DATA 64
module hfn_accel (
    input clk, input rst, output irq,
    input [11:0] s_axil_awaddr, input s_axil_awvalid, output s_axil_awready,
    input [31:0] s_axil_wdata, input [3:0] s_axil_wstrb, input s_axil_wvalid, output s_axil_wready,
    output [1:0] s_axil_bresp, output reg s_axil_bvalid, input s_axil_bready,
    input [11:0] s_axil_araddr, input s_axil_arvalid, output s_axil_arready,
    output reg [31:0] s_axil_rdata, output [1:0] s_axil_rresp, output reg s_axil_rvalid,
    input s_axil_rready,
    output [31:0] m_axi_araddr, output [7:0] m_axi_arlen, output [2:0] m_axi_arsize,
    output [1:0] m_axi_arburst, output m_axi_arvalid, input m_axi_arready,
    input [`DATA-1:0] m_axi_rdata, input [1:0] m_axi_rresp, input m_axi_rlast, input m_axi_rvalid,
    output m_axi_rready,
    output [31:0] m_axi_awaddr, output [7:0] m_axi_awlen, output [2:0] m_axi_awsize,
    output [1:0] m_axi_awburst, output m_axi_awvalid, input m_axi_awready,
    output [`DATA-1:0] m_axi_wdata, output [`DATA/8-1:0] m_axi_wstrb, output m_axi_wlast,
    output m_axi_wvalid, input m_axi_wready,
    input [1:0] m_axi_bresp, input m_axi_bvalid, output m_axi_bready,
    output trace_valid, output [1:0] trace_bank, output [31:0] trace_addr,
    output [15:0] trace_data, output [15:0] trace_layer
);
    localparam DATA = `DATA, BURST = 8, OUTSTANDING = 4, DEPTH = 16;
    reg busy = 0, done = 0, error = 0;
    reg [31:0] source, target, beats, clocks = 0, pace = 0, rest = 0;
    reg [31:0] asked = 0, taken = 0, told = 0, sent = 0;  // beats: AR, R, AW, W
    reg [15:0] reads = 0, arrived = 0, writes = 0, answers = 0;  // bursts
    reg [DATA-1:0] buffer [0:DEPTH-1];
    wire write = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
    wire [31:0] ask = beats - asked < BURST ? beats - asked : BURST;
    wire [31:0] tell = beats - told < BURST ? beats - told : BURST;
    wire ar = m_axi_arvalid && m_axi_arready, r = m_axi_rvalid && m_axi_rready;
    wire aw = m_axi_awvalid && m_axi_awready, w = m_axi_wvalid && m_axi_wready;

    assign irq = done;
    assign s_axil_awready = write, s_axil_wready = write, s_axil_bresp = 0, s_axil_rresp = 0;
    assign s_axil_arready = !s_axil_rvalid;
    assign m_axi_araddr = source + asked * (DATA / 8), m_axi_arlen = ask - 1;
    assign m_axi_awaddr = target + told * (DATA / 8), m_axi_awlen = tell - 1;
    assign m_axi_arsize = $clog2(DATA / 8), m_axi_awsize = $clog2(DATA / 8);
    assign m_axi_arburst = 1, m_axi_awburst = 1;
    assign m_axi_arvalid = busy && asked < beats && reads < OUTSTANDING;
    assign m_axi_awvalid = busy && told < beats && writes < OUTSTANDING;
    assign m_axi_rready = taken - sent < DEPTH && rest == 0;
    assign m_axi_wvalid = busy && sent < taken;
    assign m_axi_wdata = ~buffer[sent % DEPTH], m_axi_wstrb = {DATA / 8{1'b1}};
    assign m_axi_wlast = sent % BURST == BURST - 1 || sent == beats - 1;
    assign m_axi_bready = 1;
    assign trace_valid = r, trace_bank = 1, trace_layer = arrived;
    assign trace_addr = source + taken * (DATA / 8), trace_data = m_axi_rdata[15:0];

    always @(posedge clk) begin
        if (busy) clocks <= clocks + 1;
        reads <= reads + ar - (r && m_axi_rlast);
        writes <= writes + aw - m_axi_bvalid;
        if (ar) asked <= asked + ask;
        if (aw) told <= told + tell;
        if (w) sent <= sent + 1;
        if (rest != 0) rest <= rest - 1;
        if (r) begin
            buffer[taken % DEPTH] <= m_axi_rdata;
            taken <= taken + 1;
            arrived <= arrived + m_axi_rlast;
            rest <= pace;
        end
        if (r && m_axi_rresp != 0 || m_axi_bvalid && m_axi_bresp != 0) error <= 1;
        if (m_axi_bvalid) begin
            answers <= answers + 1;
            if ((answers + 1) * BURST >= beats) begin busy <= 0; done <= 1; end
        end
        if (s_axil_bready) s_axil_bvalid <= 0;
        if (write) begin
            s_axil_bvalid <= 1;
            case (s_axil_awaddr)
                12'h00: begin
                    busy <= 1; clocks <= 0; error <= 0; arrived <= 0; answers <= 0;
                    asked <= 0; taken <= 0; told <= 0; sent <= 0;
                end
                12'h04: done <= 0;
                12'h08: source <= s_axil_wdata;
                12'h0c: target <= s_axil_wdata;
                12'h10: beats <= s_axil_wdata;
                12'h18: pace <= s_axil_wdata;
                default: ;
            endcase
        end
        if (s_axil_rready) s_axil_rvalid <= 0;
        if (s_axil_arvalid && s_axil_arready) begin
            s_axil_rvalid <= 1;
            s_axil_rdata <= s_axil_araddr == 12'h04 ? {30'd0, error, done} : clocks;
        end
        if (rst) begin
            busy <= 0; done <= 0; s_axil_bvalid <= 0; s_axil_rvalid <= 0; reads <= 0; writes <= 0;
            sent <= 0; taken <= 0;
        end
    end
endmodule
