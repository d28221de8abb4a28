"""One run under a fault: its commands, and what is found in the answers."""

from dataclasses import dataclass

from hfn_accel import estimator
from hfn_accel.errors import HfnError
from hfn_accel.program import Program
from hfn_accel.registers import OFFSETS, ErrorCode, decode, encode
from sim import backend

from .batch import Fault
from .target import Target

RECOVERY = 400_000  # clocks within which a reset core has run a good program
DRAIN = 20_000  # clocks within which a reset has ended what is in flight
ANY = frozenset(ErrorCode) - {ErrorCode.NONE} | {None}


@dataclass(frozen=True)
class Case:
    """A run of a target that something happens to.

    expected: the error codes that it may end with; None among them: it may end well. right: if it
    ends well, with the right logits. image: what lies at the program address instead. patches:
    (address, bytes) of memory. faults: of the bus. seed: random latencies and stalls. registers:
    written before the start, after the usual ones. stop: after so many clocks comes a `reset`
    through the control register, or a `hard` one, instead of waiting for the end. limit: clocks
    within which it must end.
    """

    name: str
    expected: frozenset[ErrorCode | None]
    right: bool = False
    image: bytes | None = None
    patches: tuple[tuple[int, bytes], ...] = ()
    faults: tuple[Fault, ...] = ()
    seed: int | None = None
    registers: tuple[tuple[str, int], ...] = ()
    stop: tuple[str, int] | None = None
    limit: int = 100_000
    latency: int = 8

    def commands(self, target: Target) -> list[tuple]:
        """For sim/faults/batch.cpp: the run, a reset, and a run of the good program."""
        result, layout = [("latency", self.latency)], target.layout
        patches = [*self.patches, *([] if self.image is None else [(0, self.image)])]
        result += [("patch", at, data.hex()) for at, data in patches]
        result += [fault.command() for fault in self.faults]
        if self.seed is not None:
            result += [("seed", self.seed), ("stall", 0.3)]
        sizes = tuple(end - first for first, end in target.regions)
        start = backend.start_commands(0, layout.inputs[0], layout.outputs[0], layout.workspace,
                                       sizes)  # fmt: skip
        begin = start[: start.index(("wait",))]
        settings = {command[1]: command[2] for command in begin[:-1]}
        settings |= {OFFSETS[name]: value for name, value in self.registers}
        for name in ("OUTPUT", "WORKSPACE"):
            first = settings[OFFSETS[f"{name}_ADDR"]]
            result.append(("region", first, first + settings[OFFSETS[f"{name}_SIZE"]]))
        dump = [("dump", layout.outputs[0], len(target.logits) // 2)]
        result += [("write", *setting) for setting in settings.items()] + begin[-1:]
        reset = ("write", OFFSETS["CONTROL"], encode("CONTROL", reset=1, irq_enable=1))
        if self.stop is None:
            result += [("wait", self.limit, OFFSETS["PLANES_LO"]), ("read", OFFSETS["STATUS"])]
        else:
            result += [("clocks", self.stop[1])]
        result += [*dump, ("counts",), ("calm",)]
        result += [("reset",) if self.stop and self.stop[0] == "hard" else reset]
        result += [("poll", OFFSETS["STATUS"], 7, DRAIN), ("settle", DRAIN), ("restore",)]
        result += [
            ("write", OFFSETS["WATCHDOG"], 0),
            *begin,
            ("wait", RECOVERY, OFFSETS["PLANES_LO"]),
            ("read", OFFSETS["STATUS"]),
        ]
        return result + [*dump, ("counts",)]

    def found(self, target: Target, answers: list[list[str]]) -> "Found":
        """What the answers to `commands` say."""
        end, problems, clocks, code = "stopped", [], 0, None
        rest = iter(answers)

        def following(*words):
            answer = next(rest, ["broken", "no", "answer"])
            if answer[0] == "broken":
                raise _Broken(" ".join(answer[1:]))
            assert answer[0] in words, answer
            return answer

        try:
            if self.stop is None:
                word, clocks, *_ = following("wait", "late")
                clocks = int(clocks)
                status = decode("STATUS", int(following("read")[1]))
                if word == "late":
                    end = "long" if self._takes(target) > self.limit else "hang"
                    clocks = self.limit
                elif status["done"] != 1 - status["error"]:
                    problems.append(f"status {status}")
                else:
                    code = ErrorCode(status["error_code"]) if status["error"] else None
                    end = "done" if code is None else code.name
                    if code not in self.expected:
                        problems.append("wrong code")
            right = following("dump")[1] == target.logits
            if end == "done" and self.right and not right:
                problems.append("wrong logits")
            strays = int(following("counts")[-2])
            if following("poll")[1] != "1":
                problems.append("reset does not end")
            if following("wait", "late")[0] == "late":
                problems.append("no recovery")
            done = decode("STATUS", int(following("read")[1]))["done"]
            if not done or following("dump")[1] != target.logits:
                problems.append("wrong after recovery")
        except _Broken as error:
            problems.append(f"broken: {error}")
            strays = 0
        if end == "hang":
            problems.append(end)
        if strays:
            problems.append("stray write")
        return Found(end, tuple(problems), clocks, strays)

    def _takes(self, target: Target) -> int:
        """Clocks that the program takes, 0 if that is unknown."""
        try:
            program = Program(self.image or target.program.image)
            return int(estimator.estimate(program, target.config, self.latency).clocks.sum())
        except (HfnError, LookupError, ValueError, ArithmeticError):
            return 0


class _Broken(Exception):
    pass


@dataclass(frozen=True)
class Found:
    """end: `done`, the name of an error code, `stopped` by the case, `long` (the program takes
    more clocks than the limit, as estimated) or `hang`. problems: what breaks the rules. clocks:
    that it took. strays: bytes written outside the regions."""

    end: str
    problems: tuple[str, ...]
    clocks: int
    strays: int
