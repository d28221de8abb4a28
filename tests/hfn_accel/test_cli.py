import subprocess
import sys

import pytest

from hfn_accel import cli
from hfn_accel.errors import HfnError


def test_an_error_is_one_line(capsys):
    def main():
        raise HfnError("two\n  lines")

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == 2 and capsys.readouterr().err == "error: two lines\n"
    with pytest.raises(SystemExit):
        cli.parser("x", "").error("two\nlines")
    assert capsys.readouterr().err == "hfn_accel.x: error: two lines\n"


@pytest.mark.parametrize("target, code, message", [
    ("/dev/full", 2, "error: No space left on device\n"),
    (None, 141, ""),
])  # fmt: skip
def test_standard_output_that_ends(target, code, message):
    """A full disk is an error in one line; a reader that has seen enough is none."""
    script = "from hfn_accel import cli; cli.run(lambda: [print('line') for _ in range(100_000)])"
    out = subprocess.PIPE if target is None else open(target, "w")
    with subprocess.Popen([sys.executable, "-c", script], stdout=out, stderr=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        if target is None:
            process.stdout.readline()
        process.stdout = process.stdout and process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (code, message)
