"""Stands where a hidden module would be: importing it says so, whichever way that is tried."""

raise ModuleNotFoundError(f"{__name__} is left out on purpose when this lesson is graded: write that part yourself")
