"""From the writes seen at the trace ports back to what every CONV and POOL computed."""

import numpy as np

from hfn_accel.config import Config
from hfn_accel.program import Opcode, Program
from hfn_accel.shape import Window, output_addresses, output_channels


def split_runs(events: np.ndarray, program: Program, config: Config) -> list[np.ndarray]:
    """Records of several runs, one after the other: each has as many as the program writes."""
    descriptors = program.descriptors
    run = sum(output_addresses(*descriptors[i], config).size for i in output_channels(program))
    return np.split(events, range(run, len(events), run)) if len(events) else []


def activations(events: np.ndarray, program: Program, config: Config) -> list[np.ndarray]:
    """What every CONV that writes a bank and every POOL computed, uint8 (channels, height, width),
    in order; of one run.

    `events`: records of sim.harness.TRACE. Raises AssertionError if a descriptor did not write
    every word of its output exactly once, wrote another bank, or something else wrote.
    """
    channels, descriptors = output_channels(program), program.descriptors
    events = events[np.argsort(events["layer"], kind="stable")]
    found, starts = np.unique(events["layer"], return_index=True)
    strange = set(found.tolist()) - set(channels)
    assert not strange, f"descriptors {strange} wrote activations"
    parts = dict(zip(found.tolist(), np.split(events, starts[1:]), strict=False))
    return [
        _output(parts.get(i, events[:0]), i, *descriptors[i], config)[: channels[i]]
        for i in channels
    ]


def _output(events, index: int, opcode: Opcode, fields, config: Config) -> np.ndarray:
    places = output_addresses(opcode, fields, config)
    order, place = np.argsort(events["addr"], kind="stable"), np.argsort(places, axis=None)
    written, wanted = events["addr"][order], places.ravel()[place]
    assert (events["bank"] == fields["dst_bank"]).all(), f"descriptor {index} wrote another bank"
    assert written.shape == wanted.shape and (written == wanted).all(), (
        f"descriptor {index} did not write every word of its output exactly once"
    )
    words = np.zeros(places.size, np.uint64)
    words[place] = events["data"][order]
    words = words.reshape(places.shape)
    lanes = np.arange(config.columns, dtype=np.uint64)
    planes = (words[..., None] >> lanes & np.uint64(1)).astype(np.uint8)
    values = np.zeros((*places.shape[:2], config.columns), np.uint8)
    for plane in range(places.shape[2]):
        values = values << 1 | planes[:, :, plane]
    window = Window.of(opcode, fields)
    values = values.transpose(0, 2, 1)
    return values.reshape(-1, window.out_height, window.out_width)
