"""Lesson 03: other right solutions get all points, and points fall the way the lesson says."""

from __future__ import annotations

import numpy as np
import pytest
from answers import Answers
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from autograder.checks import gmm as checks
from autograder.lesson import Lesson

lesson: Lesson = checks.lesson


# --- Right answers, written in as few lines as possible; the checks' own truth, so the tests need no solutions/ ---


def choose_k(x, ks, rng):
    values = checks.scored(x, ks, rng)
    return ks[np.argmin(values)], values


RIGHT = {
    "log_density": checks.log_normal,
    "log_sum_exp": checks.log_sum,
    "e_step": checks.expectation,
    "m_step": checks.maximization,
    "start_from_labels": checks.started,
    "em": checks.ascended,
    "bic": checks.bic_of,
    "choose_k": choose_k,
    "segment": lambda image, k, rng: checks.segmented(image, k, rng).reshape(image.shape[:2]),
}


answers = Answers(lesson, RIGHT)
results, lost = answers.results, answers.lost


# --- Other ways to be right ---


def density_inverse(x, mean, cov):
    gap = x - mean
    square = np.einsum("nd,de,ne->n", gap, np.linalg.inv(cov), gap)
    return -0.5 * (square + np.linalg.slogdet(2 * np.pi * cov)[1])


def density_triangular(x, mean, cov):
    lower = np.linalg.cholesky(cov)
    z = solve_triangular(lower, (x - mean).T, lower=True)
    return -0.5 * np.sum(z * z, axis=0) - np.log(np.diag(lower)).sum() - len(mean) / 2 * np.log(2 * np.pi)


def density_eigen(x, mean, cov):
    values, axes = np.linalg.eigh(cov)
    z = (x - mean) @ axes / np.sqrt(values)
    return -0.5 * ((z**2).sum(1) + np.log(2 * np.pi * values).sum())


def density_loop(x, mean, cov):
    constant = -0.5 * (len(mean) * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1])
    return [float(constant - 0.5 * (p - mean) @ np.linalg.solve(cov, p - mean)) for p in x]


def density_single(x, mean, cov):
    x, mean, cov = (a.astype(np.float32) for a in (x, mean, cov))
    return checks.log_normal(x, mean, cov).astype(np.float32)


def density_scipy(x, mean, cov):
    return multivariate_normal(mean, cov, allow_singular=False).logpdf(x).reshape(len(x))


def sum_scipy(a):
    return logsumexp(a, axis=1)


def sum_logaddexp(a):
    return np.logaddexp.reduce(a, axis=1)


def sum_loop(a):
    return [float(max(row) + np.log(sum(np.exp(v - max(row)) for v in row))) for row in a]


def sum_single(a):
    a = a.astype(np.float32)
    return a.max(1) + np.log(np.exp(a - a.max(1, keepdims=True)).sum(1))


def e_softmax(x, weights, means, covs):
    """Shifts by the largest entry itself, and divides at the end."""
    a = np.array([np.log(weights[j]) + density_eigen(x, means[j], covs[j]) for j in range(len(weights))]).T
    p = np.exp(a - a.max(axis=1, keepdims=True))
    total = p.sum(axis=1, keepdims=True)
    return [p / total, np.mean(np.log(total) + a.max(axis=1, keepdims=True))]


def e_single(x, weights, means, covs):
    a = np.column_stack([np.log(w) + density_single(x, m, c) for w, m, c in zip(weights, means, covs, strict=True)])
    total = np.logaddexp.reduce(a.astype(np.float32), axis=1)
    return np.exp(a - total[:, None]), np.float32(total.mean())


def m_einsum(x, resp):
    counts = resp.sum(axis=0)
    means = np.einsum("nk,nd->kd", resp, x) / counts[:, None]
    gap = x[:, None] - means
    covs = np.einsum("nk,nkd,nke->kde", resp, gap, gap) / counts[:, None, None]
    return resp.mean(axis=0), means, covs + 1e-6 * np.eye(x.shape[1])


def m_moments(x, resp):
    """E[x x'] - mean mean', lists instead of arrays."""
    weights, means, covs = [], [], []
    for r in resp.T:
        mean = np.average(x, axis=0, weights=r)
        weights.append(r.sum() / len(x))
        means.append(mean)
        covs.append((x.T * r) @ x / r.sum() - np.outer(mean, mean) + 1e-5 * np.eye(x.shape[1]))
    return [weights, means, covs]


