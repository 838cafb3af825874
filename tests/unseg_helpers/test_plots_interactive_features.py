"""Interactive figures of chapter 04: they hold what the library computes, and load nothing from elsewhere."""

import base64
import json
import re

import numpy as np
import pytest

pytest.importorskip("plotly", reason="interactive figures need plotly: pip install unseg[book]")

from unseg_helpers import plots_features
from unseg_helpers import plots_interactive_features as pif


def held(explorer):
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', explorer._repr_html_(), re.DOTALL)[1]
    return json.loads(text)


def cosines(data, which, n):
    values = np.frombuffer(base64.b64decode(data["maps"][which]["data"]), np.uint8) / 127.5 - 1
    full = np.zeros((n, n))
    full[np.triu_indices(n)] = values
    return full + np.triu(full, 1).T


def scene(seed=0):
    """A photo of 40 x 60 pixels, a grid of 4 x 6, two kinds of features, and two regions."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)
    truth = np.zeros((40, 60), int)
    truth[:, 30:] = 1
    return image, {"keys": rng.normal(size=(4, 6, 8)), "color": rng.random((4, 6, 3))}, truth


def test_explorer_holds_the_cosine_of_every_pair(seed):
    image, features, truth = scene(seed)
    data = held(pif.similarity_explorer(image, features, truth=truth, top=5))
    assert [one["name"] for one in data["maps"]] == ["keys", "color"]
    for i, x in enumerate(features.values()):
        full = cosines(data, i, 24)
        for row, column in ((0, 0), (2, 5), (3, 1)):
            expected = plots_features.self_similarity(x, (row, column)).ravel()
            np.testing.assert_allclose(full[row * 6 + column], expected, atol=0.005)
    assert data["at"] == [2, 3]
    assert np.reshape(data["regions"], (4, 6)).tolist() == [[0, 0, 0, 1, 1, 1]] * 4


def test_explorer_needs_nothing_from_elsewhere_and_does_not_change_by_itself():
    image, features, truth = scene()
    first, second = (pif.similarity_explorer(image, features, truth=truth)._repr_html_() for _ in range(2))
    assert first == second
    assert not re.search(r"(src|href)=[\"']?(https?:)?//|fetch\(|import\(", first)
    assert 'role="group"' in first and 'tabindex="0"' in first and "aria-live" in first


def test_explorer_of_a_page_is_light():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (320, 480, 3)).astype(np.uint8)
    features = {name: rng.normal(size=(20, 30, 16)) for name in ("a", "b")}
    assert len(pif.similarity_explorer(image, features)._repr_html_()) < 900_000


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_explorer_answers_a_click_and_the_arrow_keys(tmp_path, chromium):
    """In a browser: the words say what the arrays say."""
    image, features, truth = scene()
    page_file = tmp_path / "page.html"
    page_file.write_text(
        "<!doctype html><meta charset=utf-8>"
        + pif.similarity_explorer(image, features, truth=truth, top=5, start=(0, 0))._repr_html_()
    )
    page = chromium.new_page(viewport={"width": 900, "height": 600})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.as_uri())
    page.wait_for_selector("[role=group][data-ready]")
    said = page.locator("[aria-live]")
    first = said.inner_text()
    picture = page.evaluate("document.querySelectorAll('canvas')[1].toDataURL()")
    page.locator("[role=group]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    second = said.inner_text()
    box = page.locator("canvas").nth(1).bounding_box()
    page.mouse.click(box["x"] + box["width"] * 5.5 / 6, box["y"] + box["height"] * 3.5 / 4)
    third = said.inner_text()
    drawn = page.evaluate("document.querySelectorAll('canvas')[1].toDataURL()")
    page.close()
    assert errors == []
    assert drawn != picture
    labels = plots_features.patch_labels(truth, (4, 6)).ravel()
    for text, (row, column) in ((first, (0, 0)), (second, (1, 1)), (third, (3, 5))):
        assert text.startswith(f"Patch in row {row + 1}, column {column + 1}. ")
        here = row * 6 + column
        for name, x in features.items():
            close = plots_features.self_similarity(x, (row, column)).ravel()
            order = [j for j in np.argsort(-close) if j != here]
            if close[order[4]] - close[order[5]] > 0.01:  # bytes may order equals in another way
                assert f"{name}: {(labels[order[:5]] == labels[here]).sum()} of the 5 most similar" in text


def test_explorer_errors_name_the_argument():
    image, features, truth = scene()
    for call, message in (
        (lambda: pif.similarity_explorer(image[..., 0], features), "image must be uint8 of shape (H, W, 3)"),
        (lambda: pif.similarity_explorer(image, {}), "features is empty"),
        (lambda: pif.similarity_explorer(image, {"a": np.ones((2, 2, 1)), "b": np.ones((2, 3, 1))}), "have one grid"),
        (lambda: pif.similarity_explorer(image, {"a": np.ones((40, 60, 1))}), "2400 patches, more than 1024"),
        (lambda: pif.similarity_explorer(image, features, truth=truth[1:]), "truth must hold integers of shape"),
        (lambda: pif.similarity_explorer(image, features, start=(4, 0)), "start must be (row, column)"),
        (lambda: pif.similarity_explorer(image, features, top=24), "top must be between 1 and n-1=23"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()


def test_both_parts_of_dino_are_needed(seed):
    runs = {
        name: pif.self_distillation(center=center, sharpen=sharpen, seed=seed)
        for name, (center, sharpen) in pif.SETTINGS.items()
    }
    most = np.log(8)
    assert runs["both"].told_apart > 0.4 and runs["both"].divergence[-50:].mean() > 0.3
    assert 0.05 < runs["both"].entropy[-50:].mean() < 0.6 * most
    for name in ("centering only", "neither"):
        assert runs[name].told_apart < 0.02 and runs[name].divergence[-1] < 0.01
        assert runs[name].entropy[-1] > 0.95 * most
    assert runs["sharpening only"].told_apart < runs["both"].told_apart
    assert runs["sharpening only"].entropy[-1] < 0.15 * most


def test_the_temperature_at_which_nothing_is_learned_is_the_predicted_one(seed):
    noise = 0.4
    limit = 0.1 * 0.5 / (0.5 + noise**2)
    below, above = (
        pif.self_distillation(noise=noise, teacher_temp=temp * limit, seed=seed).told_apart for temp in (0.8, 1.25)
    )
    assert below > 0.3 and above < 0.03


def test_outputs_are_probabilities_and_runs_repeat(seed):
    run, again = (pif.self_distillation(steps=20, seed=seed) for _ in range(2))
    np.testing.assert_allclose(run.outputs.sum(axis=2), 1)
    np.testing.assert_array_equal(run.outputs, again.outputs)
    assert run.entropy.shape == run.divergence.shape == (20,) and run.outputs.shape == (20, 4, 8)
    with pytest.raises(ValueError, match="temperatures must be above 0"):
        pif.self_distillation(teacher_temp=0)
    with pytest.raises(ValueError, match="momentum must be between 0 and 1, got 2"):
        pif.self_distillation(momentum=2)


def test_information_by_hand():
    assert pif._information(np.eye(4)) == pytest.approx(1)
    assert pif._information(np.full((4, 8), 1 / 8)) == pytest.approx(0)
    assert pif._information(np.eye(2)[[0, 0, 1, 1]]) == pytest.approx(0.5)  # four groups, two answers


def test_stepper_shows_the_runs():
    fig = pif.collapse_stepper((1, 5, 40), seed=3)
    assert [frame.name for frame in fig.frames] == ["1", "5", "40"]
    for i, (center, sharpen) in enumerate(pif.SETTINGS.values()):
        run = pif.self_distillation(center=center, sharpen=sharpen, steps=40, seed=3)
        np.testing.assert_allclose(fig.frames[1].data[i].z, run.outputs[4], atol=6e-4)
        assert f"{run.entropy[39]:.2f}" in fig.layout.meta["steps"][2]
    assert "four heat maps" in fig.layout.meta["alt"]
    with pytest.raises(ValueError, match=re.escape("at must rise from 1 or more, got (0, 2)")):
        pif.collapse_stepper((0, 2))
