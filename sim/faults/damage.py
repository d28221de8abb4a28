"""Mutations of bytes, of text and of JSON-like values; all follow from a numpy generator."""

import re

ODD = (0, 1, -1, 2, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 53) + 1, 1 << 60,
       -(1 << 63), (1 << 64) - 1, 10**30, 0.5, -0.0, 1e300, float("inf"), float("nan"), True, None,
       "", "0", "x", "\0", "é" * 40, "\ud800", "a\nb", [], {}, [[]], [0] * 9, {"x": 0})  # fmt: skip
WORDS = ("0", "1", "-1", "3", "64", "65", "4096", "1e9", "1e999", "nan", "inf", "-inf", "1" * 30,
         "9" * 5000, str(1 << 60), "0x10", "1_0", "true", '""', '"x"', "[]", "[[1]]", "{}",
         "[1, 2]", "=", ",", ".", "\n", "\r\n", '"""', "'", "#", "[[a]]", "[a.b]", "\0", "\ufeff",
         "é", " ", "1:4", "2:2", "DP", "1979-05-27", "[" * 2000,
         "{ from = 1, to = 1000000000 }")  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z_]+|[0-9.]+|\s+|.", re.DOTALL)


def damaged(rng, data: bytes, others: list[bytes]) -> bytes:
    """Bits flipped, bytes changed, a piece cut, doubled or from another file; or text changed."""
    for _ in range(int(rng.choice([1, 1, 2, 3, 8]))):
        data = _PIECES[int(rng.integers(len(_PIECES)))](rng, data, others)
    return data


def _at(rng, data: bytes) -> int:
    """A place; more often near the beginning, where headers are."""
    n = len(data)
    return int(rng.integers(min(n, 64) if rng.random() < 0.3 else n)) if n else 0


def _bit(rng, data, others):
    at = _at(rng, data)
    return (
        data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :] if data else b""
    )


def _number(rng, data, others):
    size, at = int(rng.choice([1, 2, 4, 8])), _at(rng, data)
    value = (0, 1, 0x7F, 1 << 8 * size - 1, (1 << 8 * size) - 1)[int(rng.integers(5))]
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def _truncate(rng, data, others):
    return data[: int(rng.integers(len(data) + 1))]


def _without(rng, data, others):
    at = _at(rng, data)
    return data[:at] + data[at + int(rng.integers(1, 40)) :]


def _twice(rng, data, others):
    at, size = _at(rng, data), int(rng.integers(1, 200))
    return data[:at] + data[at : at + size] * int(rng.choice([2, 2, 50])) + data[at + size :]


def _splice(rng, data, others):
    other = others[int(rng.integers(len(others)))]
    return data[: _at(rng, data)] + other[_at(rng, other) :]


def _text(rng, data, others):
    """A word or a line of a text changed; other data as they are."""
    try:
        tokens = _TOKEN.findall(data[:20_000].decode())
    except UnicodeDecodeError:
        return _bit(rng, data, others)
    if not tokens:
        return data
    i, kind = int(rng.integers(len(tokens))), int(rng.integers(5))
    if kind == 0:
        tokens.insert(i, WORDS[int(rng.integers(len(WORDS)))])
    elif kind == 1:
        del tokens[i]
    elif kind == 2:
        j = int(rng.integers(len(tokens)))
        tokens[i], tokens[j] = tokens[j], tokens[i]
    else:  # most readers look at numbers
        numbers = [n for n, token in enumerate(tokens) if token[0].isdigit()] or [i]
        i = numbers[int(rng.integers(len(numbers)))] if kind == 3 else i
        tokens[i] = WORDS[int(rng.integers(len(WORDS)))]
    return "".join(tokens).encode()


_PIECES = (_bit, _number, _truncate, _without, _twice, _splice, _text, _text, _text, _text)


def altered(rng, value):
    """A JSON-like value with one part replaced, left out, or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = list(value)[int(rng.integers(len(value)))]
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if rng.random() < 0.05:
            return value | {f"{key}x": value[key]}
        return value | {key: altered(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        i = int(rng.integers(len(value)))
        if rng.random() < 0.2:
            return value[:i] + value[i + 1 :] if rng.random() < 0.5 else value + value[i : i + 1]
        return [*value[:i], altered(rng, value[i]), *value[i + 1 :]]
    if type(value) is int and rng.random() < 0.4:
        return value + int(rng.choice([-1, 1, 256, -256]))
    if isinstance(value, str) and rng.random() < 0.5:
        return _text(rng, value.encode(), []).decode()
    return ODD[int(rng.integers(len(ODD)))]
