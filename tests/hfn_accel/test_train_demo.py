from types import SimpleNamespace

import pytest

from hfn_accel import plots, rooms, ticket, train_demo
from hfn_accel.errors import HfnError
from tests.hfn_accel.test_demo import rtl

TINY = ["--dataset", "digits", "--arch", "4x1,4x3f", "--batch", "128", "--epochs", "2",
        "--threads", "1"]  # fmt: skip


def begin(monkeypatch, folder, **changes):
    """A search of seconds, and a stand-in for the RTL."""
    monkeypatch.setattr(train_demo, "SEARCH", TINY)
    rtl(lambda: ticket.load(folder / "digits.safetensors"), monkeypatch, **changes)


def test_train_demo(monkeypatch, tmp_path, capsys):
    begin(monkeypatch, tmp_path)
    (tmp_path / "digits.ckpt").write_text("of an older search")
    train_demo.main(["--pe", "4x4", "--out", str(tmp_path), "--count", "2"])
    printed = capsys.readouterr().out
    assert "DIFFERENT" not in printed and printed.count(": equal\n") == 6
    assert printed.count(" predicted ") == 2 and "of 360" in printed and "= counted" in printed
    assert f"python -m hfn_accel.train {' '.join(TINY[:4])}" in printed
    assert "2 epochs in" in printed  # the older search's checkpoint is no hindrance
    for name in ("learning", "density", "cycles", "bytes", "traffic", "roofline"):
        assert (tmp_path / f"{name}.png").exists() and f"{name}.png\n" in printed


@pytest.mark.parametrize("name, change", [
    ("logits", lambda r: r.logits + 1), ("bytes", lambda r: r.bytes | {"mask": 0}),
])  # fmt: skip
def test_an_rtl_that_differs_ends_the_demo(monkeypatch, tmp_path, capsys, name, change):
    begin(monkeypatch, tmp_path, **{name: change})
    monkeypatch.setattr(plots, "save_figures", lambda *args: [])
    with pytest.raises(HfnError, match="differ"):
        train_demo.main(["--pe", "4x4", "--out", str(tmp_path), "--count", "1"])
    assert capsys.readouterr().out.count("DIFFERENT") == 1


@pytest.mark.parametrize("broken", ["logits", "activations"])
def test_a_golden_model_that_differs_ends_the_demo(monkeypatch, tmp_path, capsys, broken):
    begin(monkeypatch, tmp_path)
    monkeypatch.setattr(plots, "save_figures", lambda *args: [])
    load = rooms.load

    def wrong(module, *rest, **named):
        loaded = load(module, *rest, **named)
        if module != "golden.integer":
            return loaded

        class Wrong(loaded.IntegerResNet):
            def __call__(self, images, record=None):
                logits = super().__call__(images, record)
                if broken == "logits":
                    return logits + 1
                if record:
                    record[1] = record[1] ^ 1
                return logits

        return SimpleNamespace(IntegerResNet=Wrong, accuracy=loaded.accuracy)

    monkeypatch.setattr(rooms, "load", wrong)
    with pytest.raises(HfnError, match="differ"):
        train_demo.main(["--pe", "4x4", "--out", str(tmp_path), "--count", "1"])
    assert capsys.readouterr().out.count("DIFFERENT") == 1


def test_images_that_are_not_there_are_refused_before_the_search(tmp_path):
    with pytest.raises(HfnError, match="--count must be from 1 to 360"):
        train_demo.main(["--out", str(tmp_path), "--count", "0"])
    assert not list(tmp_path.iterdir())
