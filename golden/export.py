"""A searched FoldedResNet to a ticket: float normalisation folded into integers.

An integer y of a layer stands for (y - zp) * unit, and a convolution reads it as step times an
integer x: y itself, or 2y - 1 where the layer is bipolar. So executed layer i, with a residual r,
computes

    y = (gamma / sigma * (scale * step_in * acc - mu) + beta + unit_res * (r - zp_res)) / unit + zp

with acc = sum(w * x), w in {-N...N}, so that y = acc * M + r * Mr + B holds for the reals

    M = gamma / sigma * scale * step_in / unit        Mr = unit_res / unit
    B = (beta - gamma / sigma * mu) / unit + zp - zp_res * Mr

unit is the layer's step and zp = 0, but zp = 2^(bits-1) for a projection shortcut, which has no
ReLU, and unit = 2 * step, zp = 1/2 for a bipolar layer (whose y is then 1 where its real output is
at least 0, since ties round upwards). The image has step 1/255. All are stored times 2^S, rounded.
The classifier needs none of it: sums of integers over all pixels differ from the float logits by
one positive factor.
"""

from dataclasses import replace

import numpy as np
import torch

from hfn_accel.errors import HfnError
from hfn_accel.modes import Mode
from hfn_accel.norm import Norm
from hfn_accel.program import Signs
from hfn_accel.sequence import seed_state, signs
from hfn_accel.ticket import Ticket

from .network import FoldedResNet
from .quantise import CALIBRATION_IMAGES, calibrate
from .training.images import to_float

IMAGE_STEP = 1 / 255
STILL = 1e-4  # variance of acc below which a channel is constant: 1 of 10,000 sums is one off


