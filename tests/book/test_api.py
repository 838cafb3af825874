"""The library reference lists every public name, and nothing that is not there."""

import importlib
import inspect
import re

import pytest

import unseg_helpers


def public_names(module_name: str) -> list[str]:
    """`__all__` where a module has one; otherwise its own functions and classes without an underscore."""
    module = importlib.import_module(f"unseg_helpers.{module_name}")
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


@pytest.fixture(scope="module")
def listed(root) -> set[str]:
    text = (root / "book" / "api.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\.\. (?:auto)?(?:function|class|data|exception):: (\S+)$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("module", unseg_helpers.__all__)
def test_every_public_name_is_in_the_reference(module, listed):
    wanted = [f"unseg_helpers.{module}.{name}" for name in public_names(module)]
    assert wanted
    missing = [name for name in wanted if name not in listed]
    assert not missing, "add to book/api.md: " + ", ".join(f".. autofunction:: {name}" for name in missing)


def test_reference_lists_only_what_exists(listed):
    for name in sorted(listed):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), f"book/api.md lists {name}, which is gone"
