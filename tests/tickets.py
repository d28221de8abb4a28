"""Random tickets for tests, and an independent reference that runs them without the compiler."""

import numpy as np

from hfn_accel.network import Architecture, Stage
from hfn_accel.ticket import MAX_SHIFT, Norm, Ticket


def random_architecture(rng, *, widths=(1, 24), stages=(1, 3), blocks=(1, 4), sizes=(4, 9),
                        classes=(2, 12), channels=(1, 4)) -> Architecture:  # fmt: skip
    """Every pair is an inclusive range."""

    def draw(limits):
        return int(rng.integers(limits[0], limits[1] + 1))

    return Architecture(
        stages=tuple(
            Stage(width=draw(widths), blocks=draw(blocks), folded=bool(rng.integers(2)))
            for _ in range(draw(stages))
        ),
        classes=draw(classes), in_channels=draw(channels), image_size=draw(sizes),
    )  # fmt: skip


def random_ticket(rng, arch: Architecture | None = None, *, bits=(1, 8), density=None,
                  wild: bool = False, **ranges) -> Ticket:  # fmt: skip
    """A ticket with random masks and bits, and norms that spread activations over 0...2^a - 1.

    `wild`: norms drawn from all that the format allows instead (most activations saturate).
    `ranges`: of `random_architecture`, for when no architecture is given.
    """
    arch = arch or random_architecture(rng, **ranges)
    density = density or float(rng.uniform(0.2, 0.8))
    masks = tuple(rng.random((c.cout, c.fan_in)) < density for c in arch.tensors)
    norms, level = [], {-1: 8}
    for conv in arch.layers[:-1]:
        level[conv.norm] = a = int(rng.integers(bits[0], bits[1] + 1))
        if wild:
            norms.append(_wild_norm(rng, conv.cout, a))
            continue
        largest = (1 << level[conv.source]) - 1
        spread = largest * max(1.0, np.sqrt(conv.fan_in * density / 3))
        scale = (1 << a) / 4 / spread
        shift = int(np.clip(min(13 - np.log2(scale), 29 - a), 1, MAX_SHIFT))
        unit = float(1 << shift)
        vary = rng.uniform(0.5, 1.5, conv.cout) * rng.choice([-1, 1], conv.cout)
        mr = np.zeros(conv.cout)
        if conv.residual is not None:
            mr = rng.uniform(0.2, 0.8, conv.cout) * unit * 2.0 ** (a - level[conv.residual])
        centre = rng.uniform(0.1, 0.7, conv.cout) * unit * (1 << a)
        norms.append(Norm(
            multiplier=np.clip(np.round(scale * vary * unit), -32768, 32767).astype(np.int16),
            residual=np.clip(np.round(mr), -32768, 32767).astype(np.int16),
            bias=np.round(centre - mr * (1 << level.get(conv.residual, 0)) / 2).astype(np.int32),
            shift=shift, bits=a,
        ))  # fmt: skip
    return Ticket(arch=arch, seed=int(rng.integers(1 << 62)), density=density, masks=masks,
                  norms=tuple(norms), class_names=tuple(f"class {i}" for i in range(arch.classes)),
                  provenance={"data": "random"})  # fmt: skip


def _wild_norm(rng, cout: int, bits: int) -> Norm:
    def draw(dtype):
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, cout, endpoint=True)
        extreme = rng.choice([info.min, info.max, 0], cout)
        return np.where(rng.random(cout) < 0.3, extreme, values).astype(dtype)

    return Norm(multiplier=draw(np.int16), residual=draw(np.int16), bias=draw(np.int32),
                shift=int(rng.integers(1, MAX_SHIFT + 1)), bits=bits)  # fmt: skip


def random_images(rng, arch: Architecture, count: int) -> np.ndarray:
    """uint8 (count, size, size, channels)."""
    size = arch.image_size
    return rng.integers(0, 256, (count, size, size, arch.in_channels)).astype(np.uint8)


def reference(ticket: Ticket, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits int64 (N, classes) and every layer's activations, straight from the definitions.

    Pixel by pixel and tap by tap in int64, from the ticket's weights and the architecture's
    layers; shares no code with compiler and simulator.
    """
    outputs = {-1: images.astype(np.int64)}
    for conv in ticket.arch.layers:
        x = outputs[conv.source]
        weights = ticket.weights(conv.tensor).astype(np.int64)
        weights = weights.reshape(conv.cout, conv.kernel, conv.kernel, conv.cin)
        if conv.classifier:
            logits = np.einsum("nhwi,oyxi->no", x, weights)
            return logits, [outputs[i] for i in range(conv.norm)]
        count, size, p = len(x), conv.out_size, conv.pad
        padded = np.zeros((count, size * conv.stride + 2 * p + 2,
                           size * conv.stride + 2 * p + 2, conv.cin), np.int64)  # fmt: skip
        padded[:, p : p + conv.in_size, p : p + conv.in_size] = x
        acc = np.zeros((count, size, size, conv.cout), np.int64)
        for oy in range(size):
            for ox in range(size):
                y0, x0 = oy * conv.stride, ox * conv.stride
                window = padded[:, y0 : y0 + conv.kernel, x0 : x0 + conv.kernel]
                acc[:, oy, ox] = np.tensordot(window, weights, ([1, 2, 3], [1, 2, 3]))
        n = ticket.norms[conv.norm]
        total = acc * n.multiplier.astype(np.int64) + n.bias.astype(np.int64)
        if conv.residual is not None:
            total += outputs[conv.residual] * n.residual.astype(np.int64)
        total = (total + 2 ** (n.shift - 1)) // 2**n.shift
        outputs[conv.norm] = total.clip(0, 2**n.bits - 1)