def m_cov(x, resp):
    counts = resp.sum(0)
    covs = [np.atleast_2d(np.cov(x.T, aweights=r, ddof=0)) + 1e-6 * np.eye(x.shape[1]) for r in resp.T]
    return counts / counts.sum(), (resp / counts).T @ x, np.stack(covs)


def m_more_regular(x, resp):
    """A thousandth of the variance of the data."""
    weights, means, covs = checks.maximization(x, resp, floor=0)
    return weights, means, covs + 1e-3 * x.var(axis=0).mean() * np.eye(x.shape[1])


def m_single(x, resp):
    return tuple(part.astype(np.float32) for part in checks.maximization(x.astype(np.float32), resp.astype(np.float32)))


def start_loop(x, labels, k):
    clusters = [x[labels == j] for j in range(k)]
    covs = [np.cov(c.T, bias=True).reshape(x.shape[1], -1) + 1e-6 * np.eye(x.shape[1]) for c in clusters]
    return np.bincount(labels, minlength=k) / len(x), np.array([c.mean(axis=0) for c in clusters]), np.array(covs)


def start_more_regular(x, labels, k):
    return m_more_regular(x, np.eye(k)[labels])


def em_without_first_entry(x, weights, means, covs, max_iter=100, tol=1e-4):
    *model, history = checks.ascended(x, weights, means, covs, max_iter, tol)
    return *model, history[1:]


def em_breaks_before_the_m_step(x, weights, means, covs, max_iter=100, tol=1e-4):
    """E step, entry, stop or M step: one entry less, and one M step less where it stops by itself."""
    history = []
    for _ in range(max_iter):
        resp, value = checks.expectation(x, weights, means, covs)
        history.append(value)
        if len(history) > 1 and history[-1] - history[-2] < tol:
            break
        weights, means, covs = m_einsum(x, resp)
    return weights, means, covs, np.array(history)


def em_relative(x, weights, means, covs, max_iter=100, tol=1e-4):
    """Stops by the rise relative to the log-likelihood, looked at with <=, and is more regular."""
    resp, value = checks.expectation(x, weights, means, covs)
    history = [value]
    while len(history) <= max_iter:
        weights, means, covs = m_more_regular(x, resp)
        resp, value = e_softmax(x, weights, means, covs)
        history.append(value)
        if abs(history[-1] - history[-2]) <= tol * abs(history[-2]):
            break
    return [weights, means, covs, history]


def em_one_entry_more(x, weights, means, covs, max_iter=100, tol=1e-4):
    *model, history = checks.ascended(x, weights, means, covs, max_iter, tol)
    return *model, [*history, checks.ascended(x, *model, 1, 0.0)[3][-1]]


def bic_loop(x, weights, means, covs):
    n, (k, d) = len(x), np.shape(means)
    total = sum(
        np.log(sum(w * np.exp(density_loop([p], m, c)[0]) for w, m, c in zip(weights, means, covs, strict=True)))
        for p in x
    )
    return np.array([-2 * total + np.log(n) * (k * (1 + d + d * (d + 1) / 2) - 1)])


def choose_more_runs(x, ks, rng):
    values = [float(checks.bic_of(x, *checks.fitted(x, int(k), rng, 6, m_more_regular, tol=1e-5)[:3])) for k in ks]
    return int(ks[int(np.argmin(values))]), values


def choose_early(x, ks, rng):
    """Two runs, which stop early."""
    values = [float(checks.bic_of(x, *checks.fitted(x, int(k), rng, 2, tol=1e-3)[:3])) for k in ks]
    return int(ks[int(np.argmin(values))]), values


def segment_other_numbers(image, k, rng):
    """The same segments under other numbers, as small integers."""
    return (k - 1 - checks.segmented(image, k, rng).reshape(image.shape[:2])).astype(np.uint8)


def segment_whole_numbers(image, k, rng):
    """Colors from 0 to 255, six runs, more regularization."""
    x = image.reshape(-1, 3).astype(float)
    model = checks.fitted(x, k, rng, 6, m_more_regular)[:3]
    return checks.expectation(x, *model)[0].argmax(axis=1).reshape(image.shape[:2])


