"""`python -m golden.sample`: a data set's first test images, as the simulator reads them."""

import numpy as np
import pytest

from golden import data, sample
from hfn_accel import images
from hfn_accel.errors import HfnError


def test_sample(tmp_path):
    path = tmp_path / "s.npz"
    sample.main(["--dataset", "digits", "--count", "7", "--out", str(path)])
    got, want = images.load(path), data.load("digits")
    assert (got.images.transpose(0, 3, 1, 2) == want.test_images[:7]).all()
    assert (got.labels == want.test_labels[:7]).all() and got.class_names == want.class_names
    with np.load(path) as file:
        assert "first 7 test images of digits" in str(file["provenance"])


@pytest.mark.parametrize("count", ["0", "-1", "361"])
def test_refuses_a_count_that_the_data_set_lacks(tmp_path, count):
    with pytest.raises(HfnError, match="--count must be from 1 to 360"):
        sample.main(["--dataset", "digits", "--count", count, "--out", str(tmp_path / "s.npz")])
    assert not list(tmp_path.iterdir())
