"""The files that a search keeps beside its result."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFiles:
    """Of the result T.safetensors: T.ckpt, T.csv (a row an epoch), T.density.csv (kept fraction a
    weight tensor and epoch) and the folder T.logs (TensorBoard's event files)."""

    out: Path

    @property
    def checkpoint(self) -> Path:
        return self.out.with_suffix(".ckpt")

    @property
    def metrics(self) -> Path:
        return self.out.with_suffix(".csv")

    @property
    def densities(self) -> Path:
        return self.out.with_suffix(".density.csv")

    @property
    def logs(self) -> Path:
        return self.out.with_suffix(".logs")
