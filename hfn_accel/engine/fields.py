"""Fields of the descriptors that follow from a step's shape and from where its operands lie.

`job`: the row of JOB that is written; `m`: of IMAGE, LOAD and STORE the map, else the source.
"""

from .compiled import compiled
from .maps import beats

_WORDS = 1 << 24  # `src_base` is modulo this
_ROWS = 1 << 16  # `y_first` is two's complement of this


@compiled
def image(job, m, step, design, row_first, row_end, base, stride):
    """IMAGE of pixel rows to word `base`; `address`, of the image, becomes the first row's."""
    job.channels, job.taps = step.cin, step.kernel_width
    job.stride, job.pad = step.stride, step.image_pad
    job.address += row_first * m.memory_row
    job.width, job.rows, job.out_width = m.image_width, row_end - row_first, m.width
    job.granules = -(-m.channels // design.columns)
    job.base, job.group_stride = base, stride


@compiled
def transfer(job, m, design, row_first, row_end, group_first, group_end, base, stride):
    """LOAD or STORE between memory and word `base`; `address`, of the image's map, becomes that of
    the first row and group."""
    whole = beats(m, m.height)
    first = group_first * whole + row_first * m.memory_row // m.memory_beat
    job.address += first * design.bus_bytes
    job.bank_beat, job.bank_stride = base // m.beat_words, stride // m.beat_words
    job.groups, job.beats = group_end - group_first, beats(m, row_end - row_first)
    job.memory_stride = whole * design.bus_bytes


@compiled
def source(job, m, step, height, stride, y_first, view):
    """What CONV and POOL say of their source, of which `height` rows are in the bank, row 0 at
    `view`. stride: rows from output row to output row; y_first: row of the first tap."""
    job.stride = stride
    job.pad_x = 0 if m.image else step.pad
    job.y_first = y_first % _ROWS
    job.in_height, job.in_width = height, m.width
    job.row_stride, job.in_group_stride = m.row_words, view.stride
    job.src_base = (view.base + y_first * m.row_words - job.pad_x * m.bits) % _WORDS


@compiled
def pool(job, m, step, design, height):
    """What only a POOL of `height` output rows has."""
    job.bits, job.kernel, job.out_height, job.out_width = m.bits, step.kernel, height, step.width
    job.granules = -(-m.channels // design.columns)


@compiled
def conv(job, m, step, tensor, design, height):
    """A CONV's weights, tiles and strips; of `job`, `stride`, `first_tile` and `tiles` are there.
    A strip of one row must fit the partial sums."""
    columns, rows = design.columns, design.rows
    job.in_bits, job.bipolar = m.bits, step.bipolar
    job.kernel_height, job.kernel_width, job.stride_x = step.kernel, step.kernel_width, step.stride
    if m.image:  # the taps of a row are channels
        job.kernel_width = job.stride_x = 1
    job.in_tiles = -(-m.channels // rows)
    job.last_rows = m.channels - (job.in_tiles - 1) * rows
    job.out_tiles = job.tiles
    job.out_channels = min(job.tiles * columns, step.cout - job.first_tile * columns)
    job.first_part = job.first_tile % (design.group // columns)

    job.out_width = step.width
    strip_rows = height  # a classifier's pixels all add to one partial sum
    if not step.classifier:
        strip_rows = -(-height // -(-height // (design.psum_depth // step.width)))
    job.strips, job.strip_rows = -(-height // strip_rows), strip_rows
    job.last_strip_rows = height - (job.strips - 1) * strip_rows
    job.strip_stride = strip_rows * job.stride * m.row_words
    job.raw = job.pool = step.classifier

    job.fan_in = step.fan_in
    job.coats, job.signs = tensor.coats, tensor.signs
    job.pruned, job.locked = tensor.pruned, tensor.locked
    job.code, job.sign_code = tensor.code, tensor.sign_code
