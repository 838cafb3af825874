"""The autograder of *Segmentation Without Labels*. In a notebook: ``from autograder import check``."""

__all__ = ["check"]


def __getattr__(name: str):
    if name == "check":
        from .notebook import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
