"""What nextpnr reports."""

import json

import pytest

from sim.synthesis import place

# Recorded from nextpnr 0.11.1 with the 4x4 array, fields that nobody reads left out.
FIRST, LAST = "control.executor.word$30", "control.fetcher.$signal$28"


def step(kind: str, start: str, end: str) -> dict:
    return {"type": kind, "from": {"cell": start}, "to": {"cell": end}}


REPORT = {
    "critical_paths": [
        {"from": "posedge clk", "to": "posedge clk", "path": [
            step("clk-to-q", f"{FIRST}_TRELLIS_FF_Q_144", f"{FIRST}_TRELLIS_FF_Q_144"),
            step("routing", f"{FIRST}_TRELLIS_FF_Q_144", "control.fetcher.$92_LUT4_Z"),
            step("logic", "control.fetcher.$92_LUT4_Z", "control.fetcher.$92_LUT4_Z"),
            step("setup", f"{LAST}_TRELLIS_FF_Q", f"{LAST}_TRELLIS_FF_Q"),
        ]},
    ],
    "fmax": {"clk": {"achieved": 44.501800537109375, "constraint": 100}},
}  # fmt: skip


def test_timing():
    found = {"mhz": 44.5, "from": FIRST, "to": LAST, "cells": 1}
    assert place.timing(REPORT) == found
    pads = {"from": "async", "to": "posedge clk", "path": []}
    paths = [pads, *REPORT["critical_paths"], {**pads, "from": "posedge clk", "to": "async"}]
    assert place.timing(REPORT | {"critical_paths": paths}) == found


@pytest.mark.parametrize("reason", [None, "ERROR: no DP16KD left"])
def test_what_does_not_fit_has_no_clock(monkeypatch, tmp_path, reason):
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    monkeypatch.setattr(place, "run", lambda *arguments: reason)
    assert place.place(tmp_path) == ({"failed": reason} if reason else place.timing(REPORT))
