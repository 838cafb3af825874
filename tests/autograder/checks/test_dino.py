"""Lesson 04: other right solutions get all points, and points fall the way the lesson says."""

from __future__ import annotations

import numpy as np
import pytest
from answers import Answers
from scipy.ndimage import map_coordinates, zoom
from scipy.special import log_softmax, logsumexp, softmax

from autograder.checks import dino as checks
from autograder.lesson import Lesson, run_check
from autograder.student import LocalStudent

lesson: Lesson = checks.lesson

# Right answers, written in as few lines as possible; the checks' own truth, so the tests need no solutions/.
RIGHT = {
    "patchify": checks.cut_out,
    "resize_positions": checks.resized,
    "self_attention": checks.attended,
    "keys_and_attention": checks.looked_at,
    "similarity": checks.cosines,
    "pca_maps": checks.principal,
    "dino_loss": checks.loss,
    "update": checks.updated,
    "knn": checks.voted,
}


answers = Answers(lesson, RIGHT)
results, lost = answers.results, answers.lost


# --- Other ways to be right ---


def single(function):
    """The same with 32-bit floats."""

    def changed(*args):
        args = [a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args]
        return function(*args)

    changed.__name__ = f"{function.__name__}_single"
    return changed


def patches_by_loop(image, patch):
    rows = []
    for top in range(0, image.shape[0] - patch + 1, patch):
        for left in range(0, image.shape[1] - patch + 1, patch):
            square = image[top : top + patch, left : left + patch]
            rows.append(np.concatenate([square[..., channel].ravel() for channel in range(3)]).tolist())
    return rows


def patches_by_einsum(image, patch):
    h, w = image.shape[0] // patch, image.shape[1] // patch
    return np.einsum("hiwjc->hwcij", image[: h * patch, : w * patch].reshape(h, patch, w, patch, 3)).reshape(h * w, -1)


def positions_by_zoom(positions, h, w):
    s, d = round((len(positions) - 1) ** 0.5), positions.shape[1]
    grid = positions[1:].reshape(s, s, d)
    grid = zoom(grid, (h / s, w / s, 1), order=1, mode="nearest", grid_mode=True)
    return np.concatenate([positions[:1], grid.reshape(h * w, d)])


def positions_by_map(positions, h, w):
    s, d = round((len(positions) - 1) ** 0.5), positions.shape[1]
    places = np.meshgrid((np.arange(h) + 0.5) * s / h - 0.5, (np.arange(w) + 0.5) * s / w - 0.5, indexing="ij")
    grid = positions[1:].T.reshape(d, s, s)
    columns = [map_coordinates(part, places, order=1, mode="nearest").ravel() for part in grid]
    return np.vstack([positions[0], np.stack(columns, axis=1)])


def positions_by_interp(positions, h, w):
    """np.interp keeps what lies outside at the border by itself."""
    s, d = int(np.sqrt(len(positions) - 1) + 0.5), positions.shape[1]
    y, x = (np.arange(h) + 0.5) * s / h - 0.5, (np.arange(w) + 0.5) * s / w - 0.5
    tall = np.array(
        [[np.interp(y, np.arange(s), line) for line in plane] for plane in positions[1:].reshape(s, s, d).T]
    )
    both = np.array([[np.interp(x, np.arange(s), line) for line in plane.T] for plane in tall])  # (d, h, w)
    return np.vstack([positions[:1], both.reshape(d, h * w).T])


def attention_by_loop(qkv, heads):
    d = qkv.shape[1] // 3
    size = d // heads
    out, weights = [], []
    for head in range(heads):
        q, k, v = (qkv[:, part * d + head * size : part * d + (head + 1) * size] for part in range(3))
        weights.append(softmax(q @ k.T / size**0.5, axis=-1))
        out.append(weights[-1] @ v)
    return [np.hstack(out), weights]


