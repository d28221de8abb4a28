"""Training images: which are held out, their order, and their random shifts and mirrors.

Everything drawn depends on the seed and on the place in the search (epoch, step) alone, and is
drawn on the CPU, so that a resumed search and every device see the same batches.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from hfn_accel.errors import HfnError


def to_float(images, device=None) -> torch.Tensor:
    """uint8 images to 0...1 floats, channels last, on `device` (None: where they are)."""
    x = torch.as_tensor(images, device=device)
    return x.to(torch.float32, memory_format=torch.channels_last).div_(255)


def generator(seed: int, *place: int) -> torch.Generator:
    """A random generator of its own for every place, such as (epoch, step), of every seed."""
    state = np.random.SeedSequence(seed, spawn_key=place).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


def draw(count: int, size: int, flip: bool, rng: torch.Generator) -> torch.Tensor:
    """Random moves (count, 3) of images of `size` pixels: rows and columns of their padded image
    (by an eighth of the size) that are left out before them, and whether to mirror (0 or 1)."""
    shifts = torch.randint(0, 2 * (size // 8) + 1, (count, 2), generator=rng)
    mirror = torch.randint(0, 1 + flip, (count, 1), generator=rng)
    return torch.cat((shifts, mirror), 1)


def move(images: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """uint8 images (N, C, S, S), each shifted and mirrored by its row of `draw`'s moves."""
    n, c, size, _ = images.shape
    pad = size // 8
    top, left, mirror = moves.split(1, 1)
    span = torch.arange(size, device=images.device)
    rows, cols = top + span, left + torch.where(mirror.bool(), size - 1 - span, span)
    padded = F.pad(images, (pad, pad, pad, pad))
    index = (rows[:, :, None] * padded.shape[3] + cols[:, None, :]).reshape(n, 1, -1)
    return padded.flatten(2).gather(2, index.expand(-1, c, -1)).view_as(images)


def augment(images: torch.Tensor, flip: bool, rng: torch.Generator) -> torch.Tensor:
    """Random shifts (zero padding of an eighth of the size) and, if `flip`, random mirrors."""
    return move(images, draw(len(images), images.shape[2], flip, rng))


def split(count: int, fraction: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers of the images to train on, and of the `fraction` held out; both ascending."""
    held_out = round(fraction * count)
    order = torch.randperm(count, generator=generator(seed))
    return order[held_out:].sort().values, order[:held_out].sort().values


class TrainingImages:
    """A Dataset's training images and labels on a device, those held out apart.

    An epoch has `steps` batches of recipe.batch images; the few that are left over in an epoch's
    order wait for the next one. Raises HfnError if there are fewer images than in a batch.
    """

    def __init__(self, data, recipe, device):
        self.recipe, self.flip = recipe, data.flip
        chosen, held_out = split(len(data.train_images), recipe.validation, recipe.seed)
        if recipe.batch > len(chosen):
            raise HfnError(f"batch must be at most {len(chosen)}, the images of {data.name} that "
                           f"are trained on, not {recipe.batch}")  # fmt: skip
        self.images = torch.as_tensor(data.train_images).to(device)
        self.labels = torch.as_tensor(data.train_labels).to(device)
        self.held_out = self.images[held_out.to(device)], self.labels[held_out.to(device)]
        self.chosen, self.steps = chosen, len(chosen) // recipe.batch

    def first(self, count: int) -> torch.Tensor:
        """Float images: the first so many of those that are trained on, as they are."""
        return to_float(self.images[self.chosen[:count].to(self.images.device)])

    def batches(self, epoch: int, first: int, share: slice) -> Iterator[tuple]:
        """Float images and labels of each step of `epoch` from step `first` on; of each batch
        the `share` that this process trains on."""
        size, device = self.images.shape[2], self.images.device
        batch, seed = self.recipe.batch, self.recipe.seed
        order = torch.randperm(len(self.chosen), generator=generator(seed, epoch))
        order = self.chosen[order].to(device)
        for step in range(first, self.steps):
            chosen = order[step * batch : (step + 1) * batch][share]
            moves = draw(batch, size, self.flip, generator(seed, epoch, step))[share]
            x = move(self.images[chosen], moves.to(device, non_blocking=True))
            yield to_float(x), self.labels[chosen]
