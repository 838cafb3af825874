"""Interactive figures of chapter 06: frames hold the labels given, marks lie on the curve, pages are small."""

import base64
import io

import numpy as np
import pytest

pytest.importorskip("plotly", reason="interactive figures need plotly: pip install unseg[book]")

from PIL import Image

from unseg_helpers import metrics, plots, plots_interactive
from unseg_helpers.plots_interactive_kanezaki import label_stepper, scribble_explorer
from unseg_helpers.plots_kanezaki import paint_scribbles, scribbles

MAX_BYTES = 300_000  # of the page
SIZE = (12, 18)


def training(seed, n=6, size=SIZE):
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return photo, [(i, rng.integers(0, 9 - i, size), (9 - i, 1.0 / i, 0.5 / i)) for i in range(1, n + 1)]


def pixels(trace):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(trace.source.split(",")[1]))).convert("RGB"))


def test_every_frame_shows_the_labels_of_its_step(seed):
    photo, steps = training(seed)
    fig = label_stepper(photo, steps, at=[1, 2, 5], least=3)
    assert [frame.name for frame in fig.frames] == ["1", "2", "5"]
    for frame, at in zip(fig.frames, (1, 2, 5), strict=True):
        np.testing.assert_array_equal(pixels(frame.data[0]), plots.colorize(steps[at - 1][1]))
        assert (frame.data[1].x, frame.data[1].y) == ((at,), (9 - at,))
        assert list(frame.traces) == [2, 3]
    np.testing.assert_array_equal(pixels(fig.data[0]), photo)
    assert list(fig.data[1].x) == [1, 2, 3, 4, 5, 6] and list(fig.data[1].y) == [8, 7, 6, 5, 4, 3]
    assert fig.layout.shapes[0].y0 == fig.layout.shapes[0].y1 == 3


def test_all_steps_are_shown_when_none_is_named(seed):
    fig = label_stepper(*training(seed))
    assert len(fig.frames) == 6
    assert fig.layout.meta["steps"][1] == "Step 2: 7 labels. Similarity loss 0.500, continuity loss 0.250."
    assert "goes from 8 to 3" in fig.layout.meta["alt"]


def test_strokes_and_scores_of_every_set(seed):
    photo, steps = training(seed)
    truth = np.random.default_rng(seed).integers(0, 3, SIZE)
    drawn = scribbles(SIZE, [(1, [(0.5, 0.1), (0.5, 0.9)])])
    runs = {"none": (np.full(SIZE, -1), steps[0][1]), "one": (drawn, steps[5][1])}
    fig = scribble_explorer(photo, runs, truth=truth)
    assert [frame.name for frame in fig.frames] == ["none", "one"]
    np.testing.assert_array_equal(pixels(fig.frames[1].data[0]), paint_scribbles(photo, drawn))
    for i, (frame, (_, labels)) in enumerate(zip(fig.frames, runs.values(), strict=True)):
        assert frame.data[2].x == (i,)
        assert frame.data[2].y[0] == pytest.approx(metrics.covering(truth, labels), abs=1e-4)
        assert frame.data[3].y[0] == pytest.approx(metrics.matched_miou(truth, labels), abs=1e-4)
    assert len(fig.data) == 2 + 4  # two curves, and what moves
    assert list(fig.layout.xaxis3.ticktext) == ["none", "one"] == [step.label for step in fig.layout.sliders[0].steps]


def test_without_truth_there_is_no_chart(seed):
    photo, steps = training(seed)
    fig = scribble_explorer(photo, {"none": (np.full(SIZE, -1), steps[0][1])})
    assert len(fig.data) == 2
    assert list(fig.layout.meta["steps"]) == ["Strokes: none. 8 segments."]


def test_pages_are_small(seed):
    photo, steps = training(seed, size=(60, 90))
    assert len(plots_interactive.embed(label_stepper(photo, steps)).html) < MAX_BYTES


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda photo, steps: label_stepper(photo, []), "steps is empty"),
        (lambda photo, steps: label_stepper(photo, steps, at=[2, 7]), r"between 1 and 6, got \[7\]"),
        (lambda photo, steps: label_stepper(photo[:5], steps), "labels of step 1 have shape"),
        (lambda photo, steps: label_stepper(photo[..., 0], steps), "uint8 of shape"),
        (lambda photo, steps: scribble_explorer(photo, {}), "runs is empty"),
        (lambda photo, steps: scribble_explorer(photo, {"a": (np.zeros(SIZE), np.zeros((2, 2)))}), "a has a map"),
        (
            lambda photo, steps: scribble_explorer(photo, {"a": (steps[0][1],) * 2}, truth=np.zeros((2, 2))),
            "truth has a map",
        ),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call(*training(0))
