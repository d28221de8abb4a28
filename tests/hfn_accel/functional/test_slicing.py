import numpy as np
import pytest

from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import execute, state_before
from hfn_accel.functional.slicing import slice_program
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode, Origin, Program, Signs
from hfn_accel.shape import output_channels
from tests.hfn_accel.descriptors import Builder, random_conv
from tests.tickets import random_images, random_mode, random_ticket

CONFIG = Config(rows=4, columns=8, activation_bytes=8192, mask_bytes=1 << 16, axi_data_width=128)
IMAGES = np.zeros((3, 1, 1, 1), np.uint8)


def chain(seed: int, mode: Mode):
    """LOADs 1-3; a CONV 4, a STORE 5, CONV 6 with the mask and parameters of 4, a LOAD 7 of what
    was stored, CONV 8 like 6, CONV 9 that fetches, two pooled CONVs 10 and 11; (program,
    workspace)."""
    rng = np.random.default_rng(seed)
    shape = {"kernel_height": 3, "kernel_width": 3, "stride": 1, "stride_x": 1, "cin": 7,
             "cout": 13, "in_bits": 4, "out_bits": 4, "height": 6, "width": 6}  # fmt: skip
    case = random_conv(rng, CONFIG, mode=mode, **shape)
    other = random_conv(rng, CONFIG, mode=mode, **shape)
    other.fields |= {"mask_base": case.fields["mask_base"] + 200, "parameter_base": 256}
    pooled = random_conv(rng, CONFIG, mode=mode, raw=True, **shape)
    pooled.fields["mask_base"] = 900
    f, builder, size = case.fields, Builder(CONFIG), CONFIG.activation_bytes
    for bank in range(3):
        builder.add(Opcode.LOAD, bank=bank, address=bank * size, groups=1, beats=size // 16)
    case.add_to(builder)
    builder.add(Opcode.STORE, wait_executed=1, bank=f["dst_bank"], address=3 * size, groups=1,
                beats=size // 16)  # fmt: skip
    builder.add(Opcode.CONV, **f | {"hold_stored": 1, "src_bank": f["dst_bank"],
                                    "dst_bank": f["src_bank"]})  # fmt: skip
    builder.add(Opcode.LOAD, wait_executed=2, wait_stored=1, bank=f["dst_bank"],
                address=3 * size + 1024, groups=1, beats=16, bank_beat=1)  # fmt: skip
    builder.add(Opcode.CONV, **f | {"wait_executed": 2})
    other.add_to(builder, wait_executed=3, src_bank=f["dst_bank"], dst_bank=f["src_bank"],
                 res_bank=f["res_bank"])  # fmt: skip
    pooled.add_to(builder, src_bank=f["src_bank"], close=0, wait_executed=4)
    builder.add(Opcode.CONV, **pooled.fields | {"src_bank": f["src_bank"], "open": 0})
    program = builder.program(workspace_bytes=4 * size, classes=13)
    workspace = np.packbits(case.banks, bitorder="little")
    conv = Origin(layer=0)
    origins = (None,) * 4 + (conv, None, conv, None, conv, conv, None, None, None)
    return Program(program.image, tuple("abcdefghijklm"), origins), workspace


MODES = [Mode(), Mode(coats=3, signs=Signs.EXCEPTIONS), Mode(pruned=4, locked=3)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_a_slice_computes_what_the_whole_program_does_there(seed, mode):
    program, workspace = chain(seed, mode)
    whole = execute(program, CONFIG, IMAGES, workspace=workspace)
    convs = [4, 6, 8, 9]
    for first in range(4, 11):
        state = state_before(program, CONFIG, IMAGES, first, workspace)
        for last in range(first, 12):
            part, memory = slice_program(program, CONFIG, first, last, state, run=1)
            assert Program.parse(part.image).image == part.image
            result = execute(part, CONFIG, IMAGES[:1], workspace=memory)
            want = [a for i, a in zip(convs, whole.activations, strict=True) if first <= i <= last]
            for got, whole_map in zip(result.activations, want, strict=True):
                assert (got == whole_map).all() and got.any()
            if last == 11:
                assert (result.logits == whole.logits[:1]).all()
            assert part.notes[4:-1] == program.notes[first : last + 1]
            assert part.origins[4:-1] == program.origins[first : last + 1]


def test_tokens_are_rebased():
    program, workspace = chain(0, Mode())
    state = state_before(program, CONFIG, IMAGES, 5, workspace)
    part, _ = slice_program(program, CONFIG, 5, 10, state)
    names = "wait_executed", "wait_stored", "hold_stored"
    seen = [tuple(f[n] for n in names) for _, f in part.descriptors[4:-1]]
    # CONV 6 fetches again; CONV 8 then finds its mask; the others keep what they waited for
    assert seen == [(0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)]
    fetches = [f["fetch_mask"] for opcode, f in part.descriptors if opcode == Opcode.CONV]
    assert fetches == [1, 0, 1, 1]
    state = state_before(program, CONFIG, IMAGES, 8, workspace)
    part, _ = slice_program(program, CONFIG, 8, 9, state)
    assert [f["fetch_mask"] for _, f in part.descriptors[4:-1]] == [1, 1]


def test_a_mask_fetched_in_part_before_and_in_part_within():
    rng = np.random.default_rng(7)
    case = random_conv(rng, CONFIG, coded=False, cin=7, cout=13, width=6, res_bits=0)
    f, size = case.fields, CONFIG.activation_bytes
    tile = f["mask_beats"] // 2
    builder = Builder(CONFIG)
    builder.add(Opcode.LOAD, bank=f["src_bank"], address=f["src_bank"] * size, groups=1,
                beats=size // 16)  # fmt: skip
    case.add_to(builder)
    builder.add(Opcode.CONV, **f | {
        "out_channels": 5, "out_tiles": 1, "mask_base": f["mask_base"] + tile,
        "mask_beats": tile, "fetch_mask": 1, "mask_address": builder.region(rng.bytes(tile * 16)),
    })  # fmt: skip
    builder.add(Opcode.CONV, **f)
    program = builder.program(workspace_bytes=3 * size)
    workspace = np.packbits(case.banks, bitorder="little")
    first, _, last = execute(program, CONFIG, IMAGES, workspace=workspace).activations
    state = state_before(program, CONFIG, IMAGES, 3, workspace)
    part, memory = slice_program(program, CONFIG, 3, 4, state)
    got = execute(part, CONFIG, IMAGES, workspace=memory).activations[-1]
    assert (got == last).all() and (got != first).any()


def test_refuses_what_cannot_begin_or_end():
    program, workspace = chain(0, Mode())
    state = state_before(program, CONFIG, IMAGES, 11, workspace)
    with pytest.raises(HfnError, match="descriptor 11 finds a pooled sum"):
        slice_program(program, CONFIG, 11, 11, state)
    for first, last in ((0, 4), (5, 4), (5, 12)):
        with pytest.raises(HfnError, match="a slice must be within descriptors 1 to 11, not"):
            slice_program(program, CONFIG, first, last, state)


@pytest.mark.parametrize("seed", range(4))
def test_slices_of_a_compiled_network_that_spills(seed):
    rng = np.random.default_rng(seed)
    arch = Architecture.parse("8x1b,12x3f", classes=5, image_size=12)
    ticket = random_ticket(rng, arch, modes=random_mode, bits=(8, 8))
    config = Config(rows=8, columns=4, activation_bytes=2048, mask_bytes=16384, psum_depth=32)
    images = random_images(rng, arch, 4)
    program = compile(ticket, config, batch=2)
    whole = execute(program, config, images)
    wrote = list(output_channels(program))
    assert program.header["workspace_bytes"]
    for first in rng.choice(wrote, 6):
        last = min(int(first) + 12, len(program.descriptors) - 2)
        state = state_before(program, config, images, first)
        part, memory = slice_program(program, config, int(first), last, state, run=1)
        got = execute(part, config, images[2:], workspace=memory).activations
        want = [a for i, a in zip(wrote, whole.activations, strict=True) if first <= i <= last]
        assert len(got) == len(want) > 1
        assert all((g == w[1:]).all() for g, w in zip(got, want, strict=True))
