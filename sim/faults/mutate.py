"""Random programs: legal ones with fields, descriptors and their order changed, sealed again."""

from hfn_accel.program import DESCRIPTOR_BYTES, FIELDS, MAGIC, VERSION, Opcode

from .image import get, put
from .target import Target

KEPT = ("opcode", "version", "magic")  # changed seldom: their checks come first


def program(rng, target: Target) -> tuple[bytes, str]:
    """An image to lie at the target's program address, and what was done to it."""
    parts, notes = list(target.descriptors), []
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3, 5]))):
        change = rng.choice([_field, _random, _order], p=[0.8, 0.1, 0.1])
        notes.append(change(rng, parts))
    return target.image(parts), "; ".join(notes)


def _pick(rng, parts) -> tuple[int, Opcode]:
    i = int(rng.integers(len(parts)))
    code = parts[i][0]
    return i, Opcode(code) if code in list(Opcode) else Opcode.CONV


def _field(rng, parts) -> str:
    """One field of a descriptor."""
    i, opcode = _pick(rng, parts)
    fields = [f for f in FIELDS[opcode] if f.name not in KEPT or rng.random() < 0.02]
    f = fields[int(rng.integers(len(fields)))]
    old, most = get(parts[i], opcode, f.name), (1 << f.bits) - 1
    value = int(rng.choice([
        0, 1, most, old + 1, old - 1, old ^ 1 << int(rng.integers(f.bits)), old * 2, old // 2,
        int(rng.integers(most, endpoint=True, dtype="u8")), 1 << int(rng.integers(f.bits)),
        int(rng.integers(16)),
    ], p=[0.07, 0.07, 0.07, 0.1, 0.1, 0.2, 0.05, 0.05, 0.12, 0.07, 0.1])) if f.bits < 64 else int(
        rng.integers(most, endpoint=True, dtype="u8"))  # fmt: skip
    parts[i] = put(parts[i], opcode, **{f.name: value})
    return f"{i} {opcode.name} {f.name} {old} -> {value & most}"


def _random(rng, parts) -> str:
    """A descriptor of random bits behind its first word."""
    i = int(rng.integers(1, len(parts)) if len(parts) > 1 else 0)
    opcode = Opcode(int(rng.integers(2, 8)))
    word = put(
        rng.bytes(DESCRIPTOR_BYTES), opcode, opcode=int(opcode), version=VERSION, magic=MAGIC
    )
    if rng.random() < 0.8:  # waits that may come to pass
        few = {name: int(rng.integers(3)) for name in ("wait_executed", "wait_stored",
                                                       "hold_stored")}  # fmt: skip
        word = put(word, opcode, **few)
    parts[i] = word
    return f"{i} {opcode.name} random"


def _order(rng, parts) -> str:
    """Two descriptors change places, one comes twice, or one is left out."""
    i, j = (int(n) for n in rng.integers(len(parts), size=2))
    kind = rng.choice(["swap", "twice", "without"])
    if kind == "swap":
        parts[i], parts[j] = parts[j], parts[i]
    elif kind == "twice":
        parts.insert(i, parts[j])
    elif len(parts) > 1:
        del parts[i]
    return f"{kind} {i} {j}"
