"""Stand-ins for what only shows something. Progress bars and plots in a function earn nothing, and cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SHOWS = ("IPython", "ipywidgets", "matplotlib", "plotly", "seaborn", "tqdm", "unseg_helpers.plots")


class Quiet:
    """Whatever is asked of it, nothing happens; what it is called with can be gone through, as with a progress bar."""

    def __init__(self, over: Any = ()):
        self._over = over

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # no array, no copy, nothing that NumPy would take for a value
            raise AttributeError(name)
        return {"subplots": _subplots, "trange": _trange}.get(name, Quiet())

    def __call__(self, over: Any = (), *args: Any, **kwargs: Any) -> Quiet:
        return Quiet(over)

    def __getitem__(self, key: Any) -> Quiet:
        return Quiet()

    def __iter__(self) -> Iterator:
        return iter(self._over)

    def __len__(self) -> int:
        return len(self._over)

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *error: Any) -> None:
        pass


def _subplots(*args: Any, **kwargs: Any) -> tuple[Quiet, Quiet]:
    return Quiet(), Quiet()


def _trange(*args: int, **kwargs: Any) -> Quiet:
    return Quiet(range(*args))


def stand_in(module: str, name: str | None) -> Any:
    """For ``import module`` or ``from module import name``; None where the module does more than show something."""
    if not any(module == s or module.startswith((s + ".", s + "_")) for s in SHOWS):
        return None
    return Quiet() if name is None else getattr(Quiet(), name)