OTHERS = [
    ("log_density", density_inverse),
    ("log_density", density_triangular),
    ("log_density", density_eigen),
    ("log_density", density_loop),
    ("log_density", density_single),
    ("log_density", density_scipy),
    ("log_sum_exp", sum_scipy),
    ("log_sum_exp", sum_logaddexp),
    ("log_sum_exp", sum_loop),
    ("log_sum_exp", sum_single),
    ("e_step", e_softmax),
    ("e_step", e_single),
    ("m_step", m_einsum),
    ("m_step", m_moments),
    ("m_step", m_cov),
    ("m_step", m_more_regular),
    ("m_step", m_single),
    ("start_from_labels", start_loop),
    ("start_from_labels", start_more_regular),
    ("em", em_without_first_entry),
    ("em", em_breaks_before_the_m_step),
    ("em", em_relative),
    ("em", em_one_entry_more),
    ("bic", bic_loop),
    ("choose_k", choose_more_runs),
    ("choose_k", choose_early),
    ("segment", segment_other_numbers),
    ("segment", segment_whole_numbers),
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
    ("log_density", checks.log_of_density, {"beyond_the_smallest_float": 5}),
    ("log_density", checks.log_of_det, {"beyond_the_smallest_float": 5}),
    ("log_sum_exp", checks.naive_log_sum, {"any_size_of_number": 5}),
    ("log_sum_exp", checks.one_top_for_all, {"any_size_of_number": 5}),
    ("e_step", checks.exp_too_early, {"far_from_everything": 5}),
    ("e_step", checks.summed_likelihood, {"mean_log_likelihood": 4, "far_from_everything": 5}),
    ("m_step", checks.no_regularization, {"collapsed_component": 4}),
    ("m_step", checks.added_everywhere, {"collapsed_component": 4}),
    ("start_from_labels", checks.start_not_regularized, {"clusters_of_few_points": 3}),
    ("em", checks.never_stops, {"stops_by_itself": 5}),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("task", "function", "expected"), PARTLY, ids=[f"{t}-{f.__name__}" for t, f, _ in PARTLY])
def test_a_single_slip_costs_only_its_own_check(task, function, expected, seed):
    assert lost(task, function, seed) == expected


@pytest.mark.parametrize("task", [t for t in RIGHT if t != "segment"])
def test_changing_an_argument_costs_one_check_and_is_not_taken_for_a_mistake(task, seed):
    def spoil(first, *others):
        result = RIGHT[task](first.copy(), *others)
        first += 1
        return result

    wrong = [r for r in results(task, spoil, seed) if r.status != "passed"]
    assert len(wrong) == 1 and "in place" in wrong[0].message and wrong[0].mistake is None


# --- Points for something else ---


def drawn_history(x, weights, means, covs, max_iter=100, tol=1e-4):
    """Right parameters, and a straight line from the first to the last log-likelihood."""
    *model, history = checks.ascended(x, weights, means, covs, max_iter, tol)
    return *model, np.linspace(history[0], history[-1], len(history))


def test_an_invented_history_is_no_history(seed):
    found = lost("em", drawn_history, seed)
    assert set(found) == {"history_of_the_likelihood", "stops_by_itself"}


def spherical(x, resp):
    weights, means, covs = checks.maximization(x, resp)
    d = x.shape[1]
    return weights, means, covs.trace(axis1=1, axis2=2)[:, None, None] / d * np.eye(d)


def tied(x, resp):
    weights, means, covs = checks.maximization(x, resp)
    return weights, means, np.repeat(np.einsum("k,kde->de", weights, covs)[None], len(weights), axis=0)


def kmeans(image, k, rng):
    return checks.only_kmeans(image, k, rng)


def by_hue(image, k, rng):
    """k-means of colors without their brightness: no match for light of any color."""
    x = image.reshape(-1, 3) / 255
    return checks.rough_labels(x / (x.sum(axis=1, keepdims=True) + 0.05), k, rng).reshape(image.shape[:2])


def whitened(image, k, rng):
    """k-means in coordinates in which all pixels together form a round cloud."""
    x = image.reshape(-1, 3) / 255
    axes = np.linalg.cholesky(np.cov(x.T))
    return checks.rough_labels(np.linalg.solve(axes, (x - x.mean(axis=0)).T).T, k, rng).reshape(image.shape[:2])


def mixture_of(m_step):
    def segment(image, k, rng):
        return checks.segmented(image, k, rng, m_step=m_step).reshape(image.shape[:2])

    return segment


