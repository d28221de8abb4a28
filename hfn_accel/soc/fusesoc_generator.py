"""FuseSoC's generator `hfn_accel_gen`: the core for the parameters of a `generate` section.

FuseSoC runs it in an empty folder with the path of a YAML file: `vlnv` of the core to make,
`files_root` of who asks, and `parameters`: `pe` (RxC) and `config` (a TOML file beside the core
file that asks), both optional.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[2])  # the checkout or site-packages it belongs to

from hfn_accel import cli, gen  # noqa: E402
from hfn_accel.config import Config  # noqa: E402
from hfn_accel.errors import HfnError  # noqa: E402
from hfn_accel.files import atomic_write  # noqa: E402
from hfn_accel.soc import fusesoc  # noqa: E402


def main():
    """Write Verilog, description, SoC files and the core file into the working folder."""
    import yaml

    if len(sys.argv) != 2:
        raise HfnError("fusesoc_generator takes the file that FuseSoC wrote, and nothing else")
    asked = yaml.safe_load(Path(sys.argv[1]).read_text())
    parameters = dict(asked["parameters"] or {})
    pe, file = parameters.pop("pe", None), parameters.pop("config", None)
    if parameters:
        raise HfnError(f"hfn_accel_gen has no parameter {min(parameters)!r}: pe and config")
    config = Config.parse(pe, file and str(Path(asked["files_root"]) / file))
    folder = Path.cwd()
    gen.write(config, folder, soc=True)
    stem = gen.stem(config)
    atomic_write(folder / f"{stem}.core", fusesoc.core(config, stem, asked["vlnv"]).encode())


if __name__ == "__main__":
    cli.run(main)
