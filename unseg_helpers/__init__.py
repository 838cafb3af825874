"""Reference implementations for the course *Segmentation Without Labels*.

One method is one module; each is imported when it is first used, so ``import unseg_helpers`` is quick and needs
no torch.
"""

from importlib import import_module

__all__ = [
    "affinity",
    "backbones",
    "datasets",
    "ensembles",
    "features",
    "gmm",
    "kanezaki",
    "kmeans",
    "lost",
    "metrics",
    "minidino",
    "plots",
    "plots_features",
    "plots_interactive",
    "plots_interactive_features",
    "plots_interactive_kanezaki",
    "plots_interactive_mixtures",
    "plots_interactive_spectral",
    "plots_kanezaki",
    "plots_mixtures",
    "plots_spectral",
    "postprocess",
    "spectral",
    "tokencut",
]


def __getattr__(name: str):
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
