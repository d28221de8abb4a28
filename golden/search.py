"""Ticket search: edge-popup on the sequence's own weights, with resume.

Source: Ramanujan et al., "What's Hidden in a Randomly Weighted Neural Network?", CVPR 2020.
"""

import csv
import io
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write

from .quantise import calibrate


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyperparameters of a search. `quantise_from`: epoch at which activations become integers."""

    epochs: int
    batch: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup: float = 1.0
    quantise_from: int = 0
    seed: int = 1
    bfloat16: bool = False


def augment(images: torch.Tensor, flip: bool, rng: torch.Generator) -> torch.Tensor:
    """Random shift (zero padding of an eighth of the size) and, if `flip`, random mirror."""
    n, c, size, _ = images.shape
    pad = size // 8
    padded = F.pad(images, (pad, pad, pad, pad))
    dy, dx = (torch.randint(0, 2 * pad + 1, (n, 1), generator=rng) for _ in range(2))
    rows, cols = dy + torch.arange(size), dx + torch.arange(size)
    if flip:
        mirror = torch.rand(n, 1, generator=rng) < 0.5
        cols = torch.where(mirror, cols.flip(1), cols)
    index = rows[:, :, None] * padded.shape[3] + cols[:, None, :]
    flat = padded.flatten(2)
    return flat.gather(2, index.reshape(n, 1, -1).expand(-1, c, -1)).reshape(n, c, size, size)


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """Linear warm-up, then a cosine to zero; `epoch` may be fractional."""
    if epoch < recipe.warmup:
        return recipe.lr * (epoch + 1e-3) / recipe.warmup
    done = (epoch - recipe.warmup) / max(recipe.epochs - recipe.warmup, 1e-9)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


class Checkpoint:
    """The search's state after an epoch, one safetensors file (nothing is ever unpickled)."""

    def __init__(self, path: Path, model, optimiser, identity: dict):
        self.path, self.model, self.optimiser = path, model, optimiser
        self.identity = json.dumps(identity, sort_keys=True)
        self.parameters = dict(model.named_parameters())

    def save(self, epoch: int):
        tensors = {f"model.{k}": v.contiguous() for k, v in self.model.state_dict().items()}
        for name, p in self.parameters.items():
            tensors[f"momentum.{name}"] = self.optimiser.state[p]["momentum_buffer"].contiguous()
        atomic_write(self.path, save(tensors, {"epoch": str(epoch), "identity": self.identity}))

    def load(self) -> int:
        """Restore and return the next epoch; 0 if there is no checkpoint."""
        if not self.path.exists():
            return 0
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {k: file.get_tensor(k) for k in file.keys()}
        except (OSError, SafetensorError) as error:
            raise HfnError(f"checkpoint {self.path} is damaged ({error}); delete it") from None
        if metadata.get("identity") != self.identity:
            raise HfnError(f"checkpoint {self.path} belongs to another search; delete or move it")
        state = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        self.model.load_state_dict(state)
        for name, p in self.parameters.items():
            self.optimiser.state[p]["momentum_buffer"] = tensors[f"momentum.{name}"].to(p.device)
        return int(metadata["epoch"]) + 1


def to_float(images, device="cpu") -> torch.Tensor:
    """uint8 images to 0...1 floats, channels last."""
    x = torch.as_tensor(images).to(device).float().div_(255)
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracy(model, images: np.ndarray, labels: np.ndarray, device="cpu", batch=500,
             bfloat16=False) -> float:  # fmt: skip
    """Fraction of images whose largest logit is the label's."""
    model.eval()
    right = 0
    for i in range(0, len(images), batch):
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            prediction = model(to_float(images[i : i + batch], device)).argmax(1).cpu()
        right += int((prediction == torch.as_tensor(labels[i : i + batch])).sum())
    return right / len(images)


def train(model, data, recipe: Recipe, checkpoint: Path, device: str = "cpu") -> list[dict]:
    """Search `model`'s supermasks (or train its dense weights) on a Dataset.

    A checkpoint is written after every epoch; when it exists, the search goes on from it with
    the result of an uninterrupted run (every epoch has a random generator of its own). Returns
    one row of metrics an epoch, which is also kept beside the checkpoint as CSV. Raises HfnError
    if the loss is not finite: the last good checkpoint stays.
    """
    model.to(device=device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=recipe.momentum,
                                weight_decay=recipe.weight_decay, nesterov=True)  # fmt: skip
    identity = {"arch": str(model.arch), "data": data.name, "dense": model.convs[0].dense,
                "bits": [q.bits for q in model.quantisers], "density": model.convs[0].density,
                **asdict(recipe)}  # fmt: skip
    keeper = Checkpoint(checkpoint, model, optimiser, identity)
    start = keeper.load()
    model.quantise(start > recipe.quantise_from)
    images, labels = torch.as_tensor(data.train_images), torch.as_tensor(data.train_labels)
    log, rows = checkpoint.with_suffix(".csv"), []
    if start and log.exists():
        rows = list(csv.DictReader(log.read_text().splitlines()))[:start]
    steps = len(images) // recipe.batch
    for epoch in range(start, recipe.epochs):
        if epoch == recipe.quantise_from:
            calibrate(model, to_float(images[:256], device))
        rng = torch.Generator().manual_seed((recipe.seed * 100_003 + epoch) % (1 << 63))
        order = torch.randperm(len(images), generator=rng)
        model.train()
        total, right, began = 0.0, 0, time.monotonic()
        for i in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, epoch + i / steps)
            batch = order[i * recipe.batch : (i + 1) * recipe.batch]
            x = to_float(augment(images[batch], data.flip, rng), device)
            y = labels[batch].to(device)
            with torch.autocast(device, torch.bfloat16, enabled=recipe.bfloat16):
                logits = model(x).float()
            loss = F.cross_entropy(logits, y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.item()
            if not math.isfinite(total):
                raise HfnError(f"loss is {loss.item()} in epoch {epoch}, step {i}; lower --lr "
                               f"(the last good state is {checkpoint})")  # fmt: skip
            right += int((logits.argmax(1) == y).sum())
            if sys.stderr.isatty():
                rate = (i + 1) * recipe.batch / (time.monotonic() - began)
                print(f"\repoch {epoch + 1}/{recipe.epochs}  step {i + 1}/{steps}  "
                      f"loss {total / (i + 1):.3f}  {rate:.0f} images/s ", end="",
                      file=sys.stderr, flush=True)  # fmt: skip
        seconds = time.monotonic() - began
        test = accuracy(model, data.test_images, data.test_labels, device,
                        bfloat16=recipe.bfloat16)  # fmt: skip
        rows.append({"epoch": f"{epoch + 1}", "loss": f"{total / steps:.4f}",
                     "train_accuracy": f"{right / steps / recipe.batch:.4f}",
                     "test_accuracy": f"{test:.4f}", "seconds": f"{seconds:.1f}"})  # fmt: skip
        if sys.stderr.isatty():
            print(f" test {test:.2%}", file=sys.stderr)
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(log, text.getvalue().encode())
        keeper.save(epoch)  # last, so that the metrics hold every epoch that is not done again
    return rows
