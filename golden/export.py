"""A trained FoldedResNet to a ticket: float normalisation folded into integers.

Executed layer i computes, on integers x of real step `step_in` and a residual r of `step_res`,

    y = (gamma / sigma * (scale * step_in * acc - mu) + beta + step_res * (r - zp_res)) / step
        + zp

with acc = sum(w * x), w in {-1, 0, +1}, so that y = acc * M + r * Mr + B holds for the reals

    M = gamma / sigma * scale * step_in / step        Mr = step_res / step
    B = (beta - gamma / sigma * mu) / step + zp - zp_res * Mr

(zero points zp are 2^(bits-1) for a projection shortcut, which has no ReLU, and 0 elsewhere; the
image has step 1/255). All are stored times 2^S, rounded. The classifier needs none of it: sums of
integers over all pixels differ from the float logits by one positive factor.
"""

import numpy as np
import torch

from hfn_accel.errors import HfnError
from hfn_accel.norm import Norm
from hfn_accel.program import Signs
from hfn_accel.sequence import seed_state, signs
from hfn_accel.ticket import Ticket

from .network import FoldedResNet
from .quantise import calibrate
from .search import to_float

CALIBRATION_IMAGES = 256
IMAGE_STEP = 1 / 255


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
    if quantised and not all(q.step > 0 for q in model.quantisers):
        calibrate(model, to_float(images[:CALIBRATION_IMAGES], device))
    model.quantise(quantised)
    momenta = [norm.momentum for norm in model.norms]
    for norm in model.norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for i in range(0, max(len(images) // batch, 1) * batch, batch):
        model(to_float(images[i : i + batch], device))
    model.eval()
    for norm, momentum in zip(model.norms, momenta, strict=True):
        norm.momentum = momentum


def to_ticket(model: FoldedResNet, *, seed: int, class_names, provenance=None) -> Ticket:
    """The ticket of a model whose weights are the sequence of `seed`.

    Raises HfnError if the model is dense or not calibrated, or if a layer's parameters are too
    large for int16 and int32 at any shift.
    """
    if model.convs[0].dense:
        raise HfnError("a densely trained network has no ticket: its weights are no random signs")
    if not all(q.step > 0 for q in model.quantisers):
        raise HfnError("model has no calibrated activation quantisation")
    arch = model.arch
    with torch.no_grad():
        masks = tuple(_rows(conv.mask()).astype(np.uint8) for conv in model.convs)
    return Ticket(
        arch=arch, seed=seed, density=model.convs[0].density, masks=masks,
        modes=tuple(conv.mode for conv in model.convs),
        sign_planes=tuple(_sign_plane(module, conv, mask, seed) for module, conv, mask
                          in zip(model.convs, arch.tensors, masks, strict=True)),
        norms=tuple(_norm(model, conv, masks[conv.tensor]) for conv in arch.layers[:-1]),
        class_names=tuple(class_names), provenance=dict(provenance or {}),
    )  # fmt: skip


def _rows(weights: torch.Tensor) -> np.ndarray:
    """(cout, cin, k, k) to (cout, fan_in) in the order of the sequence."""
    return weights.permute(0, 2, 3, 1).flatten(1).cpu().numpy()


def _sign_plane(module, conv, mask, seed: int) -> np.ndarray | None:
    """What the ticket must store of the signs; HfnError if they are not what the mode says."""
    negative = (_rows(module.sign) < 0) & (mask > 0)
    if module.mode.signs == Signs.EXPLICIT:
        return negative
    generated = signs(seed_state(seed), conv.tensor, conv.cout, conv.fan_in) < 0
    exceptions = negative ^ (generated & (mask > 0))
    if module.mode.signs == Signs.EXCEPTIONS:
        return exceptions
    if exceptions.any():
        raise HfnError(f"model's signs are not those of seed {seed} (state {seed_state(seed)})")
    return None


def _array(tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _norm(model, conv, mask) -> Norm:
    norm, out = model.norms[conv.norm], model.quantisers[conv.norm]
    step_in = IMAGE_STEP if conv.source < 0 else float(model.quantisers[conv.source].step)
    sigma = np.sqrt(_array(norm.running_var) + norm.eps)
    gamma = _array(norm.weight) if norm.affine else np.ones(conv.cout)
    beta = _array(norm.bias) if norm.affine else np.zeros(conv.cout)
    step = float(out.step)
    multiplier = gamma / sigma * model.convs[conv.tensor].scale * step_in / step
    # a channel without weights has acc = 0 and a tiny sigma: its M would cost the others precision
    multiplier[~mask.any(1)] = 0
    residual, zero_point = np.zeros(conv.cout), 0
    if conv.residual is not None:
        source = model.quantisers[conv.residual]
        residual, zero_point = np.full(conv.cout, float(source.step) / step), source.zero_point
    bias = (beta - gamma / sigma * _array(norm.running_mean)) / step + out.zero_point
    try:
        return Norm.fit(multiplier, residual, bias, bits=out.bits, zero_point=zero_point)
    except HfnError:
        raise HfnError(f"normalisation of {conv.name} does not fit int16 multipliers: train longer,"
                       " or with a smaller --lr") from None  # fmt: skip
