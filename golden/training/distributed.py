"""One search on several processes: torchrun and DistributedDataParallel.

Every process computes a share of each batch and holds the whole network. Gradients are averaged
over processes, so that without batch normalisation the steps would be those of one process. Batch
normalisation takes the statistics of its own process's share; the running statistics are averaged
whenever a checkpoint is written.
"""

import atexit
import os
import warnings
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hfn_accel.errors import HfnError


@dataclass(frozen=True)
class Processes:
    """This process among `count`; rank 0 alone writes files and shows progress."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """This process's part of a batch. Raises HfnError if the parts cannot be equal."""
        if batch % self.count:
            raise HfnError(f"batch must be a multiple of the {self.count} processes, not {batch}")
        part = batch // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network whose gradients are averages over processes; to be wrapped again when other
        parameters than before have gradients."""
        if self.count == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        # a 1x1 kernel's strides are written in two ways that mean the same
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        with warnings.catch_warnings():  # the option's new name is not in PyTorch 2.6
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)

    def average(self, tensor: torch.Tensor):
        """Replace a contiguous tensor by its mean over processes."""
        if self.count > 1:
            dist.all_reduce(tensor)
            tensor /= self.count

    def average_statistics(self, model: nn.Module):
        """Make the running statistics of normalisations the same everywhere: their mean."""
        if self.count == 1:
            return
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        running = [s for norm in norms for s in (norm.running_mean, norm.running_var)]
        means = torch.cat(running)
        self.average(means)
        for old, mean in zip(running, means.split([len(s) for s in running]), strict=True):
            old.copy_(mean)


def join(device: str) -> Processes:
    """Join the processes that torchrun started, on `device` cpu or cuda (a GPU each); without
    torchrun there is this one. Raises HfnError if they cannot be joined."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return Processes(torch.device(device))
    names = ("WORLD_SIZE", "RANK", "LOCAL_RANK")
    try:
        count, rank, local = (int(os.environ[name]) for name in names)
    except (KeyError, ValueError):
        raise HfnError(f"{', '.join(names)} in the environment are not as torchrun sets them: "
                       "start the processes with torchrun, or unset them") from None  # fmt: skip
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise HfnError(f"{local + 1} processes or more need a GPU each, and there are "
                           f"{torch.cuda.device_count()}: fewer --nproc-per-node")  # fmt: skip
        torch.cuda.set_device(local)
        device = f"cuda:{local}"
    if not dist.is_initialized():
        try:
            dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        except (RuntimeError, ValueError) as error:
            raise HfnError(f"cannot join {count} processes: start them with torchrun "
                           f"({error})") from None  # fmt: skip
        atexit.register(dist.destroy_process_group)
    return Processes(torch.device(device), rank, count)
