"""Chapter 06 says things about its figures and outputs: they are still true of the numbers.

What a single seed gives on a photo is claimed only where the difference is large.
"""

import ast
import re
from dataclasses import replace

import numpy as np
import pytest

from unseg_helpers import datasets, plots_kanezaki

CELL = re.compile(r"```\{code-cell\} ipython3\n(.*?)\n```", re.DOTALL)


@pytest.fixture(scope="module")
def chapter(root):
    return (root / "book" / "06_kanezaki.md").read_text(encoding="utf-8")


def code_of(chapter, name):
    """The function of this name, as the chapter defines it."""
    for cell in CELL.findall(chapter):
        body = cell.split("---\n", 2)[2] if cell.startswith("---") else cell
        for node in ast.parse(body).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                space = {"np": np}
                exec(compile(ast.Module([node], []), name, "exec"), space)
                return space[name]
    raise AssertionError(f"no cell of chapter 06 defines {name}")


def softmax(r):
    e = np.exp(r - r.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def own_loss(r, target):
    return float(-np.log(softmax(r)[np.arange(len(r)), target]).mean())


def normalized(seed, n=200, q=5):
    r = np.random.default_rng(seed).normal(size=(n, q)) ** 3
    return (r - r.mean(axis=0)) / r.std(axis=0)


@pytest.fixture(scope="module")
def coffee():
    return plots_kanezaki.shrink(datasets.photo("coffee").image, 90)


@pytest.fixture(scope="module")
def small():
    kanezaki = pytest.importorskip("unseg_helpers.kanezaki")
    pytest.importorskip("torch")
    return replace(kanezaki.RECIPES["kim2020"], channels=32, max_iter=60)


# ---- the page itself ----------------------------------------------------------------------------------------------


def test_every_figure_has_a_text_and_a_caption(chapter):
    for cell in CELL.findall(chapter):
        if re.search(r"^fig(, ax(es)?)? = |plots\.panels\(", cell, re.MULTILINE):
            assert "alt: " in cell and "caption: " in cell and "name: fig-kanezaki-" in cell, cell[-200:]


def test_every_source_is_in_the_references(chapter, root):
    known = set(re.findall(r"^@\w+\{(\w+),", (root / "book" / "references.bib").read_text(encoding="utf-8"), re.M))
    cited = {key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", chapter) for key in keys.split(",")}
    assert cited <= known and {"Kanezaki2018", "KimKanezakiTanaka2020"} <= cited


def test_labels_that_are_referred_to_exist(chapter):
    made = set(re.findall(r"^\(([\w-]+)\)=$|:label: ([\w-]+)|^    name: (fig-[\w-]+)$", chapter, re.MULTILINE))
    made = {name for names in made for name in names if name}
    used = set(re.findall(r"\{(?:eq|numref|prf:ref)\}`([\w-]+)`|\]\((kanezaki-[\w-]+)\)", chapter))
    assert {name for names in used for name in names if name} <= made


def test_every_task_of_the_exercise_has_a_row(chapter, root):
    yaml = pytest.importorskip("yaml")
    lessons = yaml.safe_load((root / "course.yml").read_text(encoding="utf-8"))["lessons"]
    tasks = lessons["06_kanezaki"]["tasks"]
    table = chapter.split("## How to read the exercise")[1].split("## Summary")[0]
    assert len(re.findall(r"^\| \d+\. ", table, re.MULTILINE)) == len(tasks)


# ---- the similarity loss --------------------------------------------------------------------------------------------


def test_gradient_is_probability_minus_target(seed):
    r = np.random.default_rng(seed).normal(size=(6, 4))
    target = r.argmax(axis=1)
    slope = (softmax(r) - np.eye(4)[target]) / 6
    for at in np.ndindex(r.shape):
        step = np.zeros_like(r)
        step[at] = 1e-6
        numeric = (own_loss(r + step, target) - own_loss(r - step, target)) / 2e-6
        assert numeric == pytest.approx(slope[at], abs=1e-8)
    shares = np.bincount(target, minlength=4) / 6
    np.testing.assert_allclose(slope.sum(axis=0), softmax(r).mean(axis=0) - shares, atol=1e-12)  # of a shared shift


def test_a_pixel_by_itself_never_changes_its_label(seed):
    r = np.random.default_rng(seed).normal(size=(300, 8))
    before = r.argmax(axis=1)
    for _ in range(200):
        r -= softmax(r) - np.eye(8)[r.argmax(axis=1)]
    np.testing.assert_array_equal(r.argmax(axis=1), before)
    assert softmax(r).max(axis=1).mean() > 0.95


def test_a_shift_collapses_and_a_normalization_holds_it(chapter):
    shares_over_time = code_of(chapter, "shares_over_time")
    plain = [share for _, share in shares_over_time(False)]
    held = [share for _, share in shares_over_time(True)]
    assert plain[-1].max() == 1 > plain[0].max() + 0.5
    for share in held:
        np.testing.assert_array_equal(share, held[0])
    assert (held[0] > 0.2).all()


def test_normalized_responses_have_no_single_winner(seed):
    for q in (2, 3, 5):
        assert len(np.unique(normalized(seed, q=q).argmax(axis=1))) > 1
    tied = np.repeat(normalized(seed)[:, :1], 3, axis=1)  # the exception: all channels equal
    assert (tied.argmax(axis=1) == 0).all()


def test_scale_pleases_the_loss_and_two_fixed_channels_do_not(seed):
    r = np.random.default_rng(seed).normal(size=(50, 4))
    two = np.sort(r, axis=1)[:, -2:]
    margin = (two[:, 1] - two[:, 0]).min()
    for c in (1, 10, 1000):
        assert own_loss(c * r, r.argmax(axis=1)) <= 3 * np.exp(-c * margin) + 1e-12  # quiz 8
    half = np.repeat([[1.0, -1.0], [-1.0, 1.0]], 25, axis=0)
    assert own_loss(half, half.argmax(axis=1)) == pytest.approx(np.log1p(np.exp(-2)))  # quiz 9
    for other in range(20):
        x = normalized([seed, other], q=2)
        assert own_loss(x, x.argmax(axis=1)) >= np.log1p(np.exp(-2)) - 1e-12


# ---- the continuity loss --------------------------------------------------------------------------------------------


def test_continuity_by_hand_and_its_weights():
    torch = pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    loss = float(kanezaki.continuity_loss(torch.tensor([[[[0.0, 1.0], [0.0, 5.0]]]])))
    assert loss == 2 + 3
    r = torch.arange(35.0).sin().reshape(1, 1, 5, 7)
    down, across = (r[:, :, 1:] - r[:, :, :-1]).abs(), (r[..., 1:] - r[..., :-1]).abs()
    assert float(kanezaki.continuity_loss(r)) == pytest.approx(float(down.mean() + across.mean()))
    assert down.numel() == 4 * 7 and across.numel() == 5 * 6  # (h - 1) w and h (w - 1)


def test_gradient_of_continuity_counts_neighbors(seed):
    torch = pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    r = torch.tensor([[[[0.0, 1.0], [0.0, 5.0]]]], requires_grad=True)
    kanezaki.continuity_loss(r).backward()
    assert r.grad[0, 0].tolist() == [[-0.5, 0], [-0.5, 1]]  # by hand in the text
    q, h, w = 3, 5, 7
    r = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, q, h, w))).requires_grad_()
    kanezaki.continuity_loss(r).backward()
    above = np.pad(r.detach().numpy()[0], ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    own = above[:, 1:-1, 1:-1]
    v = sum(np.nan_to_num(np.sign(own - other)) for other in (above[:, :-2, 1:-1], above[:, 2:, 1:-1]))
    u = sum(np.nan_to_num(np.sign(own - other)) for other in (above[:, 1:-1, :-2], above[:, 1:-1, 2:]))
    np.testing.assert_allclose(r.grad[0].numpy(), v / (q * (h - 1) * w) + u / (q * h * (w - 1)), atol=1e-15)


def test_absolute_differences_do_not_care_for_the_ramp_and_squares_do():
    step, ramp = np.diff(np.repeat([0.0, 1.0], 5)), np.diff(np.linspace(0, 1, 10))
    there_and_back = np.diff([0, 0, 0, 1, 1, 0, 0, 1, 1, 1.0])
    assert abs(step).sum() == pytest.approx(abs(ramp).sum()) == 1 and abs(there_and_back).sum() == 3
    assert (ramp**2).sum() < 0.2 * (step**2).sum()


# ---- the network ----------------------------------------------------------------------------------------------------


def test_a_response_depends_on_five_by_five_pixels_and_weights_outnumber_the_photo(small, coffee):
    torch = pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    convolutions = torch.nn.Sequential(*(part for part in kanezaki.build(small) if "Norm" not in type(part).__name__))
    x = torch.rand(1, 3, 11, 13, requires_grad=True)
    convolutions(x)[0, :, 5, 6].sum().backward()
    rows, columns = x.grad[0].abs().sum(0).nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 7, 4, 8)
    weights = {q: sum(w.numel() for w in kanezaki.build(replace(small, channels=q)).parameters()) for q in (32, 100)}
    assert weights[100] > coffee.size > weights[32]


