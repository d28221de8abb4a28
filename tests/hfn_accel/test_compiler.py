import re

import numpy as np
import pytest

from hfn_accel import compile as command
from hfn_accel import sequence
from hfn_accel.codec import encode as encode_stream
from hfn_accel.compiler import accumulator_bits, compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import count_bytes, execute, layers
from hfn_accel.listing import listing
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode, Origin, Program, Signs
from hfn_accel.streams import TicketStreams
from hfn_accel.ticket import Ticket
from tests.hfn_accel.engine.hazards import conflicts
from tests.tickets import random_images, random_mode, random_ticket, reference

ARCH = Architecture.parse("8x1,16x3f,12x2", classes=5, image_size=8)
CONFIG = Config(rows=8, columns=4)
DEEP = Architecture.parse("imagenet:16x2b,24x3b2f", classes=20, image_size=26)
TIGHT = Config(rows=8, columns=8, activation_bytes=4096, mask_bytes=2048, psum_depth=16,
               parameter_channels=64, result_words=64)  # fmt: skip
KIB = 1 << 10


def make(arch=ARCH, seed=1, **options) -> Ticket:
    return random_ticket(np.random.default_rng(seed), arch, **options)


def convs(program: Program) -> list[dict[str, int]]:
    return [f for code, f in program.descriptors if code == Opcode.CONV]


def runs(ticket: Ticket, config: Config, seed: int, batch: int = 1, images: int = 1):
    """The compiled program, after its run equalled the definition's in every map."""
    program = compile(ticket, config, batch=batch)
    assert not conflicts(program.descriptors, config)
    data = random_images(np.random.default_rng(seed), ticket.arch, images)
    result = execute(program, config, data)
    logits, maps = reference(ticket, data)
    assert np.array_equal(result.logits, logits)
    for (layer, pooled), got in layers(program, result.activations).items():
        if pooled or not ticket.arch.layers[layer].max_pool:
            assert np.array_equal(got[:images].transpose(0, 2, 3, 1), maps[layer])
    return program


