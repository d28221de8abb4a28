"""`python -m sim.coverage`: what random networks reach in the RTL.

Random small networks of every kind run on the Verilated core, instrumented, each compared with the
functional simulator. Two figures come out: of every block the bits that were seen to rise and to
fall (toggle coverage), and how often each functional point was met (a property of a descriptor that
was executed, such as a spill or a chunk of an output).
"""

import re
import sys
from collections import Counter, defaultdict

import numpy as np

from hfn_accel import cli
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.files import write_json
from hfn_accel.functional import execute
from hfn_accel.modes import FROZEN_PARTS, MAX_COATS, Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode, Program, Signs
from hfn_accel.random_ticket import random_ticket
from hfn_accel.sim import random_images

from . import backend

CONFIG = Config(rows=8, columns=8, activation_bytes=2048, psum_depth=64, mask_bytes=1024,
                parameter_channels=64, result_words=64, requantisers=2)  # fmt: skip
"""Huffman codes need 8 columns; the buffers are so small that networks spill and are cut."""

NETWORKS = 60


def _conv(test):
    return lambda opcode, f: opcode == Opcode.CONV and bool(test(f))


def _frozen(f) -> int:
    return f["pruned"] + f["locked"]


POINTS = {
    **{f"opcode {o.name}": (lambda opcode, f, o=o: opcode == o) for o in Opcode},
    **{f"{n}-bit input": _conv(lambda f, n=n: f["in_bits"] == n) for n in range(1, 9)},
    **{f"{n}-bit output": _conv(lambda f, n=n: not f["raw"] and f["out_bits"] == n)
       for n in range(1, 9)},
    "bipolar input": _conv(lambda f: f["bipolar"]),
    "1x1 kernel": _conv(lambda f: f["kernel_height"] == f["kernel_width"] == 1),
    "3x3 kernel": _conv(lambda f: f["kernel_height"] == f["kernel_width"] == 3),
    "packed stem": _conv(lambda f: f["kernel_height"] > f["kernel_width"]),
    "stride 2": _conv(lambda f: f["stride"] == 2),
    "residual": _conv(lambda f: f["residual"]),
    "several input tiles": _conv(lambda f: f["in_tiles"] > 1),
    "partial input tile": _conv(lambda f: f["last_rows"] < CONFIG.rows),
    "several output tiles": _conv(lambda f: f["out_tiles"] > 1),
    "several strips": _conv(lambda f: f["strips"] > 1),
    "shorter last strip": _conv(lambda f: f["last_strip_rows"] < f["strip_rows"]),
    "band that begins inside the map": _conv(lambda f: 0 < f["y_first"] < 1 << 15),
    "padding above": _conv(lambda f: f["y_first"] >> 15),
    "pooled logits": _conv(lambda f: f["raw"] and f["open"] and f["close"]),
    "pooling goes on in the next band": _conv(lambda f: f["raw"] and not f["close"]),
    "mask fetched": _conv(lambda f: f["fetch_mask"]),
    "mask kept": _conv(lambda f: not f["fetch_mask"]),
    "parameters kept": _conv(lambda f: not f["raw"] and not f["fetch_parameters"]),
    "Huffman code": _conv(lambda f: f["code"]),
    "Huffman code of signs": _conv(lambda f: f["sign_code"]),
    **{f"{n} coats": _conv(lambda f, n=n: f["coats"] == n) for n in range(2, MAX_COATS + 1)},
    **{f"signs {s.name}": _conv(lambda f, s=s: f["signs"] == s) for s in Signs},
    "coats with stored signs": _conv(lambda f: f["coats"] > 1 and f["signs"]),
    "frozen": _conv(_frozen),
    "frozen with stored signs": _conv(lambda f: _frozen(f) and f["signs"]),
    "fetch waits for an execution": lambda opcode, f: f.get("wait_executed", 0) > 0,
    "fetch waits for a store": lambda opcode, f: f.get("wait_stored", 0) > 0,
    "execution waits for a store": lambda opcode, f: f.get("hold_stored", 0) > 0,
    "batch": lambda opcode, f: opcode == Opcode.BEGIN and f["batch"] > 1,
}  # fmt: skip
"""Functional point -> whether a descriptor (opcode, fields) meets it."""


