"""Weight recycling against the paper's rule: copies from the highest to the lowest, by rank."""

import numpy as np
import pytest
import torch

from golden.methods import EdgePopup
from golden.methods.recycling import recycle

from .nets import layer, net


def test_by_hand():
    """Of ten, three: |scores| 0.1, 0.2, 0.3 become what 1.0, 0.9, 0.8 are."""
    method = EdgePopup(density=0.5, recycle_every=1, magnitudes="normal")
    scores = torch.tensor([0.5, -0.1, 1.0, 0.2, -0.9, 0.6, 0.3, 0.8, -0.4, 0.7])
    made = layer(method, scores.view(2, 5, 1, 1))
    made.sign.copy_(torch.tensor([1.0, 1, -1, 1, -1, 1, -1, 1, 1, 1]).view(2, 5, 1, 1))
    made.magnitudes.copy_(torch.arange(10.0).view(2, 5, 1, 1))
    recycle(made, 0.3)
    assert made.magnitudes.flatten().tolist() == [0, 2, 2, 4, 4, 5, 7, 7, 8, 9]
    assert made.sign.flatten().tolist() == [1, -1, -1, -1, -1, 1, 1, 1, 1, 1]
    assert torch.equal(made.scores.detach().flatten(), scores)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("fields", [{}, {"method": "biprop"}])
def test_equals_the_rule(fields, channels_last):
    model = net(recycle_every=3, recycle_fraction=0.2, **fields)
    if channels_last:
        model.to(memory_format=torch.channels_last)
    before = [{n: b.clone().numpy().ravel() for n, b in conv.named_buffers()}
              for conv in model.convs]  # fmt: skip
    for epoch in (0, 1):
        model.method.after_epoch(model, epoch)
        assert all(np.array_equal(conv.sign.numpy().ravel(), old["sign"])
                   for conv, old in zip(model.convs, before, strict=True))  # fmt: skip
    model.method.after_epoch(model, 2)
    for conv, old in zip(model.convs, before, strict=True):
        scores = np.abs(conv.scores.detach().numpy().ravel())
        order = np.argsort(scores, kind="stable")
        for name, values in old.items():
            expected = values.copy()
            for rank in range(round(0.2 * len(scores))):
                expected[order[rank]] = values[order[-1 - rank]]
            assert np.array_equal(getattr(conv, name).numpy().ravel(), expected), name
    changed = [(conv.sign.numpy().ravel() != old["sign"]).any()
               for conv, old in zip(model.convs, before, strict=True)]  # fmt: skip
    assert sum(changed) > len(changed) / 2


def test_recycled_weights_are_part_of_the_state():
    states = [net(**fields).state_dict() for fields in
              ({"recycle_every": 2}, {"recycle_every": 2, "method": "biprop"}, {},
               {"method": "biprop"}, {"method": "frozen", "pruned": 0.3})]  # fmt: skip
    found = [{key.split(".")[-1] for key in state if key.startswith("convs.")} for state in states]
    assert found == [{"scores", "sign"}, {"scores", "sign", "magnitudes"}, *[{"scores"}] * 3]


def test_never():
    model = net()
    signs = [conv.sign.clone() for conv in model.convs]
    for epoch in range(12):
        model.method.after_epoch(model, epoch)
    assert all(torch.equal(c.sign, s) for c, s in zip(model.convs, signs, strict=True))
