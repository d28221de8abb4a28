"""Activation quantisation: unsigned integers of a bits, one scale a layer.

A ReLU's output is stored as round(x / step) in 0...2^a - 1. A projection shortcut has no ReLU; it
is stored with the zero point 2^(a-1), which folds into the bias of the layer that adds it.
"""

import torch
from torch import nn


class _FakeQuantise(torch.autograd.Function):
    """clamp(round(x / step), low, high) * step; the gradient passes where nothing was clamped."""

    @staticmethod
    def forward(ctx, x, step, low, high):
        ctx.save_for_backward(x)
        ctx.limits = low * step, high * step
        return x.clamp(*ctx.limits).mul_(1 / step).round_().mul_(step)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, x, *ctx.limits), None, None, None


class ActivationQuantiser(nn.Module):
    """ReLU (unless signed), then quantisation to `bits` once enabled and calibrated.

    `step` is the real value of one integer step; 0 means not yet calibrated.
    """

    def __init__(self, bits: int, signed: bool):
        super().__init__()
        self.bits, self.signed, self.enabled = bits, signed, False
        self.zero_point = 1 << (bits - 1) if signed else 0
        self.register_buffer("step", torch.zeros(()))

    @property
    def limits(self) -> tuple[int, int]:
        """Lowest and highest level, zero point subtracted."""
        return -self.zero_point, (1 << self.bits) - 1 - self.zero_point

    def forward(self, x):
        if self.enabled:
            return _FakeQuantise.apply(x, self.step.item(), *self.limits)
        return x if self.signed else x.relu()

    def calibrate(self, x: torch.Tensor):
        """Set `step` to the candidate with the least mean squared error on `x`."""
        low, high = self.limits
        x = x.float() if self.signed else x.float().relu()
        top = x.abs().max().clamp_min(1e-6)
        span = max(high, -low, 1)

        def error(step):
            return (x.div(step).round().clamp(low, high) * step - x).square().mean().item()

        steps = [top * (i / 64) / span for i in range(8, 65, 2)]
        self.step.copy_(min(steps, key=error))


@torch.no_grad()
def calibrate(model, images: torch.Tensor):
    """Calibrate every layer of a FoldedResNet on float images (N, C, H, W); switch quantisation on.

    Each layer is calibrated on what it computes while no layer is quantised yet, with the running
    statistics of its normalisations. Leaves the model in the mode in which it was.
    """
    training = model.training
    model.eval()
    record = []
    model.quantise(False)
    model(images, record)
    for quantiser, x in zip(model.quantisers, record, strict=True):
        quantiser.calibrate(x)
    model.quantise(True)
    model.train(training)
