import re

import numpy as np
import pytest

from hfn_accel import compile as command
from hfn_accel import sequence
from hfn_accel.compiler import allocate_banks, compile, pack_mask, place_masks
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.listing import listing
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode, Program
from hfn_accel.ticket import Ticket
from tests.tickets import random_architecture, random_ticket, reference

ARCH = Architecture.parse("8x1,16x3f,12x2", classes=5, image_size=8)
CONFIG = Config(rows=8, columns=4)


def make(arch=ARCH, seed=1, **options) -> Ticket:
    return random_ticket(np.random.default_rng(seed), arch, **options)


def convs(program: Program) -> list[dict[str, int]]:
    return [f for code, f in program.descriptors if code == Opcode.CONV]


@pytest.mark.parametrize("rows, columns, bus", [(4, 8, 64), (8, 4, 64), (1, 1, 64), (2, 64, 128)])
def test_mask_stream_bit_by_bit(rows, columns, bus):
    """The layout of docs/architecture.md: tile, tap, input tile, channel, column."""
    config = Config(rows=rows, columns=columns, axi_data_width=bus)
    kernel, cin, cout = 3, 11, 9
    mask = np.random.default_rng(0).random((cout, kernel * kernel * cin)) < 0.5
    bits = np.unpackbits(np.frombuffer(pack_mask(mask, config), np.uint8), bitorder="little")
    at = 0
    for tile in range(0, cout, columns):
        at += -at % bus
        for tap in range(kernel * kernel):
            for first in range(0, cin, rows):
                for channel in range(first, min(first + rows, cin)):
                    for co in range(tile, tile + columns):
                        want = co < cout and mask[co, tap * cin + channel]
                        assert bits[at] == want
                        at += 1
    assert len(bits) == at + -at % bus
    assert not bits[at:].any()


def test_banks_hold_every_live_tensor():
    rng = np.random.default_rng(7)
    for _ in range(200):
        arch = random_architecture(rng, blocks=(1, 5), stages=(1, 5))
        bank = allocate_banks(arch.layers)
        content = {bank[-1]: -1}
        for conv in arch.layers:
            assert content[bank[conv.source]] == conv.source
            if conv.residual is not None:
                assert content[bank[conv.residual]] == conv.residual
                assert bank[conv.residual] != bank[conv.norm]
            assert bank[conv.norm] != bank[conv.source]
            content[bank[conv.norm]] = conv.norm


def test_folded_masks_stay_if_they_fit_together():
    beats = [10] * len(ARCH.tensors)
    for words, stays in ((20, True), (19, False)):
        config = Config().replace(mask_bytes=256)
        assert config.mask_words == 32
        object.__setattr__(config, "mask_bytes", words * 8)  # any depth, for the boundary
        places = dict(zip((c.name for c in ARCH.layers),
                          place_masks(ARCH.layers, beats, config), strict=True))  # fmt: skip
        again = places["stage2.folded.conv2[2]"]
        assert (again.fetch, again.base) == ((False, 10) if stays else (True, 0))
        assert places["stage2.folded.conv1[1]"].fetch and places["stage2.block1.conv1"].fetch
        assert ("exceed" in again.note) == (not stays)


