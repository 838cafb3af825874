"""The bounded fuzzing of the decoder: it runs, it reaches into the code, and what it finds is not kept quiet."""

from importlib.util import find_spec

import pytest

from benchmarks import wire_fuzz

needs_atheris = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")


@needs_atheris
def test_a_second_of_fuzzing_tells_what_it_did():
    result = wire_fuzz.run(seconds=1)
    assert result["seconds"] == 1
    assert result["executions"] > len(wire_fuzz.corpus())
    assert result["kept"] > 0, "no input reached anything new: the decoder is not instrumented"


@needs_atheris
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('hidden')", "KeyError"),
        ("assert False, 'changed on the way'", "changed on the way"),
        ("text.decode('utf-8').encode('ascii')", "UnicodeEncodeError"),  # only some inputs do that
        ("bytearray(2**40)", "MemoryError"),
    ],
)
def test_what_breaks_the_target_is_shown(body, words, tmp_path, monkeypatch):
    (tmp_path / "broken_target.py").write_text(f"def check(text, blob):\n    {body}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(wire_fuzz.FuzzFound, match=words) as found:
        wire_fuzz.run(seconds=5, target="broken_target")
    assert "crash-" in str(found.value)


def test_without_the_fuzzer_the_command_to_get_it_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(wire_fuzz.AtherisMissing, match="pip install atheris"):
        wire_fuzz.run(seconds=1)
