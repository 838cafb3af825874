"""The masks can be drawn again from their outlines, and the drawing does what it says."""

import importlib.util
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def draw_masks(root):
    spec = importlib.util.spec_from_file_location("draw_masks", root / "tools" / "draw_masks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw_masks"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["draw_masks"]


def square(size: int = 40, low: int = 10, high: int = 30) -> np.ndarray:
    """A bright square on a dark ground, (size, size, 3)."""
    image = np.full((size, size, 3), 40, np.uint8)
    image[low:high, low:high] = 200
    return image


def outlines(draw_masks, tmp_path, text):
    path = tmp_path / "toy.txt"
    path.write_text(text, encoding="utf-8")
    return draw_masks.read_outlines(path)


def test_shipped_masks_are_as_drawn(draw_masks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["draw_masks.py", "--check", "chelsea", "coins"])
    assert draw_masks.main() == 0, capsys.readouterr().err


def test_a_rough_outline_snaps_to_the_edge(draw_masks, tmp_path):
    regions, shapes = outlines(
        draw_masks, tmp_path, "region 0 ground\nregion 1 square\nshape 1 snap=4\n8,12 28,9 32,31 12,29\n"
    )
    drawn = draw_masks.draw_mask(square(), shapes) == 1
    true = square()[..., 0] == 200
    assert regions == {0: "ground", 1: "square"}
    assert (drawn & true).sum() / (drawn | true).sum() > 0.95


def test_without_snap_the_outline_stays(draw_masks, tmp_path):
    _, shapes = outlines(
        draw_masks, tmp_path, "shape 1 snap=0 smooth=0\n4,4 20,4\n20,12 4,12   # two lines of points\n"
    )
    expected = np.zeros((40, 40), np.uint8)
    expected[4:12, 4:20] = 1
    assert np.array_equal(draw_masks.draw_mask(square(), shapes), expected)


def test_later_shapes_cover_earlier_ones_unless_told_otherwise(draw_masks, tmp_path):
    text = (
        "shape 1 smooth=0\n5,5 35,5 35,35 5,35\n"
        "shape 2 smooth=0\n0,0 20,0 20,40 0,40\n"
        "shape 3 smooth=0 over=1\n0,0 40,0 40,20 0,20\n"
    )
    _, shapes = outlines(draw_masks, tmp_path, text)
    labels = draw_masks.draw_mask(square(), shapes)
    assert (labels[10, 10], labels[10, 25], labels[30, 25], labels[2, 30]) == (2, 3, 1, 0)


def test_brighter_and_darker_split_by_gray_value(draw_masks, tmp_path):
    for option, expected in (("brighter", 400), ("darker", 1200)):
        _, shapes = outlines(draw_masks, tmp_path, f"shape 1 smooth=0 {option}=100\n0,0 40,0 40,40 0,40\n")
        assert (draw_masks.draw_mask(square(), shapes) == 1).sum() == expected


def test_disks_and_lines_have_the_size_they_say(draw_masks, tmp_path):
    _, shapes = outlines(draw_masks, tmp_path, "disk 1 smooth=0\n20,20 10,5\nline 2 width=3 smooth=0\n2,36 32,36\n")
    labels = draw_masks.draw_mask(square(), shapes)
    assert (labels == 1).sum() == pytest.approx(np.pi * 50, rel=0.05)
    assert (labels == 2).sum() in range(60, 121)


def test_specks_go_to_the_region_around_them(draw_masks):
    labels = np.zeros((30, 30), np.uint8)
    labels[10:12, 10:12] = 1
    labels[15:25, 15:25] = 2
    cleaned = draw_masks.drop_specks(labels)
    assert cleaned[10, 10] == 0 and (cleaned == 2).sum() == 100


def test_a_line_that_cannot_be_read_is_named(draw_masks, tmp_path):
    with pytest.raises(ValueError, match=r"toy.txt, line 2: cannot read '1,2 3;4'"):
        outlines(draw_masks, tmp_path, "shape 1 snap=2\n1,2 3;4\n")
