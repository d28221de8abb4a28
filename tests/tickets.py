"""Random tickets for tests, and an independent reference that runs them without the compiler."""

import numpy as np

from hfn_accel import sequence
from hfn_accel.arithmetic import MAX_SHIFT
from hfn_accel.modes import FROZEN_PARTS, MAX_COATS, Mode
from hfn_accel.network import Architecture, Stage
from hfn_accel.norm import Norm
from hfn_accel.program import Signs
from hfn_accel.ticket import Ticket


def random_architecture(rng, *, widths=(1, 24), stages=(1, 3), blocks=(1, 4), sizes=(4, 9),
                        classes=(2, 12), channels=(1, 4), bottlenecks=False,
                        imagenet=False) -> Architecture:  # fmt: skip
    """Every pair is an inclusive range; if asked, half of the stages and stems are of that kind."""

    def draw(limits):
        return int(rng.integers(limits[0], limits[1] + 1))

    def stage():
        shape = {"width": draw(widths), "blocks": draw(blocks), "folded": bool(rng.integers(2))}
        if bottlenecks and rng.integers(2):
            shape |= {"bottleneck": True, "widening": draw((1, 2))}
        return Stage(**shape)

    return Architecture(
        stages=tuple(stage() for _ in range(draw(stages))),
        classes=draw(classes), in_channels=draw(channels), image_size=draw(sizes),
        stem="imagenet" if imagenet and rng.integers(2) else "cifar",
    )  # fmt: skip


def random_mode(rng) -> Mode:
    """Coats, or frozen weights, or neither, with signs of any kind."""
    kind, signs = rng.integers(3), Signs(int(rng.integers(3)))
    if kind == 0:
        return Mode(coats=int(rng.integers(1, MAX_COATS + 1)), signs=signs)
    if kind == 1:
        pruned = int(rng.integers(FROZEN_PARTS))
        return Mode(pruned=pruned, locked=int(rng.integers(FROZEN_PARTS - pruned)), signs=signs)
    return Mode(signs=signs)


def random_ticket(rng, arch: Architecture | None = None, *, bits=(1, 8), density=None,
                  wild: bool = False, modes=None, bipolar: bool = False,
                  **ranges) -> Ticket:  # fmt: skip
    """A ticket with random masks and bits, and norms that spread activations over 0...2^a - 1.

    `wild`: norms drawn from all that the format allows instead (most activations saturate).
    `modes`: one Mode for all tensors, or a function of `rng` that draws one for each (such as
    `random_mode`). `bipolar`: half of the 1-bit activations mean -1 and +1.
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
    seed = int(rng.integers(1 << 62))
    about = {"modes": None}
    if modes is not None:
        about["modes"] = tuple(modes(rng) if callable(modes) else modes for _ in masks)
        state = sequence.seed_state(seed)
        drawn = [
            _in_mode(rng, mode, mask, state, t)
            for t, (mode, mask) in enumerate(zip(about["modes"], masks, strict=True))
        ]
        masks, about["sign_planes"] = zip(*drawn, strict=True)
    if bipolar:
        norms = [
            Norm(**vars(n) | {"bipolar": n.bits == 1 and bool(rng.integers(2))}) for n in norms
        ]
    return Ticket(arch=arch, seed=seed, density=density, masks=masks, norms=tuple(norms),
                  class_names=tuple(f"class {i}" for i in range(arch.classes)),
                  provenance={"data": "random"}, **about)  # fmt: skip


def _in_mode(rng, mode: Mode, mask, state: int, tensor: int):
    """A mask and a sign plane (or None) of that mode; `mask` is its first coat, if not frozen."""
    mask = mask.astype(np.uint8)
    for coat in range(1, mode.coats):
        mask += (mask == coat) & (rng.random(mask.shape) < 0.7)
    if mode.frozen:
        numbers = sequence.pattern(state, tensor, *mask.shape)
        mask[numbers < mode.frozen] = 1
        mask[numbers < mode.pruned] = 0
    if mode.signs == Signs.SEQUENCE:
        return mask, None
    share = 0.5 if mode.signs == Signs.EXPLICIT else 0.1
    return mask, (mask > 0) & (rng.random(mask.shape) < share)


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


def reference_weights(ticket: Ticket, tensor: int) -> np.ndarray:
    """int64 (cout, fan_in): each weight's sign looked up at its own address of the sequence."""
    mask, mode = ticket.masks[tensor].astype(np.int64), ticket.modes[tensor]
    signs = np.ones_like(mask)
    if mode.signs != Signs.EXPLICIT:
        signs = sequence.signs(ticket.state, tensor, *mask.shape).astype(np.int64)
    if mode.signs != Signs.SEQUENCE:
        signs = np.where(ticket.sign_planes[tensor], -signs, signs)
    return signs * mask


def _windows(x, kernel: int, stride: int, size: int):
    """Each output pixel's place and its input window, int64 (n, kernel, kernel, channels)."""
    pad, reach = kernel // 2, size * stride + kernel
    padded = np.zeros((len(x), reach, reach, x.shape[-1]), np.int64)
    padded[:, pad : pad + x.shape[1], pad : pad + x.shape[2]] = x
    for y in range(size):
        for x0 in range(size):
            at = np.s_[:, y * stride : y * stride + kernel, x0 * stride : x0 * stride + kernel]
            yield y, x0, padded[at]


def reference(ticket: Ticket, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits int64 (N, classes) and every layer's map as the layers behind it read it (that is
    after max pooling), int64 (N, height, width, channels), straight from the definitions.

    Pixel by pixel in int64, from the ticket's masks and the architecture's layers; shares no code
    with compiler and simulator.
    """
    outputs = {-1: images.astype(np.int64)}
    for conv in ticket.arch.layers:
        x = outputs[conv.source]
        if conv.source >= 0 and ticket.norms[conv.source].bipolar:
            x = 2 * x - 1
        weights = reference_weights(ticket, conv.tensor)
        weights = weights.reshape(conv.cout, conv.kernel, conv.kernel, conv.cin)
        if conv.classifier:
            logits = np.einsum("nhwi,oyxi->no", x, weights)
            return logits, [outputs[i] for i in range(conv.norm)]
        acc = np.zeros((len(x), conv.out_size, conv.out_size, conv.cout), np.int64)
        for oy, ox, window in _windows(x, conv.kernel, conv.stride, conv.out_size):
            acc[:, oy, ox] = np.tensordot(window, weights, ([1, 2, 3], [1, 2, 3]))
        n = ticket.norms[conv.norm]
        total = acc * n.multiplier.astype(np.int64) + n.bias.astype(np.int64)
        if conv.residual is not None:
            total += outputs[conv.residual] * n.residual.astype(np.int64)
        total = (total + 2 ** (n.shift - 1)) // 2**n.shift
        y = total.clip(0, 2**n.bits - 1)
        if conv.max_pool:
            pooled = np.zeros((len(y), conv.map_size, conv.map_size, conv.cout), np.int64)
            for oy, ox, window in _windows(y, 3, 2, conv.map_size):
                pooled[:, oy, ox] = window.max((1, 2))
            y = pooled
        outputs[conv.norm] = y
