"""Thresholds against a full sort, with ties, infinities and any layout in memory."""

import math
import time
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from golden.methods import select

VALUES = st.one_of(
    st.floats(0, width=32).map(abs),  # not -0.0
    st.sampled_from([0.0, 0.25, 0.5, math.inf, -math.inf]),  # many ties
)
TENSORS = arrays.arrays(
    np.float32, arrays.array_shapes(max_dims=4, max_side=6), elements=VALUES, fill=st.nothing()
)


def sorted_down(magnitudes) -> np.ndarray:
    return np.sort(np.concatenate([m.numpy().ravel() for m in magnitudes]))[::-1]


@settings(deadline=None)
@given(TENSORS, st.data())
def test_kth_largest(values, data):
    keep = data.draw(st.integers(1, values.size))
    axes = data.draw(st.permutations(range(values.ndim)))
    magnitude = torch.from_numpy(values).permute(axes)
    threshold = select.kth_largest(magnitude, keep)
    assert threshold.shape == () and threshold.dtype == torch.float32
    assert threshold.item() == sorted_down([magnitude])[keep - 1]
    assert (magnitude >= threshold).sum() >= keep > (magnitude > threshold).sum()


@pytest.mark.parametrize("rule", [select._by_quickselect, select._by_radix])
@settings(deadline=None)
@given(st.lists(TENSORS, min_size=1, max_size=4), st.data())
def test_many(rule, tensors, data):
    """The rule of other devices too, which is plain PyTorch."""
    tensors = [torch.from_numpy(t) for t in tensors]
    size = sum(t.numel() for t in tensors)
    keeps = data.draw(st.lists(st.integers(1, size), min_size=1, max_size=5))
    with mock.patch.object(select, "_by_quickselect", rule):
        found = select.kth_largest_many(tensors, keeps)
    assert found.tolist() == [sorted_down(tensors)[k - 1] for k in sorted(keeps, reverse=True)]


def test_leaves_its_input_and_the_graph_alone():
    scores = torch.tensor([3.0, -1.0, 2.0, -5.0], requires_grad=True)
    magnitude = scores.abs()
    before = magnitude.tolist()
    assert not select.kth_largest(magnitude, 2).requires_grad
    assert magnitude.tolist() == before


def test_dense_tensors_are_not_copied():
    dense = torch.rand(4, 6, 3, 3)
    for x in (dense, dense.contiguous(memory_format=torch.channels_last), dense.mT, dense[:, :1]):
        flat = select._in_memory_order(x)
        assert sorted(flat.tolist()) == sorted(x.flatten().tolist())
        assert (flat.data_ptr() == x.data_ptr()) == (x.shape[1] > 1)


def test_infinities_cost_no_sort():
    """Of 20 such tensors about half would, if all their ties stood at one end."""

    def seconds(work, *given):
        began = time.process_time()
        work(*given)
        return time.process_time() - began

    generator, spent, sorting = torch.Generator().manual_seed(1), 0.0, 0.0
    for _ in range(20):
        magnitude = torch.rand(50_000, generator=generator)
        frozen = torch.rand(50_000, generator=generator)
        magnitude[frozen < 0.5] = -math.inf
        magnitude[frozen > 0.8] = math.inf
        sorting += seconds(torch.sort, magnitude)
        spent += seconds(select.kth_largest, magnitude, 15_000)
    assert spent < sorting / 4


@pytest.mark.parametrize("keep", [0, 5, -1])
def test_keep_out_of_range(keep):
    with pytest.raises(ValueError, match="keep must be from 1 to 4"):
        select.kth_largest(torch.ones(4), keep)
