"""The sequencer: every engine goes on, and an abort ends in idle, from any state."""

from amaranth.hdl import ResetInserter

from hfn_accel.config import Config
from hfn_accel.timing import CHECK_CYCLES, DECODE_CYCLES
from rtl.control import Control
from rtl.executor import Executor
from rtl.fetcher import Fetcher
from rtl.watchdog import Watchdog

from .bench import Bench

PATIENCE = 2  # clocks in which a block answers
SMALL = Config(rows=1, columns=1)


def _often(b: Bench, *events):
    """Each comes at least once in PATIENCE clocks."""
    b.assume(*(b.since(~event, PATIENCE) < PATIENCE for event in events))


EXECUTOR_CLOCKS = 9 + 5 * PATIENCE


def executor(b: Bench):
    dut = b.block(Executor(SMALL))
    _often(b, dut.finished, dut.drained, dut.pooled, ~dut.store_busy, ~dut.write_busy)
    busy = b.since(dut.busy, EXECUTOR_CLOCKS, "busy_clocks")
    b.claim("idle again in bounded time", busy < EXECUTOR_CLOCKS)
    b.claim("idle behind done and failed", ~b.past(dut.done | dut.failed) | ~dut.busy)
    b.claim("a cause while busy", dut.busy == (dut.cause != 0))
    b.claim("takes while idle alone", ~dut.taken | (dut.offer & ~dut.busy))
    b.reach(
        "a layer from start to end",
        b.past(dut.busy & (dut.executed == 0)) & ~dut.busy & (dut.executed == 1),
    )


FETCHER_CLOCKS = 2 + DECODE_CYCLES + 2 * CHECK_CYCLES + 5 * PATIENCE


def fetcher(b: Bench):
    dut = b.block(Fetcher(SMALL))
    _often(b, ~dut.read_busy, ~dut.image_busy, ~dut.mask_busy, dut.quiet, dut.done, dut.taken)
    for busy, start in (
        (dut.read_busy, dut.read_start),
        (dut.image_busy, dut.image_start),
        (dut.mask_busy, dut.mask_start),
    ):
        b.assume(~b.past(~busy & ~start) | ~busy | (b.since(1, 1) == 0))
    moves = dut.read_start | (dut.offer & dut.taken)
    still = b.since(dut.busy & ~moves, FETCHER_CLOCKS, "still_clocks")
    b.claim("a read, a hand-over or idle in bounded time", still < FETCHER_CLOCKS)
    b.claim("idle behind failed", ~b.past(dut.failed) | ~dut.busy)
    b.reach("a descriptor handed over", dut.offer & dut.taken)


def clear(b: Bench):
    """The engines under a `clear`, as `Control` resets them: from any state."""
    cleared = b.free(1, "clear")
    for name, engine in ("fetcher", Fetcher(SMALL)), ("executor", Executor(SMALL)):
        b.block(engine, name, within=ResetInserter(cleared))
        b.claim(f"{name} idle behind clear", ~b.past(cleared) | ~engine.busy)


def control(b: Bench):
    """Claims about one clock and the next, from any state."""
    dut = b.block(Control(SMALL))
    failed = dut.error | dut.reset
    b.claim("an error or a reset stops the run", ~b.past(failed) | dut.abort | b.past(dut.clear))
    b.claim("an abort lasts until clear", ~b.past(dut.abort & ~dut.clear) | dut.abort)
    b.claim("clear is the end of an abort", ~dut.clear | dut.abort)
    b.claim("idle behind clear", ~b.past(dut.clear & ~failed) | ~dut.busy)
    b.claim("no error and no end while it stops", ~dut.abort | ~(dut.error | dut.done))
    b.claim("busy while it stops", ~dut.abort | dut.busy)


LONGEST_LIMIT = 7


def watchdog(b: Bench):
    limit = b.constant(3, "limit")
    dut = b.block(Watchdog(), limit=limit)
    b.assume(~dut.running | b.past(dut.running | ~dut.running, name="begun"))
    still = b.since(dut.running & ~dut.progress, LONGEST_LIMIT + 3, "still")
    b.claim(
        "expires behind `limit` clocks",
        (limit == 0)
        | (still < limit + 2)
        | b.past(dut.expired)
        | dut.expired
        | (still > limit + 2),
    )
    b.claim(
        "expires only behind `limit` clocks without progress",
        ~dut.expired | ((limit != 0) & (b.past(b.past(still)) + 1 >= limit)),
    )
    b.reach("expires at the longest limit", dut.expired & (limit == LONGEST_LIMIT))