def keys_by_heads(qkv, heads, h, w):
    """By way of (heads, n, d / heads), with the transpose that must not be forgotten."""
    n = len(qkv)
    _, k, _ = qkv.reshape(n, 3, heads, -1).transpose(1, 2, 0, 3)
    maps = [weights[0][1:].reshape(h, w) for weights in attention_by_loop(qkv, heads)[1]]
    return k.transpose(1, 0, 2)[1:].reshape(h, w, -1), np.array(maps)


def similarity_by_loop(features, row, column):
    query = features[row, column]
    lengths = np.sqrt((features**2).sum(-1))
    return [
        [float(f @ query / n / lengths[row, column]) for f, n in zip(*r, strict=True)]
        for r in zip(features, lengths, strict=True)
    ]


def maps_by_eigh(features, n):
    h, w, d = features.shape
    x = features.reshape(h * w, d) - features.mean(axis=(0, 1))
    _, axes = np.linalg.eigh(np.cov(x.T))
    return (x @ axes[:, ::-1][:, :n]).reshape(h, w, n)


def maps_turned(features, n):
    """Each axis turned round."""
    return -checks.principal(features, n)


def maps_by_gram(features, n):
    h, w, d = features.shape
    x = features.reshape(h * w, d) - features.reshape(h * w, d).mean(0)
    values, left = np.linalg.eigh(x @ x.T)
    order = np.argsort(-values)[:n]
    return (left[:, order] * np.sqrt(values[order]) * [1, -1, 1, -1][:n]).reshape(h, w, n)


def loss_by_loop(student, teacher, center, tau_student, tau_teacher):
    total, count = 0.0, 0
    for i, t in enumerate(teacher):
        p = softmax((t - center) / tau_teacher, axis=1)
        for j, s in enumerate(student):
            if i != j:
                total += -(p * log_softmax(s / tau_student, axis=1)).sum(axis=1)
                count += 1
    return np.array([total.mean() / count])


def loss_by_logsumexp(student, teacher, center, tau_student, tau_teacher):
    """Cross-entropy as logsumexp(s) - p.s: since p sums to 1."""
    p, s = softmax((teacher - center) / tau_teacher, axis=2), student / tau_student
    pairs = [logsumexp(s[j], axis=1) - (p[i] * s[j]).sum(1) for i in (0, 1) for j in range(len(s)) if j != i]
    return float(np.mean(pairs))


def update_by_step(teacher, student, center, outputs, momentum, center_momentum):
    mean = outputs.reshape(-1, outputs.shape[2]).mean(0)
    return [(teacher + (1 - momentum) * (student - teacher)).tolist(), center + (1 - center_momentum) * (mean - center)]


def vote_by_partition(bank, labels, queries, k, tau):
    bank = bank / np.linalg.norm(bank, axis=1)[:, None]
    queries = queries / np.linalg.norm(queries, axis=1)[:, None]
    table = []
    for query in queries:
        cosines = bank @ query
        chosen = np.argpartition(-cosines, k - 1)[:k]
        votes = np.exp((cosines[chosen] - 1) / tau)  # another factor, which the division takes away
        table.append(np.bincount(labels[chosen], votes, minlength=labels.max() + 1) / votes.sum())
    return table


OTHERS = [
    ("patchify", patches_by_loop),
    ("patchify", patches_by_einsum),
    ("patchify", single(patches_by_einsum)),
    ("resize_positions", positions_by_zoom),
    ("resize_positions", positions_by_map),
    ("resize_positions", positions_by_interp),
    ("resize_positions", single(checks.resized)),
    ("self_attention", attention_by_loop),
    ("self_attention", single(attention_by_loop)),
    ("keys_and_attention", keys_by_heads),
    ("keys_and_attention", single(keys_by_heads)),
    ("similarity", similarity_by_loop),
    ("similarity", single(checks.cosines)),
    ("pca_maps", maps_by_eigh),
    ("pca_maps", maps_turned),
    ("pca_maps", maps_by_gram),
    ("pca_maps", single(checks.principal)),
    ("pca_maps", single(maps_by_eigh)),
    ("dino_loss", loss_by_loop),
    ("dino_loss", loss_by_logsumexp),
    ("dino_loss", single(loss_by_loop)),
    ("update", update_by_step),
    ("update", single(checks.updated)),
    ("knn", vote_by_partition),
    ("knn", single(vote_by_partition)),
]


