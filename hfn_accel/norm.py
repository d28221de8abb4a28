"""The integer normalisation of a layer, and how real parameters become one."""

from dataclasses import dataclass

import numpy as np

from .arithmetic import MAX_ACTIVATION_BITS, MAX_SHIFT
from .errors import HfnError


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Integer normalisation of one executed layer.

    y = clamp((acc * multiplier + residual_in * residual + bias + 2^(shift-1)) >> shift,
    0, 2^bits - 1) per output channel: int16, int16 and int32 arrays (cout,), `shift` in 1...47,
    `bits` in 1...8. Batch normalisation, weight scale and activation scales are folded in.
    `bipolar` (one bit only): to the convolutions that read y it means 2y - 1; as a residual it
    stays 0 or 1.
    """

    multiplier: np.ndarray
    residual: np.ndarray
    bias: np.ndarray
    shift: int
    bits: int
    bipolar: bool = False

    @classmethod
    def fit(cls, multiplier, residual, bias, *, bits: int, zero_point: int = 0,
            bipolar: bool = False) -> "Norm":  # fmt: skip
        """The closest Norm of y = acc * multiplier + (residual_in - zero_point) * residual + bias.

        The arguments are real arrays (cout,). The largest shift is taken with which all fit.
        Raises HfnError if none do.
        """
        for shift in range(MAX_SHIFT, 0, -1):
            m, r = np.rint(multiplier * 2.0**shift), np.rint(residual * 2.0**shift)
            b = np.rint(bias * 2.0**shift) - zero_point * r  # exact for the rounded residual
            if all(_fits(x, t) for x, t in ((m, np.int16), (r, np.int16), (b, np.int32))):
                return cls(multiplier=m.astype(np.int16), residual=r.astype(np.int16),
                           bias=b.astype(np.int32), shift=shift, bits=bits,
                           bipolar=bipolar)  # fmt: skip
        raise HfnError("normalisation does not fit int16 multipliers")

    def check(self, name: str, channels: int):
        """Raise HfnError, naming the layer, if anything is out of the ranges above."""
        for field, dtype in (("multiplier", np.int16), ("residual", np.int16),
                             ("bias", np.int32)):  # fmt: skip
            array = getattr(self, field)
            if array.shape != (channels,) or array.dtype != dtype:
                raise HfnError(f"ticket's {field} of {name} has the wrong shape or type")
        if not (1 <= self.shift <= MAX_SHIFT and 1 <= self.bits <= MAX_ACTIVATION_BITS):
            raise HfnError(f"ticket's shift or bits of {name} are out of range")
        if self.bipolar and self.bits != 1:
            raise HfnError(f"{name} is bipolar, which needs 1 activation bit, not {self.bits}")


def _fits(values: np.ndarray, dtype) -> bool:
    limits = np.iinfo(dtype)
    return bool(((limits.min <= values) & (values <= limits.max)).all())
