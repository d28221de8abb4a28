"""Accuracy in floating point."""

import pytest
import torch

from golden.training.accuracy import accuracy
from golden.training.images import to_float

from . import job


@pytest.mark.parametrize("bfloat16", [False, True])
def test_accuracy_counts_all_images(bfloat16):
    model, data = job.network(job.recipe()), job.images()
    images, labels = data.train_images[:70], data.train_labels[:70]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        predictions = model.eval()(to_float(images)).argmax(1).numpy()
    labels[:9] = predictions[:9]
    expected = (predictions == labels).mean()
    assert expected > 9 / 70
    model.train()
    assert accuracy(model, images, labels, batch=32, bfloat16=bfloat16) == pytest.approx(expected)
    assert not model.training
