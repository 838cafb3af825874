"""The explorer of chapter 05: frames hold the vectors, the mask is what lies above the threshold, scores are right."""

import numpy as np
import pytest

pytest.importorskip("plotly", reason="interactive figures need plotly: pip install unseg[book]")

from unseg_helpers import metrics, plots_interactive
from unseg_helpers.plots_interactive_spectral import UNITS, spectral_explorer
from unseg_helpers.plots_spectral import enlarge

MAX_BYTES = 300_000  # of the page
GRID, SIZE = (6, 9), (48, 74)


def spectra(seed, weights=(0.0, 2.0, 5.0), k=4, grid=GRID):
    rng = np.random.default_rng(seed)
    n = grid[0] * grid[1]
    return {
        weight: (np.arange(k) / 10 + weight, np.c_[np.ones(n), rng.normal(size=(n, k - 1)).cumsum(axis=0)])
        for weight in weights
    }


def photo(seed, size=SIZE):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8), rng.random(size) < 0.4


def test_every_frame_holds_the_vectors_of_its_lambda(seed):
    given = spectra(seed)
    fig = spectral_explorer(photo(seed)[0], given, GRID)
    assert [frame.name for frame in fig.frames] == ["0", "2", "5"]
    for frame, (_, vectors) in zip(fig.frames, given.values(), strict=True):
        for j in range(3):
            v = vectors[:, j + 1].reshape(GRID)
            for at in (3 * j, 3 * j + 1):  # the map and the mask; then one curve
                drawn = np.asarray(frame.data[at].z)
                np.testing.assert_allclose(drawn / UNITS, v / abs(v).max(), atol=0.5 / UNITS + 1e-9)
        assert len(frame.data) == len(frame.traces) == 9


def test_one_vector_is_visible_and_a_button_shows_another(seed):
    fig = spectral_explorer(photo(seed)[0], spectra(seed), GRID)
    assert [trace.visible for trace in fig.data] == [None, *[True] * 3, *[False] * 6]  # the photo is always there
    buttons = fig.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["vector 2", "vector 3", "vector 4"]
    change, traces = buttons[2].args
    assert list(traces) == list(range(1, 10))
    assert change["visible"] == [False] * 6 + [True] * 3


def test_the_color_range_of_the_mask_cuts_at_the_threshold(seed):
    given = spectra(seed)
    fig = spectral_explorer(photo(seed)[0], given, GRID, thresholds=(-0.4, 0.0, 0.25))
    z = np.asarray(fig.frames[0].data[0].z).astype(float)
    slider = fig.layout.sliders[1]
    assert [step.label for step in slider.steps] == ["-0.4", "0", "0.25"] and slider.active == 1
    for step, threshold in zip(slider.steps, (-0.4, 0.0, 0.25), strict=True):
        change, layout, traces = step.args
        middle = (change["zmin"] + change["zmax"]) / 2
        np.testing.assert_array_equal(z > middle, z > UNITS * threshold)
        assert change["zmin"] < z.min() and z.max() < change["zmax"]
        assert layout["shapes[0].x0"] == layout["shapes[0].x1"] == threshold
        assert [fig.data[i].colorscale[0][1] for i in traces] == ["rgba(35,60,150,0.75)"] * 3


def test_scores_are_those_of_the_enlarged_mask(seed):
    image, truth = photo(seed)
    thresholds = (-0.3, 0.0, 0.3)
    fig = spectral_explorer(image, spectra(seed), GRID, truth=truth, thresholds=thresholds)
    for frame in fig.frames:
        for j in range(3):
            z = np.asarray(frame.data[4 * j].z).astype(int)
            masks = [z > round(UNITS * t) for t in thresholds]
            assert list(frame.data[4 * j + 2].y) == pytest.approx([mask.mean() for mask in masks], abs=1e-3)
            scores = [metrics.foreground_iou(truth, enlarge(mask, truth.shape)) for mask in masks]
            assert list(frame.data[4 * j + 3].y) == pytest.approx(scores, abs=1e-3)


def test_patches_lie_on_the_small_photo(seed):
    fig = spectral_explorer(photo(seed, (96, 148))[0], spectra(seed), GRID, max_side=74)
    heat = fig.data[1]
    (h, w), (height, width) = GRID, (48, 74)
    assert heat.x0 - heat.dx / 2 == heat.y0 - heat.dy / 2 == -0.5
    assert heat.x0 + (w - 0.5) * heat.dx == pytest.approx(width - 0.5)
    assert heat.y0 + (h - 0.5) * heat.dy == pytest.approx(height - 0.5)
    assert tuple(fig.layout.xaxis2.range) == (-0.5, width - 0.5)


def test_the_page_is_small_and_says_what_it_shows(seed):
    image, truth = photo(seed, (240, 360))
    grid = (30, 45)
    fig = spectral_explorer(image, spectra(seed, range(5), k=5, grid=grid), grid, truth=truth, max_side=60)
    page = plots_interactive.embed(fig).html
    assert len(page) < MAX_BYTES
    assert "eigenvectors 2 to 5 of one photo, 30 x 45 patches" in page
    assert fig.layout.meta["steps"][1] == "λ = 1. Eigenvalues of vectors 2 to 5:<br>1.100, 1.200, 1.300, 1.400."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spectra": {}}, "spectra is empty"),
        ({"grid": (6, 8)}, r"vectors must have shape \(h \* w, k\) = \(48"),
        ({"thresholds": (0.1, 0.2)}, "hold 0.0"),
        ({"thresholds": (0.0, -0.2)}, "must rise"),
        ({"truth": np.zeros((3, 3), bool)}, "truth must have the size"),
        ({"spectra": {0.0: ([0.0], np.ones((54, 2)))}}, "values must have one entry"),
        ({"spectra": {**spectra(0, (0.0,), k=2), **spectra(0, (1.0,), k=3)}}, "one number of vectors"),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {"image": photo(0)[0], "spectra": spectra(0), "grid": GRID} | change
    with pytest.raises(ValueError, match=message):
        spectral_explorer(arguments.pop("image"), arguments.pop("spectra"), arguments.pop("grid"), **arguments)
