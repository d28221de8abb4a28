"""The pictures of docs/results.md: name -> a function that draws it."""

import numpy as np

from .. import evaluate, plots
from ..config import Config
from ..design_report import report as design_report
from ..energy_plots import regenerate_or_store
from ..exploration import sweep
from ..exploration.runner import points, task
from ..networks import named
from ..random_ticket import random_ticket
from ..workload import Workload, resolve
from .contents import KIB, TICKET


def _resnet50() -> dict:
    ticket = random_ticket(named("hfn-resnet50", "cifar100"), 1)
    return design_report(Workload.of_ticket(ticket, "hfn-resnet50 for cifar100"), Config())


def buffer():
    """Traffic against the mask buffer, folded and not, and where folded masks fit."""
    sizes = np.array([KIB << n for n in range(4, 12)])
    designs = {"mask_buffer_bytes": sizes, "activation_bank_bytes": np.full(len(sizes), 1 << 20),
               "parameter_channels": np.full(len(sizes), 2048)}  # fmt: skip
    tables, masks = [], {}
    for folding, text in (("own", "stages 3 and 4 folded"), ("none", "not folded")):
        workload = resolve({"network": "hfn-resnet50", "folding": folding})
        name = np.full(len(sizes), f"HFN-ResNet-50, {text}")
        tables.append(designs | {"network": name} | evaluate.figures(workload, designs))
        if folding == "own":
            roomy = Config(mask_bytes=1 << 22, activation_bytes=1 << 20, parameter_channels=2048)
            masks[name[0]] = plots.folded_masks(design_report(workload, roomy))
    table = {c: np.concatenate([t[c] for t in tables]) for c in tables[0]}
    return plots.buffer_plot(table, masks=masks)


def pareto():
    """The shipped ticket's own sweep, cycles against area."""
    found = sweep.read("shipped-ticket")
    tables = [points(task(found.space, n)) for n in range(len(found.space.chunks))]
    table = {c: np.concatenate([t[c] for t in tables]) for c in tables[0]}
    return plots.pareto_plot(table, "area_lut4", "cycles", "activation_bits")


PICTURES = {
    "hfn-resnet50-cycles": lambda: plots.cycles_plot(_resnet50()),
    "hfn-resnet50-bytes": lambda: plots.bytes_plot(_resnet50()),
    "hfn-resnet50-roofline": lambda: plots.roofline_of_report(_resnet50()),
    "traffic": lambda: plots.traffic_plot(design_report(resolve({"ticket": TICKET}), Config())),
    "buffer": buffer,
    "pareto": pareto,
    "regenerate-or-store": lambda: regenerate_or_store(Config()),
}  # fmt: skip