def test_descriptors_of_one_network():
    program = compile(make(), CONFIG)
    layers = convs(program)
    assert len(layers) == len(ARCH.layers)
    bits = {-1: 8} | {i: n.bits for i, n in enumerate(make().norms)}
    for conv, f in zip(ARCH.layers, layers, strict=True):
        assert f["sign_state"] == sequence.tensor_state(make().state, conv.tensor)
        assert (f["in_tiles"] - 1) * 8 + f["last_rows"] == conv.cin
        assert f["out_tiles"] == -(-conv.cout // 4)
        assert f["in_bits"] == bits[conv.source]
        assert f["raw"] == f["pool"] == conv.classifier
        assert f["residual"] == (conv.residual is not None)
        if conv.residual is not None:
            assert f["res_bits"] == bits[conv.residual]
        if conv.classifier:
            assert f["out_bits"] == f["shift"] == f["parameter_address"] == 0
        else:
            at, n = f["parameter_address"], make().norms[conv.norm]
            record = np.frombuffer(program.image[at : at + 8 * conv.cout], "<i2, <i2, <i4")
            assert (record["f0"] == n.multiplier).all() and (record["f1"] == n.residual).all()
            assert (record["f2"] == n.bias).all()
        mask = pack_mask(make().masks[conv.tensor], CONFIG)
        assert program.image[f["mask_address"] :][: len(mask)] == mask
        assert f["mask_address"] % 64 == f["parameter_address"] % 64 == 0
    assert program.header["output_bytes"] == 20
    assert Program.parse(program.image) == program


def test_image_is_the_same_from_run_to_run():
    assert compile(make(), CONFIG).image == compile(make(), CONFIG).image


@pytest.mark.parametrize("depth", [16, 32, 64, 128])
def test_strips_are_the_largest_that_fit(depth):
    for conv, f in zip(ARCH.layers, convs(compile(make(), CONFIG.replace(psum_depth=depth))),
                       strict=True):  # fmt: skip
        out = conv.out_size
        if conv.classifier:
            assert (f["strips"], f["last_strip_rows"]) == (1, out)
            continue
        assert (f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"] == out
        assert 1 <= f["last_strip_rows"] <= f["strip_rows"]
        assert f["strip_rows"] * out <= depth
        assert f["strip_rows"] == out or (f["strip_rows"] + 1) * out > depth


def limited(arch: str, size: int, message: str, classes=10, **config):
    arch = Architecture.parse(arch, classes=classes, image_size=size)
    with pytest.raises(HfnError, match=re.escape(message)):
        compile(make(arch, bits=(8, 8)), Config(**config))


def test_refuses_what_does_not_fit():
    limited("16x1", 8, "image: activation words 512, the limit is 128", activation_bytes=256)
    limited("40x1", 4, "stem: activation words 384, the limit is 256",
            activation_bytes=512)  # fmt: skip
    limited("4x1", 17, "stem: a row of 17 output pixels exceeds the partial sums' psum_depth 16",
            psum_depth=16)  # fmt: skip
    limited("65x1", 4, "stem: output channels in whole column tiles 80, the limit is 64",
            parameter_channels=64)  # fmt: skip
    limited("4x1", 4, "classifier: logits in whole column tiles 80, the limit is 64", classes=65,
            result_words=64)  # fmt: skip
    limited("16x1", 4, "stage1.block1.conv1: mask beats 36, the limit is 32", mask_bytes=256)


def test_names_the_layer_of_a_field_that_overflows():
    arch = Architecture.parse("1x1", classes=2, in_channels=1, image_size=512)
    config = Config(rows=1, columns=1, activation_bytes=1 << 22, psum_depth=512)
    message = "stem: descriptor field in_group_stride must be 0 to 1048575, not 2097152"
    with pytest.raises(HfnError, match=message):
        compile(make(arch), config)


def full_ticket(cin: int, size: int, seed: int = 3) -> Ticket:
    """A stem with every weight present, so that its accumulator's bounds are known."""
    arch = Architecture.parse("4x1", classes=2, in_channels=cin, image_size=size)
    ticket = make(arch, seed)
    masks = (np.ones_like(ticket.masks[0]), *(np.zeros_like(m) for m in ticket.masks[1:]))
    return Ticket(**vars(ticket) | {"masks": masks})


def test_accumulator_width_is_proved():
    ticket = full_ticket(4, 4)
    w = ticket.weights(0).astype(int)
    high, low = (w > 0).sum(1).max() * 255, -(w < 0).sum(1).max() * 255
    need = next(n for n in range(1, 33) if -(2 ** (n - 1)) <= low and high < 2 ** (n - 1))
    assert need == 14
    assert compile(ticket, CONFIG.replace(accumulator_bits=need)).header["accumulator_bits"] == need
    message = f"stem: bits of accumulator for a sum of up to {max(high, -low)}: {need}, the limit"
    with pytest.raises(HfnError, match=message):
        compile(ticket, CONFIG.replace(accumulator_bits=need - 1))
    # the bound is reached: an image that is white where the weights are positive
    worst = w.reshape(4, 3, 3, 4)[(w > 0).sum(1).argmax()] > 0
    assert (worst * 255 * w.reshape(4, 3, 3, 4)[(w > 0).sum(1).argmax()]).sum() == high


def test_pooled_accumulator_counts_every_pixel():
    """A classifier with all weights: its logits reach what the compiler bounds."""
    arch = Architecture.parse("2x1", classes=2, image_size=8)
    ticket = make(arch, bits=(8, 8))
    masks = (*ticket.masks[:-1], np.ones_like(ticket.masks[-1]))
    ticket = Ticket(**vars(ticket) | {"masks": masks})
    need = compile(ticket, CONFIG).header["accumulator_bits"]
    largest = int(np.abs(ticket.weights(len(masks) - 1).sum(1)).max()) * 255 * 64
    assert need >= largest.bit_length()
    with pytest.raises(HfnError, match=r"classifier: bits of accumulator"):
        compile(ticket, CONFIG.replace(accumulator_bits=need - 1))
    images = np.full((1, 8, 8, 3), 255, np.uint8)
    logits, _ = reference(ticket, images)
    assert np.abs(logits).max() < 2 ** (need - 1)


def test_listing_names_every_layer_and_the_plan():
    program = compile(make(), CONFIG)
    text = listing(program)
    assert all(conv.name in text for conv in ARCH.layers)
    assert text.count("mask still on chip") == 2
    assert "program for a 8x4 array" in text
    fetched = sum(f["mask_beats"] * 8 * f["fetch_mask"] for f in convs(program))
    assert f"moved bytes an image: {fetched} masks" in text
    small = CONFIG.replace(mask_bytes=512)
    assert "exceed the mask buffer's 64" in listing(compile(make(), small))
    assert "CONV" in listing(Program.parse(program.image))  # without notes


def test_command_writes_image_and_listing(tmp_path, capsys):
    make().save(tmp_path / "net.safetensors")
    command.main([str(tmp_path / "net.safetensors"), "--pe", "8x4", "--out", str(tmp_path / "o")])
    printed = capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["net-8x4.bin", "net-8x4.lst"]
    assert (tmp_path / "o/net-8x4.bin").read_bytes() == compile(make(), CONFIG).image
    assert (tmp_path / "o/net-8x4.lst").read_text() in printed


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--pe", "16"], "--pe must be RxC"),
        (["--pe", "0x16"], "rows must be a power of two"),
        (["--pe", "3x16"], "rows must be a power of two"),
        (["--config", "none.toml"], "cannot read none.toml"),
        (["--config", "small.toml"], "mask beats"),
    ],
)
def test_command_refuses_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    make().save("net.safetensors")
    (tmp_path / "small.toml").write_text("mask_bytes = 256\n")
    with pytest.raises(HfnError, match=message) as caught:
        command.main(["net.safetensors", "--out", "o", *arguments])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


def test_command_refuses_a_file_for_a_folder(tmp_path):
    make().save(tmp_path / "net.safetensors")
    with pytest.raises(HfnError, match="cannot make the folder"):
        command.main(
            [str(tmp_path / "net.safetensors"), "--out", str(tmp_path / "net.safetensors")]
        )
