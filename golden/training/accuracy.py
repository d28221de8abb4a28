"""Accuracy of a network in floating point."""

import torch

from .images import to_float


@torch.no_grad()
def accuracy(model, images, labels, device="cpu", batch=500, bfloat16=False) -> float:
    """Fraction of uint8 images (N, C, H, W) whose largest logit is the label's; the model stays in
    evaluation mode."""
    model.eval()
    device, labels = torch.device(device), torch.as_tensor(labels).to(device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    for i in range(0, len(images), batch):
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            logits = model(to_float(images[i : i + batch], device))
        right += (logits.argmax(1) == labels[i : i + batch]).sum()
    return right.item() / len(images)