def test_descriptors_of_one_network():
    ticket = make()
    program = compile(ticket, CONFIG)
    assert len(convs(program)) == len(ARCH.layers)
    bits = {-1: 8} | {i: n.bits for i, n in enumerate(ticket.norms)}
    streams = TicketStreams(ticket, CONFIG)
    for conv, f in zip(ARCH.layers, convs(program), strict=True):
        assert f["sign_state"] == sequence.tensor_state(ticket.state, conv.tensor)
        lanes = conv.cin * (conv.kernel if conv.source < 0 else 1)
        assert (f["in_tiles"] - 1) * 8 + f["last_rows"] == lanes
        assert (f["kernel_height"], f["fan_in"]) == (conv.kernel, conv.fan_in)
        assert f["out_tiles"] == -(-conv.cout // 4)
        assert f["in_bits"] == bits[conv.source]
        assert f["raw"] == f["pool"] == conv.classifier
        assert f["residual"] == (conv.residual is not None)
        if conv.residual is not None:
            assert f["res_bits"] == bits[conv.residual]
        if not conv.classifier:
            at, n = f["parameter_address"], ticket.norms[conv.norm]
            record = np.frombuffer(program.image[at : at + 8 * conv.cout], "<i2, <i2, <i4")
            assert (record["f0"] == n.multiplier).all() and (record["f1"] == n.residual).all()
            assert (record["f2"] == n.bias).all()
            assert (f["shift"], f["out_bits"]) == (n.shift, n.bits)
        tiles = f["out_tiles"]
        stream = encode_stream(ticket.masks[conv.tensor], None, Mode(),
                               None, *streams.codes(conv.tensor), CONFIG)  # fmt: skip
        assert f["mask_beats"] * 8 == len(stream) == 8 * streams.beats(conv.tensor, 0, tiles)
        assert program.image[f["mask_address"] :][: len(stream)] == stream
        assert f["mask_address"] % 64 == f["parameter_address"] % 64 == 0
    assert program.header["output_bytes"] == 20
    assert Program.parse(program.image) == program
    assert program.origins[2] == Origin(0) and program.origins[0] is None
    assert len(program.origins) == len(program.notes) == program.header["descriptors"]


def test_image_is_the_same_from_run_to_run():
    assert compile(make(), CONFIG).image == compile(make(), CONFIG).image


@pytest.mark.parametrize("depth", [16, 32, 64, 128])
def test_strips_fit_and_are_equal(depth):
    for conv, f in zip(ARCH.layers, convs(compile(make(), CONFIG.replace(psum_depth=depth))),
                       strict=True):  # fmt: skip
        out = conv.out_size
        if conv.classifier:
            assert (f["strips"], f["last_strip_rows"]) == (1, out)
            continue
        assert (f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"] == out
        assert f["strips"] == -(-out // (depth // out))
        assert 1 <= f["last_strip_rows"] <= f["strip_rows"] <= depth // out
        assert f["strip_rows"] == -(-out // f["strips"])


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_and_buffers(seed):
    """Any network that is not refused computes what its definition says."""
    rng = np.random.default_rng(seed)

    def power(low, high):
        return 1 << int(rng.integers(low, high + 1))

    while True:
        ticket = random_ticket(rng, modes=random_mode if rng.integers(2) else None, bipolar=True,
                               bottlenecks=True, imagenet=True, sizes=(4, 16))  # fmt: skip
        config = Config(
            rows=power(0, 4), columns=power(0, 4), axi_data_width=power(6, 7),
            activation_bytes=power(9, 12), mask_bytes=power(9, 13), psum_depth=power(4, 7),
            parameter_channels=power(6, 8), result_words=64, accumulator_bits=32,
        )  # fmt: skip
        batch = int(rng.integers(1, 4))
        try:
            compile(ticket, config, batch=batch)
            break
        except HfnError:
            continue
    runs(ticket, config, seed, batch, batch + 1)


def test_spilling_in_every_way():
    """Bands of everything, rows that are skipped, and chunks."""
    program = runs(make(DEEP, bits=(8, 8)), TIGHT, seed=2, batch=2, images=2)
    assert {code for code, _ in program.descriptors} == set(Opcode)
    skipping = [f for f in convs(program) if f["stride"] < f["stride_x"]]
    assert skipping and all(f["kernel_width"] == 1 for f in skipping)
    origins = [o for o in program.origins if o]
    assert len({(o.layer, o.pooled, o.row) for o in origins}) > len(DEEP.layers) + 1
    assert len({(o.layer, o.channel) for o in origins}) > len(DEEP.layers)
    assert {o.image for o in origins} == {0, 1}
    assert program.header["workspace_bytes"] > 0


def test_skipped_rows_in_strips():
    """The shortcut of stride 2 reads every second row of a spilled map, in several strips."""
    arch = Architecture.parse("32x1,24x1", classes=4, image_size=16)
    program = runs(make(arch, bits=(8, 8)), TIGHT, seed=5)
    skipping = [f for f in convs(program) if f["stride"] < f["stride_x"]]
    assert skipping and all(f["strips"] > 1 for f in skipping)


@pytest.mark.parametrize("width, rows, columns, mask_bytes", [(40, 16, 8, 4 * KIB),
                                                              (40, 32, 4, 8 * KIB)])  # fmt: skip
def test_chunks_of_whole_words(width, rows, columns, mask_bytes):
    """Chunks that are stored one by one consist of whole words, of several column tiles each."""
    arch = Architecture.parse(f"{width}x2b", classes=4, image_size=16)
    config = Config(rows=rows, columns=columns, activation_bytes=16 * KIB, mask_bytes=mask_bytes,
                    accumulator_bits=32)  # fmt: skip
    program = runs(make(arch, bits=(8, 8), modes=Mode(coats=7)), config, seed=6)
    channels = {o.channel for o in program.origins if o and o.layer == 2}
    assert len(channels) > 1 and all(c % rows == 0 for c in channels)


def test_a_pooled_map_in_bands():
    arch = Architecture.parse("64x1", classes=20, image_size=16)
    program = runs(make(arch, bits=(8, 8)), TIGHT, seed=4, images=2)
    raw = [f for f in convs(program) if f["raw"]]
    assert {(f["open"], f["close"]) for f in raw} == {(1, 0), (0, 0), (0, 1)}


@pytest.mark.parametrize("mode", [
    Mode(coats=3), Mode(signs=Signs.EXPLICIT), Mode(coats=2, signs=Signs.EXCEPTIONS),
    Mode(pruned=5, locked=3),
])  # fmt: skip
def test_modes_in_chunks(mode):
    arch = Architecture.parse("24x3f", classes=10, image_size=6)
    config = Config(rows=8, columns=8, mask_bytes=2 * KIB)
    program = runs(make(arch, modes=mode, bits=(4, 4)), config, seed=3, images=2)
    for f in convs(program):
        assert (f["coats"], f["pruned"], f["locked"]) == (mode.coats, mode.pruned, mode.locked)
        assert bool(f["pattern_state"]) == bool(mode.frozen)


def full_ticket(cin: int, size: int, seed: int = 3, coats: int = 1, bipolar=False) -> Ticket:
    """A stem with every weight present, so that its accumulator's bounds are known."""
    arch = Architecture.parse("4x1", classes=2, in_channels=cin, image_size=size)
    ticket = make(arch, seed, bits=(1, 1) if bipolar else (1, 8))
    masks = (np.full_like(ticket.masks[0], coats), *(np.zeros_like(m) for m in ticket.masks[1:]))
    modes = (Mode(coats=coats), *ticket.modes[1:])
    return Ticket(**vars(ticket) | {"masks": masks, "modes": modes})


@pytest.mark.parametrize("coats", [1, 5])
def test_accumulator_width_is_proved(coats):
    ticket = full_ticket(4, 4, coats=coats)
    w = ticket.weights(0).astype(int)
    high, low = w.clip(0).sum(1).max() * 255, w.clip(None, 0).sum(1).min() * 255
    need = next(n for n in range(1, 33) if -(2 ** (n - 1)) <= low and high < 2 ** (n - 1))
    assert accumulator_bits(ticket)[0] == need == (14 if coats == 1 else 16)
    assert compile(ticket, CONFIG.replace(accumulator_bits=need)).header["accumulator_bits"] == need
    with pytest.raises(HfnError, match=f"stem: bits of accumulator {need}, the limit is"):
        compile(ticket, CONFIG.replace(accumulator_bits=need - 1))


def test_accumulator_of_bipolar_activations():
    """Every weight counts, whatever its sign."""
    arch = Architecture.parse("4x1", classes=2, image_size=8)
    ticket = random_ticket(np.random.default_rng(1), arch, bits=(1, 1))
    norms = tuple(type(n)(**vars(n) | {"bipolar": True}) for n in ticket.norms)
    masks = tuple(np.ones_like(m) for m in ticket.masks)
    ticket = Ticket(**vars(ticket) | {"norms": norms, "masks": masks})
    assert accumulator_bits(ticket)[1] == 7  # 36 weights: -36 to 36
    assert accumulator_bits(ticket)[-1] == 10  # 4 weights, 64 pixels: -256 to 256


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
    logits, _ = reference(ticket, np.full((1, 8, 8, 3), 255, np.uint8))
    assert np.abs(logits).max() < 2 ** (need - 1)


def test_listing_names_every_layer_and_the_plan():
    program = compile(make(), CONFIG)
    text = listing(program)
    assert all(conv.name in text for conv in ARCH.layers)
    assert text.count("mask still on chip") == 2
    assert "program for a 8x4 array" in text and "all maps stay in the banks" in text
    moved = count_bytes(program, CONFIG)
    assert f"{moved['mask']} masks" in text and f"{moved['parameter']} parameters" in text
    assert "CONV" in listing(Program.parse(program.image))  # without notes
    text = listing(compile(make(DEEP, bits=(8, 8)), TIGHT, batch=2))
    for remark in ("spilled to memory: ", "mask fetched, passes", "channels 0-",
                   "image 1 rows ", "STORE stage1"):  # fmt: skip
        assert remark in text, remark


def test_command_writes_image_and_listing(tmp_path, capsys):
    make().save(tmp_path / "net.safetensors")
    command.main([str(tmp_path / "net.safetensors"), "--pe", "8x4", "--out", str(tmp_path / "o")])
    printed = capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["net-8x4.bin", "net-8x4.lst"]
    assert (tmp_path / "o/net-8x4.bin").read_bytes() == compile(make(), CONFIG).image
    assert (tmp_path / "o/net-8x4.lst").read_text() in printed


def test_command_compiles_a_network_by_name(tmp_path, capsys):
    command.main(["--network", "hfn-resnet18", "--dataset", "cifar10", "--random-ticket", "1",
                  "--pe", "32x32", "--batch", "2", "--out", str(tmp_path)])  # fmt: skip
    assert "2 images a run" in capsys.readouterr().out
    assert (tmp_path / "hfn-resnet18-cifar10-32x32.bin").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["net.safetensors", "--pe", "16"], "--pe must be RxC"),
        (["net.safetensors", "--pe", "0x16"], "rows must be a power of two"),
        (["net.safetensors", "--config", "none.toml"], "cannot read none.toml"),
        (["net.safetensors", "--config", "small.toml"], "mask bytes"),
        (["net.safetensors", "--batch", "0"], "batch must be from 1 to 65535, not 0"),
        ([], "either a ticket or --network"),
        (["net.safetensors", "--network", "hfn-resnet18"], "either a ticket or --network"),
    ],
)
def test_command_refuses_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    make().save("net.safetensors")
    (tmp_path / "small.toml").write_text("mask_bytes = 256\n")
    with pytest.raises(HfnError, match=re.escape(message)) as caught:
        command.main(["--out", "o", *arguments])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


def test_command_refuses_a_file_for_a_folder(tmp_path):
    make().save(tmp_path / "net.safetensors")
    with pytest.raises(HfnError, match="cannot make the folder"):
        command.main(
            [str(tmp_path / "net.safetensors"), "--out", str(tmp_path / "net.safetensors")]
        )


def test_uncoded_streams_hold_the_same_masks():
    config = CONFIG.replace(columns=8)
    ticket = make()
    coded, raw = compile(ticket, config), compile(ticket, config, coded=False)
    assert any(f["code"] for f in convs(coded)) and not any(f["code"] for f in convs(raw))
    pictures = random_images(np.random.default_rng(3), ARCH, 2)
    one, two = (execute(p, config, pictures) for p in (coded, raw))
    assert (one.logits == two.logits).all()
    assert one.bytes["mask"] < two.bytes["mask"]
