import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError


def parsed(tmp_path, text, pe=None):
    path = tmp_path / "c.toml"
    path.write_text(text)
    return Config.parse(pe, str(path))


def test_the_shape_wins_over_the_file(tmp_path):
    config = parsed(tmp_path, "rows = 8\ncolumns = 4\naxi_data_width = 128\n", "2x64")
    assert config == Config(rows=2, columns=64, axi_data_width=128)
    assert (config.name, config.group, config.units, config.bus_bytes) == ("2x64", 64, 4, 16)
    assert Config.parse() == Config()


@pytest.mark.parametrize("pe", ["16", "16X16", "16x16x16", "", " 4x4", "-4x4", "4.0x4", "1e1x4"])
def test_refuses_what_is_no_shape(pe):
    with pytest.raises(HfnError, match="--pe must be RxC such as 16x16"):
        Config.parse(pe)


@pytest.mark.parametrize("pe", ["0x16", "5x8", "128x128", "999999x1"])
def test_refuses_rows_that_no_array_has(pe):
    with pytest.raises(HfnError, match="rows must be a power of two from 1 to 64, not"):
        Config.parse(pe)


@pytest.mark.parametrize("value", ['"16"', "true", "16.0", "nan", "-inf", "[16]", "{a = 1}", "-4",
                                   "1979-05-27", "9" * 30])  # fmt: skip
@pytest.mark.parametrize("field", ["rows", "accumulator_bits", "mask_bytes"])
def test_refuses_other_types_and_ranges(tmp_path, field, value):
    with pytest.raises(HfnError, match=f"{field} must be .*, not"):
        parsed(tmp_path, f"{field} = {value}\n")


@pytest.mark.parametrize("text, message", [
    ("lanes = 4", "unknown configuration field 'lanes'"),
    ("rows = ", "is not TOML"),
    ("rows = " + "[" * 20_000, "is not TOML"),
    ("rows = " + "9" * 5000, "is not TOML"),
])  # fmt: skip
def test_refuses_other_files(tmp_path, text, message):
    with pytest.raises(HfnError, match=message):
        parsed(tmp_path, text)
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(HfnError, match="is not TOML"):
        Config.parse(None, str(tmp_path / "c.toml"))
    for place in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(HfnError, match="cannot read"):
            Config.parse(None, str(place))