def test_the_less_normalization_the_fewer_labels(small, coffee):
    runs = {norm: plots_kanezaki.label_counts(coffee, small, norm=norm) for norm in plots_kanezaki.NORMS}
    last = {norm: run.labels[-1] for norm, run in runs.items()}
    assert last["none"] == 1 <= last["hidden"] < last["learned"] < last["fixed"]
    assert max(last["shift"], last["scale"], last["learned"]) < last["fixed"]  # "each alone leaves about as few"
    assert runs["none"].labels[0] < 8 < 30 <= runs["hidden"].labels[0]  # "favor a few channels from the first step on"
    assert runs["none"].labels[5] == 1 and runs["hidden"].labels[19] < 8


def test_continuity_lowers_the_number_and_in_the_end_collapses(small, coffee):
    counts = [plots_kanezaki.label_counts(coffee, replace(small, continuity=mu)).labels[-1] for mu in (0, 1, 5, 20)]
    assert counts[0] > counts[1] > counts[2] > counts[3] == 1  # the collapse in the end


def test_one_label_is_the_best_answer_of_the_whole_loss(small, coffee):
    torch = pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    network = kanezaki.build(small)
    for c in (1.0, 20.0):
        torch.nn.init.zeros_(network[-1].weight)
        torch.nn.init.zeros_(network[-1].bias)
        with torch.no_grad():
            network[-1].bias[4] = c
            r = network(torch.from_numpy(coffee.transpose(2, 0, 1)[None] / np.float32(255)))
        target = kanezaki.targets(r)
        assert (target == 4).all() and float(kanezaki.continuity_loss(r)) == 0
        assert float(kanezaki.similarity_loss(r, target)) == pytest.approx(np.log1p(31 * np.exp(-c)), abs=1e-6)