@torch.no_grad()
def recalibrate(model: FoldedResNet, images: np.ndarray, batch: int = 250, quantised: bool = True):
    """Measure every normalisation's mean and variance again, in float32, on uint8 images.

    The search leaves running averages of networks that still changed, and possibly of bfloat16
    arithmetic; the ticket deserves the statistics of what it computes. The quantised network runs
    in training mode, and the statistics of all batches are averaged with equal weights (momentum
    None). `images` should be augmented as in the search: on the plain training images, which the
    network fits better than any others, statistics differ from those of test images. An
    uncalibrated model's activations are calibrated first. The last, partial batch is left out
    unless it is the only one. With `quantised=False` activations stay real. Ends in evaluation
    mode.
    """
    device = model.convs[0].scores.device
    if quantised and not _calibrated(model):
        calibrate(model, to_float(images[:CALIBRATION_IMAGES], device))
    model.quantise(quantised)
    momenta = {norm: norm.momentum for norm in model.norms}  # a shared one once
    for norm in momenta:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for i in range(0, max(len(images) // batch, 1) * batch, batch):
        model(to_float(images[i : i + batch], device))
    model.eval()
    for norm, momentum in momenta.items():
        norm.momentum = momentum


def to_ticket(model: FoldedResNet, *, seed: int, class_names, provenance=None,
              explicit: bool = False) -> Ticket:  # fmt: skip
    """The ticket of a model whose weights are the sequence of `seed`.

    `explicit`: tensors whose signs are not the sequence's are stored with explicit signs, at a bit
    a weight. Raises HfnError if they are not allowed, if the model is dense or not calibrated, if
    its weights have more than one magnitude or frozen weights of their own pattern, or if a
    layer's parameters are too large for int16 and int32 at any shift.
    """
    if model.dense:
        raise HfnError("a densely trained network has no ticket: its weights are no random signs")
    if not model.method.exportable:
        raise HfnError("a ticket has one magnitude a layer and the sequence's frozen pattern: "
                       "magnitudes must be constant, freeze_pattern sequence")  # fmt: skip
    if not _calibrated(model):
        raise HfnError("model has no calibrated activation quantisation")
    tensors = model.arch.tensors
    masks = [_rows(mask) for mask in model.masks()]
    told = [_signs(module, conv, mask, seed, explicit) for module, conv, mask
            in zip(model.convs, tensors, masks, strict=True)]  # fmt: skip
    scales = model.scales_of_weights()
    kept = sum(np.count_nonzero(mask) for mask in masks) / sum(conv.weights for conv in tensors)
    return Ticket(
        arch=model.arch, seed=seed, density=round(kept, 4), masks=tuple(masks),
        modes=tuple(mode for mode, _ in told), sign_planes=tuple(plane for _, plane in told),
        norms=tuple(_norm(model, conv, scales[conv.tensor]) for conv in model.arch.layers[:-1]),
        class_names=tuple(class_names), provenance=dict(provenance or {}),
    )  # fmt: skip


def _calibrated(model) -> bool:
    return all(q.step > 0 for q in model.quantisers)


def _rows(weights: torch.Tensor) -> np.ndarray:
    """(cout, cin, k, k) to (cout, fan_in) in the order of the sequence."""
    return np.ascontiguousarray(weights.permute(0, 2, 3, 1).flatten(1).cpu().numpy())


def _signs(module, conv, mask, seed: int, explicit: bool) -> tuple[Mode, np.ndarray | None]:
    """The tensor's mode, and what the ticket must store of the signs.

    HfnError if they are not those of the seed, although nothing that the mode says changed them.
    """
    negative = (_rows(module.sign) < 0) & (mask > 0)
    generated = signs(seed_state(seed), conv.tensor, conv.cout, conv.fan_in) < 0
    exceptions = negative ^ (generated & (mask > 0))
    if not exceptions.any():
        return replace(module.mode, signs=Signs.SEQUENCE), None
    if module.mode.signs == Signs.EXCEPTIONS:
        return module.mode, exceptions
    if not explicit:
        raise HfnError(f"signs of {conv.name} are not the weight sequence's of seed {seed}: a "
                       "ticket says them with --explicit-signs only")  # fmt: skip
    return replace(module.mode, signs=Signs.EXPLICIT), negative


def _array(tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _norm(model, conv, scale: float) -> Norm:
    norm, out = model.norms[conv.norm], model.quantisers[conv.norm]
    step_in = IMAGE_STEP if conv.source < 0 else model.quantisers[conv.source].step.item()
    mean, variance = _array(norm.running_mean), _array(norm.running_var)
    sigma = np.sqrt(variance + norm.eps)
    gamma = _array(norm.weight) if norm.affine else np.ones(conv.cout)
    beta = _array(norm.bias) if norm.affine else np.zeros(conv.cout)
    unit, slope, one = out.unit.item(), gamma / sigma, scale * step_in  # one: what acc = 1 means
    # where acc always is the same, as without weights or behind dead channels, sigma is tiny, and
    # its M would cost all other channels their precision: what it adds belongs into B; of a norm
    # that iterations share this is known only of a sum of 0, as others differ between them
    known = (model.norms.count(norm) == 1) | (np.abs(mean) < STILL * one)
    still = known & (variance < STILL * one**2)
    multiplier = np.where(still, 0, slope * one / unit)
    constant = np.where(still, np.rint(mean / one) * one, 0)
    bias = (beta + slope * (constant - mean)) / unit + out.zero_point
    residual, zero_point = np.zeros(conv.cout), 0
    if conv.residual is not None:
        source = model.quantisers[conv.residual]
        residual = np.full(conv.cout, source.unit.item() / unit)
        zero_point = int(source.zero_point)
        bias -= (source.zero_point - zero_point) * residual  # the half of a bipolar map
    try:
        return Norm.fit(multiplier, residual, bias, bits=out.bits, zero_point=zero_point,
                        bipolar=out.bipolar)  # fmt: skip
    except HfnError:
        raise HfnError(f"normalisation of {conv.name} does not fit int16 multipliers: train longer,"
                       " or with a smaller --lr") from None  # fmt: skip