@pytest.mark.parametrize(("task", "function"), OTHERS, ids=[f"{t}-{f.__name__}" for t, f in OTHERS])
def test_other_right_solutions_get_all_points(task, function, seed):
    assert lost(task, function, seed) == {}


@pytest.mark.parametrize("task", RIGHT)
def test_the_truth_of_the_checks_passes_them(task, seed):
    assert lost(task, RIGHT[task], seed) == {}


# --- What costs how much ---


def test_there_are_four_mistakes_for_every_task():
    for task in lesson.tasks:
        assert sum(m.task == task for m in lesson.mistakes) >= 4, task


PARTLY = [
    ("patchify", checks.cut_left_and_top, {"right_and_bottom_cut": 3, "one_patch_and_one_pixel": 3}),
    ("patchify", checks.filled_up, {"right_and_bottom_cut": 3, "one_patch_and_one_pixel": 3}),
    ("self_attention", checks.naive_softmax, {"large_products": 4}),
    ("self_attention", checks.one_maximum, {"large_products": 4}),
    ("self_attention", checks.merged_without_transpose, {"heads_side_by_side": 6, "large_products": 4}),
    ("keys_and_attention", checks.queries_returned, {"keys_on_the_grid": 5}),
    ("keys_and_attention", checks.keys_not_transposed, {"keys_on_the_grid": 5}),
    ("keys_and_attention", checks.column_of_cls, {"what_cls_looks_at": 5}),
    ("pca_maps", checks.largest_last, {"several_components": 6, "few_patches_many_features": 3}),
    ("dino_loss", checks.large_views_only, {"small_views_too": 5, "far_apart": 4}),
    ("dino_loss", checks.log_of_softmax, {"far_apart": 4}),
    ("dino_loss", checks.small_number_added, {"far_apart": 4}),
    ("update", checks.teacher_jumps, {"teacher_follows": 4}),
    ("update", checks.center_of_one_view, {"center_follows": 4}),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("task", "function", "expected"), PARTLY, ids=[f"{t}-{f.__name__}" for t, f, _ in PARTLY])
def test_a_single_slip_costs_only_its_own_check(task, function, expected, seed):
    assert lost(task, function, seed) == expected


@pytest.mark.parametrize("task", RIGHT)
def test_changing_an_argument_costs_one_check_and_is_not_taken_for_a_mistake(task, seed):
    def spoil(first, *others):
        result = RIGHT[task](first.copy(), *others)
        first += 1
        return result

    wrong = [r for r in results(task, spoil, seed) if r.status != "passed"]
    assert len(wrong) == 1 and "in place" in wrong[0].message and wrong[0].mistake is None


# --- Points for something else ---


def whitened(features, n):
    """Right directions, wrong lengths."""
    maps = checks.principal(features, n)
    return maps / maps.std(axis=(0, 1))


def rotated(features, n):
    """The right plane, but other axes in it: only the sign is free."""
    maps = checks.principal(features, n)
    turn = np.linalg.qr(np.arange(1.0, n * n + 1).reshape(n, n) ** 1.5)[0]
    return maps @ turn


def random_plane(features, n):
    h, w, d = features.shape
    x = (features - features.mean(axis=(0, 1))).reshape(-1, d)
    return (x @ np.linalg.qr(np.random.default_rng(0).normal(size=(d, n)))[0]).reshape(h, w, n)


@pytest.mark.parametrize("function", [whitened, random_plane])
def test_maps_of_other_axes_earn_nothing(function, seed):
    assert sum(lost("pca_maps", function, seed).values()) == 14


def test_only_the_sign_of_a_component_is_free(seed):
    assert set(lost("pca_maps", rotated, seed)) >= {"several_components", "few_patches_many_features"}


