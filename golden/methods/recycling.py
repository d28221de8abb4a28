"""Iterative weight recycling: the weights least wanted become copies of those most wanted.

Source: Gorbett and Whitley, "Randomly Initialized Subnetworks with Iterative Weight Recycling",
AsiaCCS 2023 (arXiv 2303.15953).
"""

import torch


@torch.no_grad()
def recycle(layer, fraction: float):
    """Overwrite a layer's weights of lowest |score|, `fraction` of all, with those of highest.

    They are paired by rank: the i-th lowest becomes what the i-th highest is, sign and magnitude.
    Scores stay. Of equal scores, the earlier in (cout, cin, k, k) is the lower one.
    """
    order = layer.scores.abs().flatten().argsort(stable=True)
    count = round(fraction * len(order))
    low, high = order[:count], order.flip(0)[:count]
    for values in (layer.sign, layer.magnitudes):
        if values is not None:
            flat = values.flatten().clone()  # flatten alone is a view, or a copy if channels last
            flat[low] = flat[high]
            values.copy_(flat.view(values.shape))
