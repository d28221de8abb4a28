"""Activation quantisation: unsigned integers of 1 to 8 bits, one scale a layer.

A ReLU's output is stored as round(x / step) in 0...2^a - 1. A projection shortcut has no ReLU; it
is stored with the zero point 2^(a-1), which folds into the bias of the layer that adds it. A
bipolar layer keeps one bit b of its output, x >= 0, which means step * (2b - 1).

Steps are calibrated once, or learned from there on. Sources: Esser et al., "Learned Step Size
Quantization", ICLR 2020; Diffenderfer & Kailkhura, "Multi-Prize Lottery Ticket Hypothesis", ICLR
2021 (1-bit activations; their slope as in the authors' code, github.com/chrundle/biprop).
"""

import torch
from torch import nn

CALIBRATION_IMAGES = 256  # that steps are measured on
LEAST_STEP = 1e-4  # of a learned step, which an optimiser would carry past 0
_hardtanh_backward = torch.ops.aten.hardtanh_backward


class _FakeQuantise(torch.autograd.Function):
    """clamp(round(x / step), low, high) * step, computed in the precision of x.

    The gradient to x passes where nothing was clamped. That to step is `gain` times the published
    one: round(v) - v for v = x / step between the limits, and the limit outside of them.
    """

    @staticmethod
    def forward(ctx, x, step, low, high, gain):
        v = x / step  # a 0-d tensor takes on the type of the other
        ctx.save_for_backward(v)
        ctx.limits, ctx.gain = (low, high), gain
        return v.round().clamp_(low, high).mul_(step)

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        grad_step = None
        if ctx.needs_input_grad[1]:
            error = v.round().clamp_(*ctx.limits).sub_(_hardtanh_backward(v, v, *ctx.limits))
            grad_step = error.mul_(grad).sum(dtype=torch.float32) * ctx.gain
        return _hardtanh_backward(grad, v, *ctx.limits), grad_step, None, None, None


class _FakeSign(torch.autograd.Function):
    """step where x >= 0 and -step elsewhere.

    The slope of MPT-1/1, that of a quadratic spline, stands in its gradient to x: 2 * (1 - |x|)
    between -1 and 1, and 0 outside. That to step is `gain` times the sum of what arrives, signed
    as x.
    """

    @staticmethod
    def forward(ctx, x, step, gain):
        ctx.save_for_backward(x)
        ctx.gain = gain
        return torch.copysign(step, x + 0.0)  # a -0 becomes 0, whose bit is 1

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        grad_step = None
        if ctx.needs_input_grad[1]:
            grad_step = torch.where(x >= 0, grad, -grad).sum(dtype=torch.float32) * ctx.gain
        return x.abs().neg_().add_(1).clamp_(min=0).mul_(2).mul_(grad), grad_step, None


class ActivationQuantiser(nn.Module):
    """The activation function; once enabled and calibrated, quantised to `bits`.

    The function is a ReLU, nothing if `signed`, and if `bipolar` (one bit only, whatever `signed`
    says) hardtanh, which a sign replaces. `step` is the real value of one integer step, or the
    magnitude of a bipolar output; 0 means not yet calibrated. If `learned` it is a Parameter,
    which starts at the calibrated value and stays positive; weight decay must not act on it.

    An integer y stands for (y - zero_point) * unit.
    """

    def __init__(self, bits: int, signed: bool, *, bipolar: bool = False, learned: bool = False):
        super().__init__()
        self.bits, self.signed, self.bipolar, self.learned = bits, signed, bipolar, learned
        self.enabled = False
        self.zero_point = 0.5 if bipolar else 1 << (bits - 1) if signed else 0
        if learned:
            self.step = nn.Parameter(torch.zeros(()))
        else:
            self.register_buffer("step", torch.zeros(()))

    @property
    def unit(self) -> torch.Tensor:
        """Real distance of two neighbouring integers."""
        return 2 * self.step if self.bipolar else self.step

    @property
    def limits(self) -> tuple[int, int]:
        """Lowest and highest level, zero point subtracted; not of a bipolar layer."""
        return -self.zero_point, (1 << self.bits) - 1 - self.zero_point

    def forward(self, x):
        if not self.enabled:
            return self._real(x)
        if self.learned:
            with torch.no_grad():
                self.step.clamp_(min=LEAST_STEP)
        if self.bipolar:
            return _FakeSign.apply(x, self.step, self._gain(x, 1))
        return _FakeQuantise.apply(x, self.step, *self.limits, self._gain(x, self._span()))

    def _real(self, x):
        if self.bipolar:
            return nn.functional.hardtanh(x)
        return x if self.signed else x.relu()

    def _span(self) -> int:
        return max(map(abs, self.limits))

    @staticmethod
    def _gain(x, span: int) -> float:
        """1 / sqrt(activations of an image * highest level): updates fit the step's size."""
        return (x[0].numel() * span) ** -0.5

    @torch.no_grad()
    def calibrate(self, x: torch.Tensor):
        """Set `step` to the candidate with the least mean squared error on `x`.

        For a sign that is the mean magnitude. Steps are representable in bfloat16, so that they
        are the same in either precision.
        """
        x = self._real(x.float())
        if self.bipolar:
            self.step.copy_(x.abs().mean().clamp_min(LEAST_STEP).bfloat16())
            return
        low, high = self.limits
        top = x.abs().max().clamp_min(1e-6) / self._span()
        steps = [(top * (i / 64)).bfloat16().float() for i in range(8, 65, 2)]

        def error(step):
            return (x.div(step).round().clamp(low, high) * step - x).square().mean().item()

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