CHEATS = {
    "patchify": lambda image, patch: image,
    "resize_positions": lambda positions, h, w: np.repeat(positions[:1], 1 + h * w, axis=0),
    "self_attention": lambda qkv, heads: (qkv[:, -qkv.shape[1] // 3 :], np.tile(np.eye(len(qkv)), (heads, 1, 1))),
    "keys_and_attention": lambda qkv, heads, h, w: (
        np.zeros((h, w, qkv.shape[1] // 3)),
        np.ones((heads, h, w)) / h / w,
    ),
    "similarity": lambda features, row, column: np.ones(features.shape[:2]),
    "pca_maps": lambda features, n: features[..., :n] - features[..., :n].mean(axis=(0, 1)),
    "dino_loss": lambda student, *others: np.log(student.shape[2]),
    "update": lambda teacher, student, center, *others: (teacher, center),
    "knn": lambda bank, labels, queries, k, tau: np.tile(np.bincount(labels) / len(labels), (len(queries), 1)),
}


@pytest.mark.parametrize("task", RIGHT)
def test_what_is_easy_to_guess_earns_nothing(task, seed):
    assert sum(r.points for r in results(task, CHEATS[task], seed)) == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "nonsense", [None, "labels", 3.5, [], [[1], [2, 3]], {"keys": 1}, float("nan"), [1e308, -1e308]]
)
@pytest.mark.parametrize("task", RIGHT)
def test_nonsense_gets_no_points_and_a_message(task, nonsense):
    for result in results(task, lambda *args: nonsense, seed=1):
        assert result.points == 0
        assert result.message and "could not be judged" not in result.message


# --- The truth itself ---


def test_truth_by_hand():
    image = np.arange(24.0).reshape(2, 4, 3)
    assert checks.cut_out(image, 2)[0].tolist() == [0, 3, 12, 15, 1, 4, 13, 16, 2, 5, 14, 17]
    positions = np.array([[9.0], [0.0], [1.0], [2.0], [3.0]])
    assert checks.resized(positions, 4, 1).ravel().tolist() == [9.0, 0.5, 1.0, 2.0, 2.5]
    even = np.zeros((2, 4, 8))
    assert checks.loss(even, even, np.zeros(8), 0.1, 0.04) == pytest.approx(np.log(8))
    bank, labels = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), np.array([0, 1, 1])
    expected = [np.e / (np.e + 1), 1 / (np.e + 1)]
    assert checks.voted(bank, labels, np.array([[5.0, 0.0]]), 2, 1.0)[0] == pytest.approx(expected)


def test_a_transpose_that_is_forgotten_is_called_by_its_name():
    found = {r.mistake for r in results("self_attention", checks.merged_without_transpose, 1)}
    assert any("without a transpose" in (name or "") for name in found)


def test_the_truth_agrees_with_the_network_that_ships():
    """Patches, heads, keys and maps of the library are those of the exercise."""
    numpy_vit = pytest.importorskip("unseg_helpers.minidino.numpy_vit")
    image = np.random.default_rng(0).integers(256, size=(43, 58, 3), dtype=np.uint8)
    rows = numpy_vit.patchify(image)
    normal = (image / 255 - numpy_vit.MEAN) / numpy_vit.STD
    assert checks.cut_out(normal, 8) == pytest.approx(rows.reshape(-1, 192), abs=1e-4)


def test_large_products_leave_nothing_to_an_early_exp(seed):
    """What the comment of `large_products` promises: every row is lost without the largest entry subtracted."""
    seen = []

    def watch(qkv, heads):
        q, k, _ = checks.split(qkv, heads)
        seen.append(np.abs((q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])).max(axis=2)).min())
        return checks.attended(qkv, heads)

    check = next(c for c in lesson.checks if c.id.endswith("large_products"))
    assert run_check(check, LocalStudent({**RIGHT, "self_attention": watch}), seed, lesson).status == "passed"
    assert min(seen) > 1500


def test_attention_of_the_inputs_is_neither_even_nor_all_on_one_token(seed):
    rng = np.random.default_rng(seed)
    for n, heads, size in checks.tokens(rng, 5):
        weights = checks.attended(checks.outputs(rng, n, heads, size), heads)[1]
        assert 1.3 / n < weights.max(axis=2).mean() < 0.95
