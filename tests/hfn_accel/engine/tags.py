"""A machine whose words say what they are, which finds out whether every CONV and POOL reads what
it should: an independent statement of what descriptors do to banks, buffers and memory.

Works from the network's given columns, the descriptors' fields and docs/architecture.md alone. What
step, image, rows and channels a descriptor is for, and which map it moves, it says itself.
"""

import numpy as np

from hfn_accel.engine.records import Design, Network
from hfn_accel.images import image_stride
from hfn_accel.program import Opcode


class TagMachine:
    """`run` executes jobs in order and asserts; memory and banks are words of G/C parts."""

    def __init__(self, network: Network, design: Design):
        self.n, self.d = network, design
        self.parts = design.group // design.columns
        self.beat = design.bus_bits // design.group  # words of a beat
        self.masks, self.streams = np.full(design.mask_words, -1), {}
        self.parameters = np.full(design.parameter_channels, -1)
        self.banks = np.full((3, design.bank_words, self.parts), -1)
        self.raw = []  # (image, first channel, pixels, open, close) of CONVs with logits

    def tags(self, number: int, image: int, tiles, rows) -> np.ndarray:
        """int64 (tiles, words): the names of a map's words, row after row; ends are exclusive."""
        m = self.n.maps[number]
        words = m.width * m.bits
        tile = np.arange(*tiles)[:, None, None]
        row, word = np.arange(*rows)[:, None], np.arange(words)
        name = ((number * self.d.batch + image) << 10 | tile) << 12 | row
        return (name * words + word << 1).reshape(len(tile), -1)

    def places(self, base: int, stride: int, tiles: int, words: int, part: int = 0):
        """Index of a bank: `words` words of so many column tiles, the first in `part`."""
        group, part = np.divmod(part + np.arange(tiles)[:, None], self.parts)
        return base + group * stride + np.arange(words), part

    def tiles(self, channels: int) -> int:
        return -(-channels // self.d.columns)

    def start(self, jobs):
        """Memory before a run: what comes from outside is there."""
        self.memory = np.full((jobs[0].workspace_bytes // self.d.bus_bytes * self.beat,
                               self.parts), -1)  # fmt: skip
        produced = set(self.n.steps.output.tolist())
        loads = jobs[(jobs.opcode == Opcode.LOAD)]
        for number in set(loads.map.tolist()) - produced:
            for image, place in enumerate(self.images(number, loads)):
                self.memory[place] = self.tags_of(number, image)

    def tags_of(self, number: int, image: int) -> np.ndarray:
        m = self.n.maps[number]
        return self.tags(number, image, (0, self.tiles(m.channels)), (0, m.height))

    def images(self, number: int, transfers):
        """Index of memory of a map of every image: the first transfer is of the first's begin."""
        m = self.n.maps[number]
        words = m.height * m.width * m.bits
        stride = -(-words // self.beat) * self.beat
        base = transfers[transfers.map == number].address.min() // self.d.bus_bytes * self.beat
        for image in range(self.d.batch):
            first = base + image * -(-m.channels // self.d.group) * stride
            yield self.places(first, stride, self.tiles(m.channels), words)

    def run(self, jobs):
        self.start(jobs)
        for job in jobs[1:-1]:
            getattr(self, Opcode(job.opcode).name)(job)
        stores = jobs[jobs.opcode == Opcode.STORE]
        for number in np.flatnonzero(self.n.maps.outside).tolist():
            if number in self.n.steps.output:
                for image, place in enumerate(self.images(number, stores)):
                    assert np.array_equal(self.memory[place], self.tags_of(number, image))

    def IMAGE(self, job):
        m, step = self.n.maps[job.map], self.n.steps[job.step]
        assert (job.channels * job.taps, job.out_width, job.width) == (
            m.channels, m.width, m.image_width)  # fmt: skip
        assert (job.stride, job.pad) == (step.stride, step.image_pad)
        assert job.address % self.d.bus_bytes == 0 and job.granules == self.tiles(m.channels)
        inside = job.address - job.image * image_stride(m.height * m.image_width)
        row, rest = divmod(inside, 4 * m.image_width)
        assert rest == 0 and row + job.rows <= m.height
        place = self.places(job["base"], job.group_stride, job.granules,
                            job.rows * m.width * m.bits)  # fmt: skip
        rows, tiles = (row, row + job.rows), (0, job.granules)
        self.banks[job.bank][place] = self.tags(job.map, job.image, tiles, rows)

    def transfer(self, job):
        """Words of memory and of the bank that a LOAD or STORE is about."""
        assert job.address % self.d.bus_bytes == job.memory_stride % self.d.bus_bytes == 0
        group, word = np.arange(job.groups)[:, None], np.arange(job.beats * self.beat)
        address = (job.address + group * job.memory_stride) // self.d.bus_bytes
        inside = job.bank_beat + group * job.bank_stride
        return address * self.beat + word, inside * self.beat + word

    def LOAD(self, job):
        memory, inside = self.transfer(job)
        self.banks[job.bank][inside] = self.memory[memory]

    def STORE(self, job):
        memory, inside = self.transfer(job)
        self.memory[memory] = self.banks[job.bank][inside]

    def POOL(self, job):
        m, step = self.n.maps[self.n.steps[job.step].source], self.n.steps[job.step]
        assert job.granules == self.tiles(m.channels) and job.bits == m.bits
        assert (job.kernel, job.out_width) == (step.kernel, step.width)
        assert job.out_height == job.row_end - job.row_first
        self.read_source(job, step)
        self.write(job, step, 0, job.granules)

    def CONV(self, job):
        step = self.n.steps[job.step]
        m = self.n.maps[step.source]
        taps = 1 if m.image else step.kernel_width
        assert (job.kernel_height, job.kernel_width) == (step.kernel, taps)
        assert job.stride_x == (1 if m.image else step.stride) and job.out_width == step.width
        assert (job.in_tiles - 1) * self.d.rows + job.last_rows == m.channels
        assert 0 < job.last_rows <= self.d.rows and job.in_bits == m.bits
        assert job.fan_in == step.fan_in
        rows = (job.strips - 1) * job.strip_rows + job.last_strip_rows
        assert rows == job.row_end - job.row_first and 0 < job.last_strip_rows <= job.strip_rows
        assert job.strip_stride == job.strip_rows * job.stride * job.row_stride
        first = job.first_tile * self.d.columns
        assert job.out_channels == min(job.tiles * self.d.columns, step.cout - first)
        assert job.first_part == job.first_tile % self.parts and job.out_tiles == job.tiles
        self.read_source(job, step)
        self.fetch_masks(job, step)
        if step.classifier:
            self.raw.append((job.image, first, rows * step.width, job.open, job.close))
            return
        assert job.strip_rows * job.out_width <= self.d.psum_depth
        self.fetch_parameters(job)
        if step.residual >= 0:
            assert job.residual and job.res_bits == self.n.maps[step.residual].bits
            tags = self.tags(step.residual, job.image, (job.first_tile, job.first_tile + job.tiles),
                             (job.row_first, job.row_end))  # fmt: skip
            place = self.places(job.res_base, job.res_group_stride, *tags.shape, job.first_part)
            assert np.array_equal(self.banks[job.res_bank][place], tags)
        assert job.out_bits == self.n.maps[step.output].bits
        self.write(job, step, job.first_tile, job.tiles)

    def read_source(self, job, step):
        """Every row of every tap is where the descriptor says, or outside of the map."""
        m = self.n.maps[step.source]
        words, tiles, y_first = m.width * m.bits, self.tiles(m.channels), job.y_first
        y_first -= y_first >> 15 << 16
        assert (job.in_width, job.row_stride) == (m.width, words)
        assert job.pad_x == (0 if m.image else step.pad)
        for y in range(job.row_end - job.row_first):
            for ky in range(step.kernel):
                row = (job.row_first + y) * step.stride - step.pad + ky
                below = y * job.stride + ky
                assert (0 <= y_first + below < job.in_height) == (0 <= row < m.height)
                if 0 <= row < m.height:
                    base = (job.src_base + job.pad_x * m.bits + below * words) % (1 << 24)
                    place = self.places(base, job.in_group_stride, tiles, words)
                    tags = self.tags(step.source, job.image, (0, tiles), (row, row + 1))
                    assert np.array_equal(self.banks[job.src_bank][place], tags)

    def write(self, job, step, first_tile: int, tiles: int):
        tags = self.tags(step.output, job.image, (first_tile, first_tile + tiles),
                         (job.row_first, job.row_end))  # fmt: skip
        place = self.places(job.dst_base, job.out_group_stride, *tags.shape, job.first_part)
        self.banks[job.dst_bank][place] = tags

    def fetch_masks(self, job, step):
        tensor = self.n.tensors[step.tensor]
        beats = -(-tensor.fan_in * self.d.columns // self.d.bus_bits)
        assert job.plane_beats == job.tiles * beats
        first = job.first_tile * beats
        tags = (step.tensor << 4 | np.arange(tensor.planes)[:, None]) << 32 | (
            first + np.arange(job.plane_beats))  # fmt: skip
        place = slice(job.mask_base, job.mask_base + tags.size)
        if job.fetch_mask:
            self.masks[place] = tags.ravel()
        assert np.array_equal(self.masks[place], tags.ravel())
        bits = np.diff(self.n.ends[tensor.first_end + job.first_tile :][[0, job.tiles]])
        assert job.mask_beats == max(1, -(-bits // self.d.bus_bits))
        stream = step.tensor, job.first_tile, job.tiles
        assert self.streams.setdefault(job.mask_address, stream) == stream

    def fetch_parameters(self, job):
        first = job.first_tile * self.d.columns
        tags = job.step << 20 | first + np.arange(job.out_channels)
        place = slice(job.parameter_base, job.parameter_base + job.out_channels)
        if job.fetch_parameters:
            self.parameters[place] = tags
        assert np.array_equal(self.parameters[place], tags)
