"""What one measurement can end with without ending the run."""


class Failed(Exception):
    """The measurement was tried and gave no number."""


class LeftOut(Exception):
    """It does not apply here: a program, a key or a permission is missing."""