def train(network, x, steps, mu):
    """The plain loop, for networks that the library would not build; the network and its number of labels."""
    import torch

    from unseg_helpers import kanezaki

    descent = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        response = network(x)
        found = kanezaki.targets(response)
        loss = kanezaki.similarity_loss(response, found) + mu * kanezaki.continuity_loss(response)
        descent.zero_grad()
        loss.backward()
        descent.step()
    return len(torch.unique(found))


def test_quiz_3_and_7_relu_behind_the_last_norm_and_running_statistics(small, coffee):
    torch = pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    x = torch.from_numpy(coffee.transpose(2, 0, 1)[None] / np.float32(255))
    with_relu = torch.nn.Sequential(*kanezaki.build(small), torch.nn.ReLU())
    same = kanezaki.targets(with_relu(x)) == kanezaki.targets(with_relu[:-1](x))
    assert same.float().mean() > 0.99  # "at first no label changes"
    assert train(with_relu, x, 60, 5) > plots_kanezaki.label_counts(coffee, small).labels[-1]
    parts = (torch.nn.BatchNorm2d(32) if "Norm" in type(part).__name__ else part for part in kanezaki.build(small))
    running = torch.nn.Sequential(*parts)
    train(running, x, 10, 5)
    labels = kanezaki.targets(running(x))
    assert (kanezaki.targets(running.eval()(x)) != labels).float().mean() > 0.35  # "about half"


def test_strokes_name_their_pixels_and_hold_the_coffee(chapter, small, coffee):
    from unseg_helpers import kanezaki

    body = next(cell for cell in CELL.findall(chapter) if "\nstrokes = [" in cell)
    space = {}
    exec(re.search(r"^TABLE,.*?^\]$", body, re.DOTALL | re.MULTILINE)[0], space)
    assert len(space["strokes"]) == 4
    drawn = plots_kanezaki.scribbles(coffee.shape[:2], space["strokes"][:3])
    found, trained = kanezaki.fit(coffee, small, scribbles=drawn, device="cpu")
    channels = np.argsort(trained.rank)[found.labels]
    for label in range(3):
        assert (channels[drawn == label] == label).mean() > 0.5
    cup = plots_kanezaki.shrink(datasets.photo("coffee").truth.astype(int), 90) == 3  # the coffee in it
    assert (channels[cup] == space["COFFEE"]).mean() > 0.5


def test_the_coins_are_swallowed_and_the_score_does_not_mind(small):
    from unseg_helpers import gmm, kanezaki, kmeans, metrics

    sample = datasets.photo("coins")
    image, truth = (plots_kanezaki.shrink(x, 90) for x in (sample.image, sample.truth.astype(int)))
    labels = kanezaki.fit(image, small, device="cpu")[0].labels
    assert (labels == 0).mean() > 0.9
    for clusters in (
        kmeans.segment(image, 5, position=0.5, n_init=5, rng=0),
        gmm.segment(image, 5, position=0.5, rng=0),
    ):
        assert metrics.covering(truth, labels) > metrics.covering(truth, clusters) + 0.05


def test_with_weak_continuity_the_labels_freeze(small, coffee):
    run = plots_kanezaki.label_counts(coffee, replace(small, continuity=1.0))
    assert len(set(run.labels[-20:])) == 1 and run.labels[-1] > 10
