// SPDX-License-Identifier: Apache-2.0
// Self-checking smoke test of the accelerator in an SoC's simulator: identity, a run of a memory
// full of zeros, which is no program, its error and interrupt, and a reset. Ends with PASS, or with
// FAIL and $fatal.
`timescale 1ns / 1ps
`include "hfn_accel_regs.vh"

module hfn_accel_tb;
  parameter BUS_BITS = 64;
  localparam BUS_BYTES = BUS_BITS / 8;

  reg clk = 0, rst = 1;
  always #5 clk = ~clk;

  reg [11:0] awaddr = 0, araddr = 0;
  reg [31:0] wdata = 0;
  reg awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
  wire awready, wready, bvalid, arready, rvalid, irq;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;

  // A memory of zeros: a burst's beats follow its address.
  wire m_arvalid, m_rready;
  wire [7:0] m_arlen;
  reg [8:0] left = 0;
  always @(posedge clk)
    if (m_arvalid && left == 0) left <= m_arlen + 9'd1;
    else if (left != 0 && m_rready) left <= left - 9'd1;

  hfn_accel core (
    .clk(clk), .rst(rst), .irq(irq),
    .s_axil_awaddr(awaddr), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid),
    .s_axil_awready(awready), .s_axil_wdata(wdata), .s_axil_wstrb(4'hf), .s_axil_wvalid(wvalid),
    .s_axil_wready(wready), .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
    .s_axil_araddr(araddr), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid),
    .s_axil_arready(arready), .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid),
    .s_axil_rready(rready),
    .m_axi_arid(), .m_axi_araddr(), .m_axi_arlen(m_arlen), .m_axi_arsize(), .m_axi_arburst(),
    .m_axi_arlock(), .m_axi_arcache(), .m_axi_arprot(), .m_axi_arqos(), .m_axi_arvalid(m_arvalid),
    .m_axi_arready(left == 0), .m_axi_rid(1'b0), .m_axi_rdata({BUS_BITS{1'b0}}),
    .m_axi_rresp(2'd0), .m_axi_rlast(left == 1), .m_axi_rvalid(left != 0),
    .m_axi_rready(m_rready),
    .m_axi_awid(), .m_axi_awaddr(), .m_axi_awlen(), .m_axi_awsize(), .m_axi_awburst(),
    .m_axi_awlock(), .m_axi_awcache(), .m_axi_awprot(), .m_axi_awqos(), .m_axi_awvalid(),
    .m_axi_awready(1'b0), .m_axi_wdata(), .m_axi_wstrb(), .m_axi_wlast(), .m_axi_wvalid(),
    .m_axi_wready(1'b0), .m_axi_bid(1'b0), .m_axi_bresp(2'd0), .m_axi_bvalid(1'b0),
    .m_axi_bready()
  );

  task fail(input [8 * 40 - 1:0] what, input [31:0] value);
    begin
      $display("FAIL: %0s is %h", what, value);
      $fatal;
    end
  endtask

  task write(input [11:0] offset, input [31:0] value);
    begin
      awaddr <= offset; wdata <= value; awvalid <= 1; wvalid <= 1; bready <= 1;
      @(posedge clk);
      while (!(awready && wready)) @(posedge clk);
      awvalid <= 0; wvalid <= 0;
      while (!bvalid) @(posedge clk);
      if (bresp != 0) fail("response of a write", bresp);
      bready <= 0;
      @(posedge clk);
    end
  endtask

  task read(input [11:0] offset, output [31:0] value);
    begin
      araddr <= offset; arvalid <= 1; rready <= 1;
      @(posedge clk);
      while (!arready) @(posedge clk);
      arvalid <= 0;
      while (!rvalid) @(posedge clk);
      value = rdata;
      if (rresp != 0) fail("response of a read", rresp);
      rready <= 0;
      @(posedge clk);
    end
  endtask

  task check(input [8 * 40 - 1:0] what, input [11:0] offset, input [31:0] mask,
              input [31:0] wanted);
    reg [31:0] value;
    begin
      read(offset, value);
      if ((value & mask) != wanted) fail(what, value);
    end
  endtask

  reg [31:0] shape;
  initial begin
    repeat (4) @(posedge clk);
    rst <= 0;
    @(posedge clk);
    check("ID", `HFN_ACCEL_REG_ID, ~32'd0, `HFN_ACCEL_ID_VALUE);
    check("VERSION", `HFN_ACCEL_REG_VERSION, ~32'd0,
           `HFN_ACCEL_PROGRAM_VERSION << `HFN_ACCEL_VERSION_PROGRAM_SHIFT
           | `HFN_ACCEL_MAP_VERSION << `HFN_ACCEL_VERSION_REGISTERS_SHIFT);
    read(`HFN_ACCEL_REG_SHAPE, shape);
    if (1 << shape[23:16] != BUS_BYTES) fail("SHAPE (BUS_BITS is another)", shape);
    write(`HFN_ACCEL_REG_PROGRAM_ADDR, 32'h1000);
    write(`HFN_ACCEL_REG_CONTROL,
          `HFN_ACCEL_CONTROL_START_MASK | `HFN_ACCEL_CONTROL_IRQ_ENABLE_MASK);
    wait (irq);
    @(posedge clk);
    check("STATUS after a bad program", `HFN_ACCEL_REG_STATUS,
           `HFN_ACCEL_STATUS_ERROR_MASK | `HFN_ACCEL_STATUS_ERROR_CODE_MASK,
           `HFN_ACCEL_STATUS_ERROR_MASK
           | `HFN_ACCEL_ERROR_BAD_MAGIC << `HFN_ACCEL_STATUS_ERROR_CODE_SHIFT);
    write(`HFN_ACCEL_REG_CONTROL, `HFN_ACCEL_CONTROL_RESET_MASK);
    repeat (100) @(posedge clk);
    check("STATUS after a reset", `HFN_ACCEL_REG_STATUS, ~32'd0, 32'd0);
    if (irq) fail("irq after a reset", irq);
    $display("PASS: hfn_accel %0dx%0d, bus of %0d bits", 1 << shape[7:0], 1 << shape[15:8],
             BUS_BITS);
    $finish;
  end

  initial begin
    #1000000 fail("simulated time", 0);
  end
endmodule
