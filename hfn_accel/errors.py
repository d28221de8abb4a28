"""The package's own errors: a message is one line that names what to mend."""


class HfnError(Exception):
    """Bad input from the user; command lines print it alone and end with status 2."""
