// Stand-in for the accelerator: copies whole beats, each byte inverted, burst by burst.
// Registers: 0x00 write 1 starts; 0x04 {error, done}, any write clears irq; 0x08 source;
// 0x0c target; 0x10 beats; 0x14 clocks from start to done.
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
    localparam DATA = `DATA, BURST = 8;
    localparam IDLE = 0, AR = 1, R = 2, AW = 3, W = 4, B = 5;
    reg [2:0] state = IDLE;
    reg [31:0] source, target, beats, clocks = 0;
    reg [15:0] bursts = 0;
    reg [7:0] index = 0;
    reg done = 0, error = 0;
    reg [DATA-1:0] buffer [0:BURST-1];
    wire write = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
    wire [7:0] last = (beats < BURST ? beats : BURST) - 1;

    assign irq = done;
    assign s_axil_awready = write, s_axil_wready = write, s_axil_bresp = 0, s_axil_rresp = 0;
    assign s_axil_arready = !s_axil_rvalid;
    assign m_axi_araddr = source, m_axi_awaddr = target, m_axi_arlen = last, m_axi_awlen = last;
    assign m_axi_arsize = $clog2(DATA / 8), m_axi_awsize = $clog2(DATA / 8);
    assign m_axi_arburst = 1, m_axi_awburst = 1;
    assign m_axi_arvalid = state == AR, m_axi_rready = state == R;
    assign m_axi_awvalid = state == AW, m_axi_wvalid = state == W, m_axi_bready = state == B;
    assign m_axi_wdata = ~buffer[index], m_axi_wstrb = {DATA / 8{1'b1}};
    assign m_axi_wlast = index == last;
    assign trace_valid = state == R && m_axi_rvalid, trace_bank = 2, trace_layer = bursts;
    assign trace_addr = source + index * (DATA / 8), trace_data = m_axi_rdata[15:0];

    always @(posedge clk) begin
        if (state != IDLE) clocks <= clocks + 1;
        case (state)
            AR: if (m_axi_arready) begin state <= R; index <= 0; end
            R: if (m_axi_rvalid) begin
                buffer[index] <= m_axi_rdata;
                error <= error | m_axi_rresp != 0;
                index <= m_axi_rlast ? 0 : index + 1;
                if (m_axi_rlast) state <= AW;
            end
            AW: if (m_axi_awready) state <= W;
            W: if (m_axi_wready) begin
                index <= index + 1;
                if (index == last) state <= B;
            end
            B: if (m_axi_bvalid) begin
                error <= error | m_axi_bresp != 0;
                bursts <= bursts + 1;
                source <= source + BURST * DATA / 8;
                target <= target + BURST * DATA / 8;
                beats <= beats - last - 1;
                state <= beats > BURST ? AR : IDLE;
                done <= beats <= BURST;
            end
            default: ;
        endcase
        if (s_axil_bready) s_axil_bvalid <= 0;
        if (write) begin
            s_axil_bvalid <= 1;
            case (s_axil_awaddr)
                12'h00: begin state <= AR; clocks <= 0; error <= 0; end
                12'h04: done <= 0;
                12'h08: source <= s_axil_wdata;
                12'h0c: target <= s_axil_wdata;
                12'h10: beats <= s_axil_wdata;
                default: ;
            endcase
        end
        if (s_axil_rready) s_axil_rvalid <= 0;
        if (s_axil_arvalid && s_axil_arready) begin
            s_axil_rvalid <= 1;
            s_axil_rdata <= s_axil_araddr == 12'h04 ? {30'd0, error, done} : clocks;
        end
        if (rst) begin
            state <= IDLE; done <= 0; s_axil_bvalid <= 0; s_axil_rvalid <= 0; bursts <= 0;
        end
    end
endmodule
