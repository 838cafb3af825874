"""Interactive score figures: their numbers are those of `metrics`, at every position of the slider."""

import numpy as np
import pytest

pytest.importorskip("plotly", reason="needs the book extra: pip install unseg[book]")

from unseg_helpers import datasets, metrics
from unseg_helpers.plots_interactive_scores import REGION_SCORES, displacement, oversegmentation


@pytest.fixture(scope="module")
def example():
    return datasets.scene(4, size=(60, 80))


def test_one_frame_for_each_number_of_segments(example):
    fig = oversegmentation(example.image, example.instances, counts=(1, 8, 30))
    made = [int(frame.name) for frame in fig.frames]
    assert len(made) == 3 and made[0] == 1 and made == sorted(made)
    assert len(fig.layout.meta["steps"]) == 3
    assert fig.layout.xaxis3.type == "log"


def test_scores_of_one_segment_are_those_of_metrics(example):
    fig = oversegmentation(example.image, example.instances, counts=(1,))
    one = np.zeros_like(example.instances)
    said = fig.layout.meta["steps"][0]
    assert said.startswith("1 segment: ")
    for name, score in REGION_SCORES.items():
        assert f"{name} {score(example.instances, one):.2f}" in said
    assert f"ARI {metrics.ari(example.instances, one):.2f}, " in said
    assert f"VI {metrics.variation_of_information(example.instances, one):.1f} bits" in said
    assert fig.frames[0].layout.annotations[0].text.replace("<br>", " ") == said


def test_a_number_of_segments_that_comes_twice_is_shown_once(example):
    assert len(oversegmentation(example.image, example.instances, counts=(1, 1)).frames) == 1


def test_displaced_mask_keeps_its_boundary_score_within_the_tolerance():
    # An upright bar 4 wide in 30 x 40: moved by 2, half of it overlaps, IoU = 2 / 6; tolerance 0.05 * 50 = 2.5 pixels.
    mask = np.zeros((30, 40), bool)
    mask[:, 10:14] = True
    fig = displacement(np.zeros((30, 40, 3), np.uint8), mask, pixels=(0, 2, 9), tolerance=0.05)
    exact, near, far = fig.layout.meta["steps"]
    assert exact == "0 pixels to the right (tolerance 2.5): IoU of the foreground 1.00, boundary F 1.00"
    assert near == "2 pixels to the right (tolerance 2.5): IoU of the foreground 0.33, boundary F 1.00"
    assert far == "9 pixels to the right (tolerance 2.5): IoU of the foreground 0.00, boundary F 0.00"


def test_figures_carry_their_description(example):
    for fig in (
        oversegmentation(example.image, example.instances, counts=(1, 4)),
        displacement(example.image, example.foreground, pixels=(0, 3)),
    ):
        assert fig.layout.meta["alt"].startswith("Interactive figure: ")


def test_inputs_are_left_alone(example):
    image, truth = example.image.copy(), example.instances.copy()
    oversegmentation(image, truth, counts=(1, 4))
    displacement(image, truth, pixels=(0, 3))
    np.testing.assert_array_equal(image, example.image)
    np.testing.assert_array_equal(truth, example.instances)


def test_errors_name_the_argument(example):
    with pytest.raises(ValueError, match=r"counts must hold numbers of segments, each at least 1, got \(0, 4\)"):
        oversegmentation(example.image, example.instances, counts=(0, 4))
    with pytest.raises(ValueError, match="pixels must hold displacements from 0 to 79"):
        displacement(example.image, example.foreground, pixels=(80,))
    with pytest.raises(ValueError, match="of equal size"):
        displacement(example.image, example.foreground[:-1])
