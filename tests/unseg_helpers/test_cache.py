"""The cache: what it keeps, and that damage, full disks and other processes do no harm."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from unseg_helpers import _cache


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UNSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "_warned", False)
    return tmp_path / "cache"


def entry(folder, name):
    return folder / name[:2] / f"{name}.cache"


def test_gives_back_what_was_put(seed):
    rng = np.random.default_rng(seed)
    arrays = {"grid": rng.normal(size=(3, 4, 5)).astype(np.float32), "count": rng.integers(0, 9, 3)}
    name = _cache.key(arrays["grid"], "key", -1)
    assert _cache.get(name) is None
    _cache.put(name, arrays)
    found = _cache.get(name)
    assert found.keys() == arrays.keys()
    for label in arrays:
        np.testing.assert_array_equal(found[label], arrays[label])
        assert found[label].dtype == arrays[label].dtype
        assert found[label].flags.writeable


def test_key_depends_on_all_that_a_result_depends_on():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    other = image.copy()
    other[0, 0, 0] += 1
    keys = [
        _cache.key(image, "key", -1),
        _cache.key(other, "key", -1),
        _cache.key(image.reshape(1, 4, 3), "key", -1),
        _cache.key(image.view(np.int8), "key", -1),
        _cache.key(image, "value", -1),
        _cache.key(image, "key", -2),
    ]
    assert len(set(keys)) == len(keys)
    assert _cache.key(image[:, ::-1][:, ::-1], "key", -1) == keys[0]  # values count, not how they lie in memory
    assert all(len(key) == 64 for key in keys)


@pytest.mark.parametrize("damage", ["first byte", "middle byte", "last byte", "cut", "empty", "foreign"])
def test_damaged_entry_is_named_and_removed(folder, damage):
    name = _cache.key(np.zeros(1))
    _cache.put(name, {"grid": np.ones((4, 4), np.float32)})
    path = entry(folder, name)
    content = bytearray(path.read_bytes())
    where = {"first byte": 0, "middle byte": len(content) // 2, "last byte": -1}
    if damage in where:
        content[where[damage]] ^= 1
    path.write_bytes({"cut": content[:-7], "empty": b"", "foreign": b"not ours"}.get(damage, content))
    with pytest.warns(RuntimeWarning, match="damaged; it is computed again"):
        assert _cache.get(name) is None
    assert not path.exists()
    _cache.put(name, {"grid": np.ones((4, 4), np.float32)})
    assert _cache.get(name)["grid"].sum() == 16


def test_two_processes_share_it(folder):
    """Both write the same entries and read them all the time: none ever sees half of one."""
    script = """
import warnings, numpy as np
from unseg_helpers import _cache
warnings.simplefilter("error")
for step in range(150):
    name = _cache.key(np.array([step % 5]))
    found = _cache.get(name)
    assert found is None or (found["grid"] == step % 5).all()
    _cache.put(name, {"grid": np.full((50, 50), step % 5, np.float32)})
"""
    both = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    assert len(list(folder.glob("??/*"))) == 5  # and nothing half-written is left


def test_goes_on_where_it_cannot_write(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNSEG_CACHE", str(tmp_path / "file" / "below"))  # no folder can be made below a file
    with pytest.warns(RuntimeWarning, match="Set UNSEG_CACHE to a folder that can be written"):
        _cache.put("0" * 64, {"grid": np.zeros(1)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _cache.put("0" * 64, {"grid": np.zeros(1)})  # said once
        assert _cache.get("0" * 64) is None


def test_interrupted_write_leaves_nothing(folder, monkeypatch):
    def interrupted(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.warns(RuntimeWarning, match="no space left"):
        _cache.put("0" * 64, {"grid": np.zeros(1)})
    assert not list(folder.glob("??/*"))


def test_trim_removes_the_longest_unused(folder):
    names = [_cache.key(np.array([index])) for index in range(5)]
    for age, name in zip((50, 40, 30, 20, 10), names, strict=True):
        _cache.put(name, {"grid": np.zeros(1000, np.float32)})
        then = entry(folder, name).stat().st_mtime - age
        os.utime(entry(folder, name), (then, then))
    size = entry(folder, names[0]).stat().st_size
    _cache.trim(10 * size)  # below the bound: nothing goes
    assert all(entry(folder, name).exists() for name in names)
    _cache.get(names[0])  # used just now, so no longer the oldest
    _cache.trim(4 * size)  # down to 80 percent of 4
    assert [entry(folder, name).exists() for name in names] == [True, False, False, True, True]


def test_trim_removes_what_stopped_processes_left(folder):
    (folder / "ab").mkdir(parents=True)
    old, new = folder / "ab" / "old.part", folder / "ab" / "new.part"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    _cache.trim()
    assert not old.exists() and new.exists()  # the new one may be in the making


def test_writing_trims_now_and_then(monkeypatch, folder):
    monkeypatch.setattr(_cache, "MAX_BYTES", 10_000)
    monkeypatch.setattr(_cache, "TRIM_EVERY_BYTES", 9_000)
    for index in range(12):
        _cache.put(_cache.key(np.array([index])), {"grid": np.zeros(1000, np.float32)})
    assert sum(path.stat().st_size for path in folder.glob("??/*")) < 20_000
