"""The integer golden model: a ticket's network in exact integers, as the paper draws it.

Every executed layer is y = clamp((acc * M + r * Mr + B + 2^(S-1)) >> S, 0, 2^bits - 1) per output
channel, with acc the convolution of integer activations with weights -1, 0, +1 (-N to N with N
coats) under zero padding, and r the residual. Bipolar activations enter a convolution as -1 and
+1, and its padding stays 0. The logits are the classifier's sums over all pixels.

Nothing here uses the package's own arithmetic: what the simulator and the RTL compute is compared
with this model.
"""

import numpy as np
import torch
import torch.nn.functional as F

from hfn_accel.ticket import Ticket

# every integer up to these is exact, so a sum whose terms' magnitudes stay below is exact too
EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53


class IntegerResNet:
    """A ticket's network on the CPU: uint8 images (N, C, H, W) to int64 logits (N, classes)."""

    def __init__(self, ticket: Ticket):
        self.ticket, self.arch = ticket, ticket.arch
        self.weights = [
            torch.from_numpy(ticket.weights(conv.tensor))
            .reshape(conv.cout, conv.kernel, conv.kernel, conv.cin).permute(0, 3, 1, 2)
            for conv in self.arch.tensors
        ]  # fmt: skip
        self.norms = [
            [torch.from_numpy(a.astype(np.int64)).reshape(-1, 1, 1)
             for a in (norm.multiplier, norm.residual, norm.bias)]
            for norm in ticket.norms
        ]  # fmt: skip

    @torch.no_grad()
    def forward(self, images, record: list | None = None) -> torch.Tensor:
        """Logits of uint8 images, an array or tensor of any count.

        `record`, a list, receives each layer's map as uint8 (N, C, H, W), as the layers behind it
        read it (max pooled, if it is), in the order of `arch.layers[:-1]`; the last layer's
        outputs are the logits that are returned.
        """
        outputs = {-1: torch.as_tensor(images).contiguous(memory_format=torch.channels_last)}
        for conv in self.arch.layers:
            x = outputs[conv.source]
            if conv.classifier:
                return self.classify(conv, x)
            residual = None if conv.residual is None else outputs[conv.residual]
            y = self.requantise(conv, self.convolve(conv, x), residual)
            if conv.max_pool:
                y = F.max_pool2d(y.float(), kernel_size=3, stride=2, padding=1).to(torch.uint8)
            outputs[conv.norm] = y
            if record is not None:
                record.append(y)

    __call__ = forward

    def convolve(self, conv, x) -> torch.Tensor:
        """int64 accumulators: a floating-point convolution whose every partial sum is exact."""
        weight = self.weights[conv.tensor]
        largest = (1 << self.ticket.bits_of(conv.source)) - 1
        bound = largest * int(weight.abs().sum((1, 2, 3), dtype=torch.int64).max())
        assert bound < EXACT_FLOAT64
        exact = torch.float32 if bound < EXACT_FLOAT32 else torch.float64
        x = x.to(exact)
        if self.ticket.bipolar_of(conv.source):
            x = 2 * x - 1
        with torch.backends.nnpack.flags(enabled=False):  # its Winograd transform is not exact
            acc = F.conv2d(x, weight.to(exact), stride=conv.stride, padding=conv.pad)
        return acc.long()

    def requantise(self, conv, acc, residual) -> torch.Tensor:
        """Accumulators and residual to uint8 activations, 0 to 2^bits - 1."""
        norm = self.ticket.norms[conv.norm]
        multiplier, residual_multiplier, bias = self.norms[conv.norm]
        y = acc * multiplier
        if residual is not None:
            y += residual.long() * residual_multiplier
        y += bias + (1 << (norm.shift - 1))
        y >>= norm.shift
        return y.clamp_(0, (1 << norm.bits) - 1).to(torch.uint8)

    def classify(self, conv, x) -> torch.Tensor:
        """Logits: the 1x1 classifier on the sum over all pixels."""
        pooled = x.sum((2, 3), dtype=torch.int64)
        if self.ticket.bipolar_of(conv.source):
            pooled = 2 * pooled - x.shape[2] * x.shape[3]
        return pooled @ self.weights[conv.tensor].flatten(1).long().T


def accuracy(model: IntegerResNet, images: np.ndarray, labels: np.ndarray, batch=250) -> float:
    """Fraction of images whose largest logit (the first of equal ones) is the label's."""
    right = 0
    for i in range(0, len(images), batch):
        prediction = model(images[i : i + batch]).argmax(1).numpy()
        right += int((prediction == labels[i : i + batch]).sum())
    return right / len(images)
