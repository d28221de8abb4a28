"""Places that descriptors use one after the other: in buffers, in banks and in the workspace."""

from .steps import Map

_REGION = 64  # bytes that a map in the workspace is a multiple of


class Ring:
    """A buffer from `low` to `high` whose places are taken in turn, in multiples of `unit`, so that
    what is fetched next seldom waits for what is in use."""

    def __init__(self, low: int, high: int, unit: int = 1):
        self.low, self.high, self.unit, self.at = low, high, unit, low

    def take(self, size: int) -> int:
        size = -(-size // self.unit) * self.unit
        if self.at + size > self.high:
            self.at = self.low
        assert self.at + size <= self.high
        self.at += size
        return self.at - size


class Home:
    """A bank that holds a map of every image from birth to death, one behind the other."""

    def __init__(self, m: Map, bank: int):
        self.map, self.bank = m, bank

    def view(self, image: int, group: int, row: int) -> tuple[int, int]:
        """(word of a row of a group, words from group to group)."""
        stride = self.map.stride(self.map.height)
        return (image * self.map.groups + group) * stride + row * self.map.row_words, stride

    def span(self, image: int) -> tuple[int, int]:
        """Words (first, end) of an image's map."""
        return self.view(image, 0, 0)[0], self.view(image + 1, 0, 0)[0]


class Slots:
    """A bank through which bands of a spilled map pass, each in the next of equal slots.

    A band is a tuple (image, first row, end row, first group, end group), in rows of the bank.
    """

    def __init__(self, m: Map, bank: int, count: int, bank_words: int):
        self.map, self.bank, self.size = m, bank, bank_words // count
        self.held, self.turn = [None] * count, 0

    def take(self, band: tuple[int, int, int, int, int]) -> bool:
        """Give the band a slot; False if it is in one still."""
        if band in self.held:
            return False
        self.held[self.turn] = band
        self.turn = (self.turn + 1) % len(self.held)
        return True

    def view(self, band, group: int) -> tuple[int, int]:
        """(word of a group's first row in the band, words from group to group)."""
        _, row, end, first, _ = band
        stride = self.map.stride(end - row)
        return self.held.index(band) * self.size + (group - first) * stride, stride

    def span(self, band) -> tuple[int, int]:
        """Words (first, end) of the band."""
        return self.view(band, band[3])[0], self.view(band, band[4])[0]


class Workspace:
    """Bytes for spilled maps while they live."""

    def __init__(self):
        self.used, self.size = {}, 0  # map number -> (address, end)

    def take(self, number: int, size: int) -> int:
        """The first gap that is large enough; its address."""
        address = 0
        for start, end in sorted(self.used.values()):
            if address + size <= start:
                break
            address = max(address, end)
        end = address + -(-size // _REGION) * _REGION
        self.used[number] = (address, end)
        self.size = max(self.size, end)
        return address

    def free(self, number: int):
        self.used.pop(number, None)
