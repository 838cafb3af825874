"""Interactive figures: what each frame says is true, and the page needs nothing from elsewhere."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from unseg_helpers import kmeans, metrics, plots

go = pytest.importorskip("plotly.graph_objects", reason="interactive figures need plotly: pip install unseg[book]")

from unseg_helpers import plots_interactive as pi  # noqa: E402

MAX_BYTES = 1_500_000  # of one figure in a page


def four_blobs(rng, n=120):
    means = np.array([[0, 0], [4, 0], [0, 4], [4, 4.0]])
    return means[rng.integers(0, 4, n)] + rng.normal(scale=0.7, size=(n, 2))


def photo(rng, h=90, w=140):
    """Left red, right blue, with noise: a picture whose segments are known."""
    image = np.zeros((h, w, 3))
    image[:, : w // 2, 0], image[:, w // 2 :, 2] = 200, 180
    return np.clip(image + rng.normal(scale=12, size=image.shape) + 20, 0, 255).astype(np.uint8)


def pixels(trace):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(trace.source.split(",")[1]))).convert("RGB"))


# --- k-means, step by step --------------------------------------------------------------------------------------------


def test_the_steps_end_where_kmeans_ends(seed):
    rng = np.random.default_rng(seed)
    x = four_blobs(rng)
    init = x[:4].copy()
    fig = pi.kmeans_stepper(x, 4, init=init, max_steps=50)
    result = kmeans.kmeans(x, 4, init=init)
    last = fig.frames[-1]
    np.testing.assert_allclose(np.c_[last.data[3].x, last.data[3].y], result.centers, rtol=1e-4)
    assert last.data[4].y[-1] == pytest.approx(result.inertia, rel=1e-5)
    colors = plots.palette(4)[result.labels]
    assert list(last.data[1].marker.color) == ["#" + bytes(color).hex() for color in colors]
    assert "no point changes" in fig.layout.meta["steps"][-1]


def test_the_objective_never_rises(seed):
    fig = pi.kmeans_stepper(four_blobs(np.random.default_rng(seed)), 5, rng=seed, max_steps=50)
    js = np.array(fig.frames[-1].data[4].y)
    assert len(js) == len(fig.frames) - 1  # every half-step but the start
    assert (np.diff(js) <= 1e-5 * js[0]).all()


def test_a_center_without_points_is_said_and_stays_a_number():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    fig = pi.kmeans_stepper(x, 2, init=[[0.3, 0.3], [50.0, 50.0]])
    assert "(1 had no points)" in fig.layout.meta["steps"][2]
    assert all(np.isfinite([*frame.data[3].x, *frame.data[3].y]).all() for frame in fig.frames)


def test_max_steps_stops_early(seed):
    fig = pi.kmeans_stepper(four_blobs(np.random.default_rng(seed)), 4, rng=seed, max_steps=1)
    assert [frame.name for frame in fig.frames] == ["start", "1 assign", "1 move"]


def test_cluster_is_shown_by_shape_as_well_as_by_color(seed):
    fig = pi.kmeans_stepper(four_blobs(np.random.default_rng(seed)), 4, rng=seed)
    marker = fig.frames[-1].data[1].marker
    assert len(set(zip(marker.color, marker.symbol, strict=True))) == len(set(marker.color)) == len(set(marker.symbol))


def test_steps_on_a_photo_show_its_segments(seed):
    image = photo(np.random.default_rng(seed))
    fig = pi.kmeans_stepper(image, 2, max_side=70, rng=seed)
    drawn = pixels(fig.frames[-1].data[0])
    assert drawn.shape == (45, 70, 3)  # half of 90 x 140
    left, right = drawn[:, :35].reshape(-1, 3), drawn[:, 35:].reshape(-1, 3)
    assert (left == left[0]).all() and (right == right[0]).all() and (left[0] != right[0]).any()


@pytest.mark.parametrize("shape", [(5,), (5, 3), (4, 5, 6, 3)])
def test_points_must_be_plane_or_photo(shape):
    with pytest.raises(ValueError, match=re.escape(f"(n, 2) or be an (h, w, 3) image, got {shape}")):
        pi.kmeans_stepper(np.zeros(shape), 1)


def test_init_must_have_k_rows():
    with pytest.raises(ValueError, match=re.escape("init must have shape (k, d) = (3, 2), got (2, 2)")):
        pi.kmeans_stepper(np.zeros((5, 2)), 3, init=np.zeros((2, 2)))


# --- Sliders over segmentations ---------------------------------------------------------------------------------------


def test_scores_of_segments_by_k_are_those_of_the_library(seed):
    image = photo(np.random.default_rng(seed), 60, 80)
    truth = (np.arange(80) >= 40).astype(int) * np.ones((60, 1), int)
    fig = pi.segments_by_k(image, [1, 2, 3], truth=truth, rng=seed)
    inertia, covering = (trace.y for trace in fig.data if trace.name)
    assert inertia[0] == 1.0
    assert inertia[0] > inertia[1] > inertia[2]
    assert covering[0] == pytest.approx(0.5)  # one segment covers each half by one half
    assert covering[1] == 1.0
    assert [frame.name for frame in fig.frames] == ["1", "2", "3"]


def test_truth_is_reduced_with_the_image(seed):
    image = photo(np.random.default_rng(seed), 91, 141)
    truth = (np.arange(141) >= 70).astype(int) * np.ones((91, 1), int)
    fig = pi.segments_by_k(image, [2], truth=truth, max_side=50, rng=seed)
    assert fig.data[2].name == "covering of the truth"
    assert fig.data[2].y[0] >= 0.95  # one column of blocks holds both halves


def test_label_slider_draws_each_map(seed):
    rng = np.random.default_rng(seed)
    image = photo(rng, 20, 30)
    maps = [np.zeros((20, 30), int), rng.integers(0, 4, (20, 30))]
    scores = [0.0, metrics.covering(maps[0], maps[1])]
    fig = pi.label_slider(image, maps, at=[0, 0.5], name="weight", curves={"score": scores})
    expected = plots.colorize(maps[1], image)
    expected[plots.boundaries(maps[1])] = 255
    np.testing.assert_array_equal(pixels(fig.frames[1].data[0]), expected)
    assert fig.layout.meta["steps"][0] == "weight = 0: 1 segment; score: 0.00."


def test_wrong_lengths_and_sizes_are_named():
    image, labels = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), int)
    with pytest.raises(ValueError, match="at has 1 values for 2 maps"):
        pi.label_slider(image, [labels, labels], at=[1], name="k")
    with pytest.raises(ValueError, match=re.escape("curves['f'] has 3 values for 1 maps")):
        pi.label_slider(image, [labels], at=[1], name="k", curves={"f": [1, 2, 3]})
    with pytest.raises(ValueError, match=re.escape("maps[0] has shape (5, 4), expected that of image: (4, 5)")):
        pi.label_slider(image, [labels.T], at=[1], name="k")
    with pytest.raises(ValueError, match="ks is empty"):
        pi.segments_by_k(image, [])
    with pytest.raises(ValueError, match=re.escape("truth must have the size of image, (4, 5), got (5, 4)")):
        pi.segments_by_k(image, [2], truth=labels.T)


# --- In a page --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def figures():
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(128, 60, (300, 400, 3)), 0, 255).astype(np.uint8)  # noise: the worst case for a PNG
    return {
        "points": pi.kmeans_stepper(four_blobs(rng, 400), 5, rng=0),
        "photo": pi.kmeans_stepper(image, 6, rng=0),
        "by k": pi.segments_by_k(image, range(2, 10), rng=0),
    }


@pytest.mark.parametrize("name", ["points", "photo", "by k"])
def test_embedded_figure_is_light_and_takes_nothing_from_elsewhere(figures, name):
    html = pi.embed(figures[name])._repr_html_()
    assert len(html.encode()) < MAX_BYTES
    # data: URIs and the names of XML formats are no requests
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", html)
    assert not re.search(r"cdn\.|unpkg", html)
    assert "data-content_root" not in html and "dataset.content_root" in html


@pytest.mark.parametrize("name", ["points", "photo", "by k"])
def test_embedded_figure_has_words_and_whole_data(figures, name):
    fig = figures[name]
    html = pi.embed(fig).html
    assert f'aria-label="{fig.layout.meta["alt"]}"' in html
    found = re.search(r'<script type="application/json" id="[^"]+">(.*?)</script>', html, re.S)
    data = json.loads(found[1])
    assert len(data["frames"]) == len(fig.frames) == len(fig.layout.meta["steps"]) == len(fig.layout.sliders[0].steps)
    assert all(
        step["args"][0] == [frame["name"]]
        for step, frame in zip(data["layout"]["sliders"][0]["steps"], data["frames"], strict=True)
    )


def test_text_cannot_break_out_of_the_script():
    fig = go.Figure(layout={"title": {"text": "</script><b>@ALT@ @FIGURE@"}})
    html = pi.embed(fig, alt='a "quoted" <text>').html
    assert 'aria-label="a &quot;quoted&quot; &lt;text&gt;"' in html
    assert html.count("</script>") == 2  # the loader and the data
    data = json.loads(re.search(r'-data">(.*?)</script>', html, re.S)[1])
    assert data["layout"]["title"]["text"] == "</script><b>@ALT@ @FIGURE@"


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="alt is missing"):
        pi.embed(go.Figure())


def test_the_same_figure_gives_the_same_page(seed):
    x = four_blobs(np.random.default_rng(seed))
    assert pi.embed(pi.kmeans_stepper(x, 3, rng=seed)).html == pi.embed(pi.kmeans_stepper(x, 3, rng=seed)).html


def test_the_script_of_plotly_is_in_the_package():
    with open(pi.plotly_script(), encoding="utf-8") as file:
        assert "plotly.js v" in file.read(500)


def test_png_keeps_every_pixel(seed):
    rng = np.random.default_rng(seed)
    few = plots.palette(7)[rng.integers(0, 7, (15, 11))]
    many = rng.integers(0, 256, (40, 30, 3)).astype(np.uint8)
    for picture in (few, many):
        np.testing.assert_array_equal(pixels(go.Image(source=pi.png_uri(picture))), picture)
