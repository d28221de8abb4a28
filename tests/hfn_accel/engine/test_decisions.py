"""What is decided about steps fits where it is, and moves as many bytes as it says."""

from itertools import groupby

from hfn_accel.config import Config
from hfn_accel.engine import maps, tiling
from hfn_accel.network import Architecture
from tests.hfn_accel.engine.cases import decide, fitting, lowered


def chunks_of(p, chunks) -> list[tuple[int, int, int]]:
    return chunks[p.first_chunk : p.first_chunk + p.chunks].tolist()


def bands_of(step, p) -> list[tuple[int, int]]:
    return [(y, min(y + p.height, step.rows)) for y in range(0, step.rows, p.height)]


def source_rows(step, m, first: int, end: int) -> int:
    """Rows of a spilled source that lie in a bank for output rows first...end - 1."""
    if step.kernel == 1 and step.stride == 2 and m.grain == 1:
        return end - first  # only those that are read
    low = max(0, first * step.stride - step.pad) // m.grain * m.grain
    reach = max(step.kernel, step.stride)  # with the rows between two windows
    return min(m.height, (end - 1) * step.stride - step.pad + reach) - low


def rounds_of(step, p, chunks, m_out, design):
    """(image, rows first, end, chunks, channel groups that residual and output have in a bank)."""
    parts = design.group // design.columns
    items = [(i, *rows) for i in range(design.batch) for rows in bands_of(step, p)]
    cut = chunks_of(p, chunks)
    if p.chunk_outer:
        return [(*item, [c], -(-(c[0] + c[1]) // parts) - c[0] // parts)
                for c in cut for item in items]  # fmt: skip
    return [(*item, cut, m_out.groups if m_out is not None else 0) for item in items]


def shape(step, derived):
    return [derived[n] if n >= 0 else None for n in (step.source, step.residual, step.output)]


def flags(p):
    return p.spilled_source, p.spilled_residual, p.spilled_output


def test_everything_fits_its_place():
    spilling = 0
    for network, derived, design, placed, chunks, _ in fitting(seed=1, number=60):
        spilling += bool(placed.spilled_output.any())
        for step, p in zip(network.steps, placed, strict=True):
            source, residual, output = shape(step, derived)
            for m, out in zip((source, residual, output), flags(p), strict=True):
                whole = m is not None and maps.words(m, design.batch)
                assert out == int(m is not None and (m.image or whole > design.bank_words))
            for _, first, end, _, groups in rounds_of(step, p, chunks, output, design):
                if p.spilled_source:
                    rows = source_rows(step, source, first, end)
                    words = source.groups * maps.stride(source, rows)
                    assert words <= design.bank_words // p.source_slots
                for m, out in ((residual, p.spilled_residual), (output, p.spilled_output)):
                    if out:
                        words = groups * maps.stride(m, end - first)
                        assert words <= design.bank_words // p.other_slots
                        assert first * m.memory_row % m.memory_beat == 0
        for _, run in groupby(range(len(placed)), lambda i: network.steps[i].run):  # noqa: B023
            check_masks(network, design, placed, chunks, list(run))
    assert spilling > 15


def check_masks(network, design, placed, chunks, run):
    """Chunks of a run's steps: whole, in order, and of a size that fits."""
    kept = {}
    for i in run:
        step, p = network.steps[i], placed[i]
        tiles, cut, at = -(-step.cout // design.columns), chunks_of(p, chunks), 0
        words = 0 if step.pooled else tiling.tile_words(network, design, step.tensor)
        for first, count, stays in cut:
            assert first == at and count > 0 and stays == (first < p.resident)
            assert first * design.columns % min(8, tiles * design.columns) == 0
            at += count
            if not stays:
                assert words * count <= p.area
            if step.classifier:
                assert count * design.columns <= design.result_words
                assert count <= design.psum_depth
            elif not step.pooled:
                assert count * design.columns <= design.parameter_channels
        assert at == tiles
        stay = [c for c in cut if c[2]], p.resident * words, p.area
        assert kept.setdefault(step.tensor, stay) == stay  # other steps find them where they are
    assert sum(size for _, size, _ in kept.values()) + placed[run[0]].area <= design.mask_words


def test_bytes_are_those_of_the_transfers():
    spilling = sharing = 0
    for network, derived, design, placed, chunks, moved in fitting(seed=2, number=60):
        spilling += bool(placed.spilled_output.any())
        sharing += bool(placed.resident.any()) and len(set(network.steps.run)) < len(placed)
        assert transferred(network, derived, design, placed, chunks) == moved
    assert spilling > 15 and sharing > 15


def test_a_source_of_which_all_bands_stay_comes_once():
    """The stem's two images, a slot each, pass all chunks."""
    arch = Architecture.parse("imagenet:34x1f", classes=9, image_size=9, in_channels=4)
    config = Config(rows=32, columns=4, activation_bytes=8192, mask_bytes=1024, psum_depth=32,
                    parameter_channels=128)  # fmt: skip
    case = lowered(arch, [2, 5, 7], config, batch=2)
    placed, chunks, moved, _ = decide(*case)
    stem = placed[0]
    assert stem.chunk_outer and stem.chunks > 1 and stem.source_slots == 2
    assert transferred(*case, placed, chunks) == moved


def transferred(network, derived, design, placed, chunks) -> int:
    """Bytes of all rounds of all steps, with bands held as the banks' slots hold them."""
    beats, stayed = 0, set()
    for step, p in zip(network.steps, placed, strict=True):
        source, residual, output = shape(step, derived)
        held, tensor = [None] * p.source_slots, (step.run, step.tensor)
        turn, tiles = 0, {}
        for image, first, end, cut, groups in rounds_of(step, p, chunks, output, design):
            if p.spilled_source and (image, first) not in held:
                rows = source_rows(step, source, first, end)
                beats += source.memory_groups * maps.beats(source, rows)
                held[turn] = image, first
                turn = (turn + 1) % p.source_slots
            for m, out in ((residual, p.spilled_residual), (output, p.spilled_output)):
                beats += groups * maps.beats(m, end - first) if out else 0
            for chunk in cut if not step.pooled else ():
                tiles[chunk] = tiles.get(chunk, 0) + 1
        for (first, count, stays), times in tiles.items():
            if not (stays and (*tensor, first) in stayed):
                fetched = tiling.mask_beats(network, design, step.tensor, first, count)
                beats += fetched * (1 if stays or p.chunk_outer else times)
            stayed |= {(*tensor, first)} if stays else set()
            channels = min(count * design.columns, step.cout - first * design.columns)
            all_fit = step.cout <= design.parameter_channels or p.chunk_outer
            if not step.classifier:
                beats += -(-8 * channels // design.bus_bytes) * (1 if all_fit else times)
    return beats * design.bus_bytes
