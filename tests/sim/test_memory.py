"""The cocotb memory model and the C++ one keep the same time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from sim import harness, runner

BURST, OUTSTANDING = 8, 4
CONTROL, STATUS, SOURCE, TARGET, BEATS, CLOCKS, PACE = range(0, 28, 4)
DONE, FAILED = 1, 3


def design(bits: int, name: str = "copier") -> str:
    text = Path(__file__).with_name(f"{name}.v").read_text()
    return text.replace("`define DATA 64", f"`define DATA {bits}")


def clocks(latency: int, beats: int) -> int:
    """Clocks of the copier: AR, wait, data, AW, data, wait and B of each burst."""
    bursts = [min(BURST, beats - i) for i in range(0, beats, BURST)]
    return sum(2 * n + 1 + 2 * latency for n in bursts)


def outstanding_clocks(latency: int, beats: int) -> int:
    """Clocks of the mover: AR, wait, data without a gap, a clock later on W, wait and B.

    Four bursts outstanding hide a latency up to that of three bursts' beats.
    """
    assert latency <= (OUTSTANDING - 1) * BURST
    return 1 + 2 * latency + beats


CASES = [(1, 1), (1, 20), (2, 8), (5, 100), (33, 9)]
MOVES = [(1, 1, 0), (1, 20, 0), (5, 100, 0), (24, 100, 0), (24, 101, 0),
         (1, 40, 1), (25, 100, 0), (40, 100, 0), (60, 97, 3), (9, 50, 20)]  # fmt: skip


def job(memory, source: int, target: int, beats: int, pace: int = 0, **options) -> harness.Job:
    commands = [("write", SOURCE, source), ("write", TARGET, target), ("write", BEATS, beats)]
    commands += [("write", PACE, pace), ("write", CONTROL, 1), ("wait",), ("read", STATUS)]
    return harness.Job(memory=memory, commands=[*commands, ("read", CLOCKS)], **options)


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("bits", [64, 128])
def test_cocotb(simulator, bits):
    text = design(bits).replace("module hfn_accel", "module top")
    table = [(latency, beats, 0, clocks(latency, beats)) for latency, beats in CASES]
    runner.run(text, "sim.benches.memory_model", name=f"copier{bits}", simulator=simulator,
               bus_bytes=bits // 8, clocks=table)  # fmt: skip


@pytest.mark.parametrize("bits", [64, 128])
def test_outstanding_bursts(bits):
    """Data in order and without a gap, and the same clocks in both models, at any pace."""
    config = Config(axi_data_width=bits)
    binary = harness.build(design(bits, "mover"), config)
    memory = np.random.default_rng(5).integers(0, 256, 16384, np.uint8)
    table = []
    for latency, beats, pace in MOVES:
        size = beats * config.bus_bytes
        move = job(memory, 0, 8192, beats, pace, latency=latency, trace=True)
        result = harness.execute(binary, move)
        status, taken = result.reads.tolist()
        assert status == DONE
        if pace == 0 and latency <= (OUTSTANDING - 1) * BURST:
            assert taken == outstanding_clocks(latency, beats)
        assert (result.memory[8192 : 8192 + size] == ~memory[:size]).all()
        assert result.trace["addr"].tolist() == list(range(0, size, config.bus_bytes))
        assert (result.trace["data"] == memory[:size].view("<u2")[:: config.bus_bytes // 2]).all()
        assert result.trace["layer"].tolist() == [i // BURST for i in range(beats)]
        table.append((latency, beats, pace, taken))
    text = design(bits, "mover").replace("module hfn_accel", "module top")
    runner.run(text, "sim.benches.memory_model", name=f"mover{bits}", simulator="icarus",
               bus_bytes=bits // 8, clocks=table)  # fmt: skip


@pytest.mark.parametrize("bits", [64, 128])
def test_harness(bits):
    config = Config(axi_data_width=bits)
    binary = harness.build(design(bits), config)
    memory = np.random.default_rng(3).integers(0, 256, 16384, np.uint8)
    for latency, beats in CASES:
        size = beats * config.bus_bytes
        result = harness.execute(binary, job(memory, 0, 8192, beats, latency=latency, trace=True))
        assert result.reads.tolist() == [DONE, clocks(latency, beats)]
        assert result.waits.tolist() == [clocks(latency, beats)]
        assert (result.memory[8192 : 8192 + size] == ~memory[:size]).all()
        assert result.trace["addr"].tolist() == list(range(0, size, config.bus_bytes))
        assert result.trace["data"].tolist() == (
            memory[:size].view("<u2")[:: config.bus_bytes // 2].tolist()
        )
        assert (result.trace["bank"] == 2).all()
        assert result.trace["layer"].tolist() == [i // BURST for i in range(beats)]


@pytest.mark.parametrize("name", ["copier", "mover"])
def test_harness_random(name):
    binary = harness.build(design(64, name), Config())
    memory = np.random.default_rng(4).integers(0, 256, 16384, np.uint8)
    taken = set()
    for seed in range(6):
        pace = seed % 3
        move = job(memory, 0, 8192, 50, pace, latency=20, seed=seed, stall=0.5)
        result = harness.execute(binary, move)
        assert result.reads[0] == DONE
        assert (result.memory[8192:8592] == ~memory[:400]).all()
        taken.add(int(result.reads[1]))
    assert len(taken) > 3


def test_harness_progress(capfd):
    """Without a terminal: lines with clocks, share, speed and time left; nothing unless asked."""
    binary = harness.build(design(64), Config())
    move = job(bytes(1 << 20), 0, 1 << 19, 10000, latency=20)
    for progress, expected, words in (
        (0, 0, []),
        (1e-6, 200_000, ["of 0.2 million clocks (", "%), ", "thousand a second", " left"]),
        (1e-6, 0, ["million clocks, "]),
    ):
        harness.execute(binary, replace(move, progress=progress, expected=expected))
        lines = capfd.readouterr().err.splitlines()
        assert bool(lines) == bool(progress)
        assert all(word in lines[0] for word in words)


def test_harness_errors():
    binary = harness.build(design(64), Config())
    memory = np.zeros(16384, np.uint8)
    result = harness.execute(binary, job(memory, 0, 8192, 3, fault=(8192, 8199, 2)))
    assert result.reads[0] == FAILED
    assert result.memory[8192:8216].tolist() == [0] * 8 + [255] * 16
    result = harness.execute(binary, job(memory, 16384, 0, 3))
    assert result.reads[0] == FAILED  # DECERR behind the end
    with pytest.raises(HfnError, match="crosses 4 KiB"):
        harness.execute(binary, job(memory, 4096 - 8, 0, 8))
    with pytest.raises(HfnError, match="did not finish within 20 clocks"):
        harness.execute(binary, job(memory, 0, 8192, 100, limit=20))
    with pytest.raises(HfnError, match="latency must be at least 1"):
        harness.execute(binary, job(memory, 0, 8192, 1, latency=0))


def test_harness_expect():
    """A read that is not as expected ends the accesses."""
    binary = harness.build(design(64), Config())
    once = job(bytes(16384), 0, 8192, 1).commands + [("write", STATUS, 0)]
    for mask, value, copies in ((3, 0, 2), (3, 2, 1)):
        commands = once + [("expect", STATUS, mask, value)] + once
        result = harness.execute(binary, harness.Job(memory=bytes(16384), commands=commands))
        assert len(result.waits) == copies and len(result.reads) == 2 * copies + 1


def test_wrong_last():
    """A master whose WLAST is wrong is found out by both models."""
    text = design(64).replace("m_axi_wlast = index == last", "m_axi_wlast = 0")
    with pytest.raises(HfnError, match="wlast"):
        harness.execute(harness.build(text, Config()), job(bytes(16384), 0, 8192, 8))
    text = text.replace("module hfn_accel", "module top")
    with pytest.raises(AssertionError, match="wlast is 0 on beat 8 of 8"):
        runner.run(text, "sim.benches.memory_model", name="copier64", simulator="icarus",
                   bus_bytes=8, clocks=[(1, 8, 0, clocks(1, 8))])  # fmt: skip


@pytest.mark.parametrize("old, new, reason", [
    ("m_axi_araddr = source", "m_axi_araddr = source + clocks[0] * 64", "ar payload changed"),
    ("state == W,", "state == W && !clocks[2],", "wvalid fell"),
])  # fmt: skip
def test_wrong_handshake(old, new, reason):
    """A source that does not keep what it offers is found out."""
    assert old in design(64)
    text = design(64).replace(old, new)
    stalled = {"seed": 3, "stall": 0.9}
    with pytest.raises(HfnError, match=reason):
        harness.execute(harness.build(text, Config()), job(bytes(16384), 0, 8192, 50, **stalled))