def draw(rng: np.random.Generator):
    """A random ticket, and a number of images a run."""

    def mode() -> Mode:
        signs, kind = Signs(int(rng.integers(3))), rng.integers(3)
        if kind == 0:
            return Mode(coats=int(rng.integers(1, MAX_COATS + 1)), signs=signs)
        if kind == 1:
            pruned = int(rng.integers(FROZEN_PARTS))
            locked = int(rng.integers(FROZEN_PARTS - pruned))
            return Mode(pruned=pruned, locked=locked, signs=signs)
        return Mode(signs=signs)

    stages = ",".join(f"{rng.integers(1, 24)}x{rng.integers(1, 4)}{rng.choice(['', 'b'])}"
                      f"{rng.choice(['', 'f'])}" for _ in range(rng.integers(1, 4)))  # fmt: skip
    stem = str(rng.choice(["", "", "imagenet:"]))
    arch = Architecture.parse(stem + stages, classes=int(rng.integers(2, 40)),
                              in_channels=int(rng.integers(1, 5)),
                              image_size=int(rng.integers(4, 20)))  # fmt: skip
    bits = int(rng.integers(1, 9))
    ticket = random_ticket(arch, int(rng.integers(1 << 30)), float(rng.uniform(0.05, 0.9)), bits,
                           [mode() for _ in arch.tensors], bipolar=bits == 1)  # fmt: skip
    return ticket, int(rng.integers(1, 4))


def hits(program: Program) -> Counter:
    """Functional points and how many descriptors meet each."""
    return Counter(name for opcode, f in program.descriptors
                   for name, test in POINTS.items() if test(opcode, f))  # fmt: skip


_RECORD = re.compile(r"^C '(.*)' (\d+)$")


def toggles(text: str) -> dict[tuple[str, str], int]:
    """(block, bit of a signal and direction) -> times, from a file of Verilator's coverage."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for line in text.splitlines():
        if not (record := _RECORD.match(line)):
            continue
        keys = dict(part.split("\x02", 1) for part in record[1].split("\x01") if "\x02" in part)
        if keys.get("page", "").startswith("v_toggle"):
            block = keys["h"].removeprefix("TOP.hfn_accel").lstrip(".") or "top"
            found[block, keys["o"]] += int(record[2])
    return found


def blocks(found: dict[tuple[str, str], int]) -> dict[str, tuple[int, int]]:
    """Block -> (points reached, points)."""
    table: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (block, _), times in found.items():
        table[block][0] += times > 0
        table[block][1] += 1
    return {block: (reached, points) for block, (reached, points) in sorted(table.items())}


def campaign(networks: int, seed: int, say) -> dict:
    """Run random networks. Raises HfnError if one differs from its models."""
    rng = np.random.default_rng(seed)
    met, seen, done = Counter(), defaultdict(int), 0
    while done < networks:
        ticket, batch = draw(rng)
        pictures = random_images(ticket.arch, batch, int(rng.integers(1 << 30)))
        try:
            program = compile(ticket, CONFIG, batch=batch, coded=bool(rng.integers(4)))
        except HfnError:
            continue  # too wide for these buffers; another one is drawn
        counted = backend.run(program, CONFIG, pictures, coverage=True, keep=True,
                              seed=int(rng.integers(1 << 30)))  # fmt: skip
        expected = execute(program, CONFIG, pictures)
        same = map(np.array_equal, [counted.logits, *counted.activations],
                   [expected.logits, *expected.activations])  # fmt: skip
        if not all(same):
            raise HfnError(f"network {done} of seed {seed} ({ticket.arch}) differs")
        met += hits(program)
        for point, times in toggles(counted.coverage).items():
            seen[point] += times
        done += 1
        say(f"\r{done} of {networks} networks")
    return {"networks": done, "seed": seed, "points": {name: met[name] for name in POINTS},
            "blocks": blocks(seen),
            "untoggled": sorted(f"{b}: {s}" for (b, s), n in seen.items() if not n)}  # fmt: skip


def text(found: dict) -> str:
    """The two tables."""
    lines = [f"{'block':42}{'bits toggled':>16}"]
    table = found["blocks"] | {"all": tuple(map(sum, zip(*found["blocks"].values(), strict=True)))}
    lines += [f"{block:42}{f'{a}/{b}':>11}{a / b:6.0%}" for block, (a, b) in table.items()]
    met = sum(n > 0 for n in found["points"].values())
    lines += ["", f"functional points: {met} of {len(found['points'])} met by "
              f"{found['networks']} networks"]  # fmt: skip
    lines += [f"  {name:42}{n:>8}" for name, n in found["points"].items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None):
    """Print the tables; status 1 if a functional point was not met."""
    p = cli.Parser(prog="sim.coverage", description=__doc__.splitlines()[0], allow_abbrev=False)
    p.add_argument("--networks", type=int, default=NETWORKS, metavar="N",
                   help=f"random networks to run (default {NETWORKS})")  # fmt: skip
    p.add_argument("--seed", type=int, default=1, metavar="N", help="of the networks (default 1)")
    cli.add_json(p)
    args = p.parse_args(argv)
    if args.networks < 1:
        raise HfnError(f"--networks must be at least 1, not {args.networks}")

    def say(line: str):
        if sys.stderr.isatty():
            print(line, end="", file=sys.stderr, flush=True)

    found = campaign(args.networks, args.seed, say)
    say("\r")
    print(text(found))
    if args.json:
        write_json(args.json, found)
    if not all(found["points"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    cli.run(main)
