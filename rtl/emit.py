"""Verilog of a component, without a line for every word of its memories."""

import os
import re

# A Yosys of the system may be old: the bundled one gives the same text everywhere.
os.environ["AMARANTH_USE_YOSYS"] = "builtin"

from amaranth.back import rtlil
from amaranth.back.verilog import _convert_rtlil_text  # there is no public step after RTLIL

_INITIAL_ZEROS = re.compile(
    r"^  cell \$meminit_v2 [^\n]*\n(?:(?!^  end$)[^\n]*\n)*?    connect \\DATA \d+'0+\n"
    r"(?:(?!^  end$)[^\n]*\n)*?  end\n",
    re.MULTILINE,
)

_TRIGGER = re.compile(r"^  reg (\\\$auto\$\S+ ) = 0;$", re.MULTILINE)


def verilog(component, name: str) -> str:
    """Verilog text with top module `name`; the same text from run to run.

    Yosys triggers every `always @*` at time zero by a register with an initial value; to
    SystemVerilog that is no event, so it is assigned instead, once everything waits for it.

    Memories that start as zeros are left uninitialised, as block RAM is in silicon: nothing in the
    design reads a word that it has not written, or it masks what it read.
    """
    text = rtlil.convert(component, name=name, emit_src=False)
    text = _convert_rtlil_text(_INITIAL_ZEROS.sub("", text))
    return _TRIGGER.sub(r"  reg \1;\n  initial \1<= 0;", text)