WEAKER = {
    "k-means": kmeans,
    "hue": by_hue,
    "whitened": whitened,
    "diagonal": mixture_of(checks.diagonal_covs),
    "spherical": mixture_of(spherical),
    "tied": mixture_of(tied),
    "quarters": lambda image, k, rng: np.add.outer(*(np.arange(n) * 2 // n for n in image.shape[:2])) % k,
}


@pytest.mark.parametrize("function", WEAKER.values(), ids=WEAKER)
def test_weaker_methods_earn_little_for_crossing_clouds(function):
    points = [
        sum(r.points for r in results("segment", function, seed) if not r.id.endswith("clear_cut")) for seed in range(3)
    ]
    assert np.mean(points) < 1.5  # of 8


def test_a_fixed_number_of_segments_does_not_do(seed):
    four = lambda image, k, rng: checks.segmented(image, 4, rng).reshape(image.shape[:2])  # noqa: E731
    assert lost("segment", four, seed)["clear_cut"] == 2


def test_segments_come_with_figures(seed):
    found = {r.id: r.figures for r in results("segment", RIGHT["segment"], seed)}
    for name in ("colored_light", "photos_in_inks"):
        figures = found[f"gmm.segment.{name}"]
        assert len(figures) == 3
        for figure in figures:
            assert list(figure.panels) == ["image", "yours", "expected"]
            assert figure.panels["yours"].shape == figure.panels["image"].shape[:2]
        same = [(f.panels["yours"] == f.panels["expected"]).mean() for f in figures]
        assert np.mean(same) > 0.8  # the same colors in the picture


def test_printed_images_are_new_each_time_and_all_inks_are_seen(seed):
    rng = np.random.default_rng(seed)
    for light in (checks.waves, checks.photo_light):
        (image, truth), (other, other_truth) = (checks.printed(rng, 38, 50, 4, light) for _ in range(2))
        assert image.dtype == np.uint8 and image.shape == (38, 50, 3)
        assert np.bincount(truth.ravel()).min() > 0.1 * truth.size
        assert (image != other).mean() > 0.9 and (truth != other_truth).any()


def test_labels_read_in_the_wrong_order_get_that_hint(seed):
    assert "along the rows" in results("segment", checks.woven, seed)[0].hint


@pytest.mark.parametrize("nonsense", [None, "labels", 3.5, [], [[1], [2, 3]], {"labels": 1}, float("nan")])
@pytest.mark.parametrize("task", RIGHT)
def test_nonsense_gets_no_points_and_a_message(task, nonsense):
    for result in results(task, lambda *args: nonsense, seed=1):
        assert result.points == 0
        assert result.message


# --- The truth itself ---


def test_truth_by_hand():
    x, unit = np.array([[0.0], [2.0]]), np.ones((1, 1))
    assert checks.log_normal(x, np.zeros(1), 4 * unit) == pytest.approx([-1.6120857, -2.1120857])
    assert checks.log_sum(np.array([[-1000.0, -1000.0], [0.0, -np.inf]])) == pytest.approx([np.log(2) - 1000, 0])
    weights, means, covs = checks.maximization(x, np.ones((2, 1)), floor=0)
    assert (weights, means, covs) == (1, 1, 1)
    assert checks.bic_of(x, weights, means, covs) == pytest.approx(2 * np.log(2) + 2 * np.log(2 * np.pi) + 2)
    assert checks.free_parameters(3, 2) == 17


def test_the_truth_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    model = checks.mixture(rng, 3, 4)
    x = checks.sampled(rng, 50, *model)
    expected = logsumexp([np.log(w) + multivariate_normal(m, c).logpdf(x) for w, m, c in zip(*model, strict=True)], 0)
    assert checks.expectation(x, *model)[1] == pytest.approx(expected.mean())


def test_the_likelihood_of_the_truth_never_falls(seed):
    x, start = checks.poor_start(np.random.default_rng(seed))
    assert (np.diff(checks.ascended(x, *start, 50, 0.0)[3]) > -1e-5).all()


def test_far_points_have_no_density_but_shares(seed):
    """What the comment of `far_away` promises."""
    for k in (2, 3):
        x, model = checks.far_away(np.random.default_rng(seed), k)
        a = checks.joint(x, *model)
        assert (np.exp(a) == 0).all() and (checks.expectation(x, *model)[0].max(axis=1) < 0.9).any()


def test_parts_in_the_wrong_order_are_told_apart(seed):
    def swapped(x, resp):
        weights, means, covs = checks.maximization(x, resp)
        return means, weights, covs

    for result in results("m_step", swapped, seed)[:1]:
        assert "the weights" in result.message and "shape" in result.message
