"""The package's own errors: a message is one line that names what to mend."""


class HfnError(Exception):
    """Bad input from the user; command lines print it alone and end with status 2."""


def exceeded(layer: str, what: str, figure: int, limit: int, option: str) -> HfnError:
    """What a layer needs, in the unit of the configuration field `option`, and what there is."""
    return HfnError(f"{layer}: {what} {figure}, the limit is {limit}: enlarge {option}")
