"""Lesson 06: other right solutions get all points, and points fall the way the lesson says."""

from __future__ import annotations

import numpy as np
import pytest
from answers import Answers
from scipy.ndimage import correlate
from scipy.special import log_softmax

from autograder.checks import kanezaki as checks
from autograder.lesson import Lesson, run_check
from autograder.student import LocalStudent

lesson: Lesson = checks.lesson

# Right answers in NumPy: the checks' own truth, so the tests need neither solutions/ nor torch.
RIGHT = {
    "normalize": checks.normalized,
    "network": checks.respond,
    "targets": checks.winners,
    "similarity_loss": checks.cross_entropy,
    "continuity_loss": checks.unevenness,
    "train_step": checks.stepped,
    "train": checks.trained,
    "clean_up": checks.cleaned,
    "segment": checks.segmented,
}


answers = Answers(lesson, RIGHT)
results, lost = answers.results, answers.lost


# --- Other ways to be right ---


def single(function):
    """The same with 32-bit floats, rounded after each call."""

    def rounded(value):
        if isinstance(value, (list, tuple)):
            return [rounded(part) for part in value]
        value = np.asarray(value)
        return value.astype(np.float32) if value.dtype.kind == "f" else value

    def changed(*args):
        return rounded(function(*[rounded(a) if isinstance(a, np.ndarray) else a for a in args]))

    changed.__name__ = f"{function.__name__}_single"
    return changed


def normalize_by_loop(response):
    return [((r - r.mean()) / np.sqrt(((r - r.mean()) ** 2).mean() + 1e-5)).tolist() for r in response]


def network_by_correlation(image, weights, channels):
    """Each convolution as a sum over the channels, by SciPy; kernels cut out one after the other."""

    def layer(x, kernel):
        return np.array([sum(correlate(a, k, mode="constant") for a, k in zip(x, one, strict=True)) for one in kernel])

    c, at = channels, 27 * channels
    x = normalize_by_loop(np.moveaxis(image, 2, 0))
    x = normalize_by_loop(np.maximum(layer(np.array(x), weights[:at].reshape(c, 3, 3, 3)), 0))
    while at < len(weights) - c * c:
        kernel = weights[at : at + 9 * c * c].reshape(c, c, 3, 3)
        x = normalize_by_loop(np.maximum(layer(np.array(x), kernel), 0))
        at += 9 * c * c
    return normalize_by_loop(np.einsum("oi,ihw->ohw", weights[at:].reshape(c, c), np.array(x)))


def targets_by_sorting(response):
    return np.argsort(response, axis=0)[-1].astype(np.uint8)


def similarity_by_scipy(response, target):
    table = log_softmax(response, axis=0).reshape(len(response), -1)
    return [-np.mean([table[t, i] for i, t in enumerate(target.ravel())])]


def continuity_by_loop(response):
    _, h, w = response.shape
    down = [np.abs(response[:, y + 1] - response[:, y]).mean() for y in range(h - 1)]
    right = [np.abs(response[:, :, x + 1] - response[:, :, x]).mean() for x in range(w - 1)]
    return np.float32(np.mean(down) + np.mean(right))


def clean_up_by_loop(labels, image, least):
    """Numbers from 0 in another order: by size."""
    sizes = {int(n): int((labels == n).sum()) for n in np.unique(labels)}
    largest = max(sizes.values())
    kept = sorted((n for n, size in sizes.items() if size >= least or size == largest), key=sizes.get)
    new = np.zeros(labels.shape, dtype=np.uint8)
    for n in sizes:
        color = image[labels == n].mean(axis=0)
        gaps = [np.linalg.norm(color - image[labels == m].mean(axis=0)) for m in kept]
        new[labels == n] = int(np.argmin(gaps))
    return new


def segment_with_large_numbers(image, rng):
    return 100 * checks.segmented(image, rng) + 7


def train_with_a_running_rate(image, weights, channels, lr, mu, steps, decay, least):
    """The learning rate is divided after the last step of each stretch; counts come as an array."""
    velocity, counts = np.zeros_like(weights), np.zeros(0, dtype=np.int32)
    for done in range(1, steps + 1):
        weights, velocity = checks.stepped(image, weights, velocity, channels, lr, mu)
        lr = lr / 10 if done % decay == 0 else lr
        labels = checks.winners(checks.respond(image, weights, channels))
        counts = np.append(counts, len(set(labels.ravel().tolist())))
        if counts[-1] <= least:
            break
    return labels, counts, weights


OTHERS = [
    ("normalize", normalize_by_loop),
    ("normalize", single(checks.normalized)),
    ("network", network_by_correlation),
    ("network", single(checks.respond)),
    ("targets", targets_by_sorting),
    ("similarity_loss", similarity_by_scipy),
    ("similarity_loss", single(checks.cross_entropy)),
    ("continuity_loss", continuity_by_loop),
    ("train_step", single(checks.stepped)),
    ("train", single(checks.trained)),
    ("train", train_with_a_running_rate),
    ("clean_up", clean_up_by_loop),
    ("segment", segment_with_large_numbers),
]


@pytest.mark.parametrize(("task", "function"), OTHERS, ids=[f"{t}-{f.__name__}" for t, f in OTHERS])
def test_other_right_solutions_get_all_points(task, function, seed):
    assert lost(task, function, seed) == {}


IN_TORCH = {
    "normalize": """
def normalize(response):
    return F.batch_norm(torch.as_tensor(response)[None], None, None, training=True)[0]
""",
    "network": """
class Network(torch.nn.Module):
    def __init__(self, kernels):
        super().__init__()
        self.kernels = [kernel.float() for kernel in kernels]
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(len(kernel), affine=False) for kernel in kernels)

    def forward(self, x):
        for kernel, norm in zip(self.kernels[:-1], self.norms):
            x = norm(F.conv2d(x, kernel, padding="same").relu_())
        return self.norms[-1](torch.einsum("oi,bihw->bohw", self.kernels[-1][..., 0, 0], x))


def network(image, weights, channels):
    weights = torch.as_tensor(weights)
    hidden = (len(weights) - 27 * channels - channels**2) // (9 * channels**2)
    sizes = [(channels, 3, 3, 3)] + [(channels, channels, 3, 3)] * hidden + [(channels, channels, 1, 1)]
    parts = torch.split(weights, [a * b * c * d for a, b, c, d in sizes])
    x = F.instance_norm(torch.as_tensor(image).float().permute(2, 0, 1)[None])
    return Network([part.view(size) for part, size in zip(parts, sizes)])(x)[0]
""",
    "targets": """
def targets(response):
    return torch.as_tensor(response).topk(1, dim=0).indices.squeeze(0)
""",
    "similarity_loss": """
def similarity_loss(response, target):
    response, target = torch.as_tensor(response).float(), torch.as_tensor(target).long()
    return (response.logsumexp(0) - response.gather(0, target[None])[0]).mean()
""",
    "continuity_loss": """
def continuity_loss(response):
    response = torch.as_tensor(response)[:, None]
    kernel = torch.tensor([[[[-1.0, 1.0]]]], dtype=response.dtype)
    return sum(F.conv2d(response, k).abs().mean() for k in (kernel, kernel.mT))
""",
    "train_step": """
def train_step(image, weights, velocity, channels, lr, mu):
    weights = torch.nn.Parameter(torch.as_tensor(weights).clone())
    optimizer = torch.optim.SGD([weights], lr=lr, momentum=0.9)
    optimizer.state[weights]["momentum_buffer"] = torch.as_tensor(velocity).clone()
    response = network(image, weights, channels)
    similarity_loss(response, targets(response)).backward(retain_graph=True)
    (mu * continuity_loss(response)).backward()
    optimizer.step()
    return weights, optimizer.state[weights]["momentum_buffer"]
""",
    "train": """
def train(image, weights, channels, lr, mu, steps, decay, least):
    weights = torch.tensor(weights, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=lr, momentum=0.9)
    rates = torch.optim.lr_scheduler.StepLR(optimizer, decay, 0.1)
    counts, response = [], network(image, weights, channels)
    for _ in range(steps):
        optimizer.zero_grad()
        (similarity_loss(response, targets(response)) + mu * continuity_loss(response)).backward()
        optimizer.step()
        rates.step()
        response = network(image, weights, channels)
        labels = targets(response)
        counts.append(labels.unique().numel())
        if counts[-1] <= least:
            break
    return labels, torch.tensor(counts), weights
""",
    "clean_up": """
def clean_up(labels, image, least):
    labels, image = torch.as_tensor(labels), torch.as_tensor(image).float()
    names, places, count = torch.unique(labels, return_inverse=True, return_counts=True)
    colors = torch.zeros(len(names), 3).index_add_(0, places.flatten(), image.reshape(-1, 3)) / count[:, None]
    large = torch.nonzero(count >= min(least, int(count.max())))[:, 0]
    return torch.cdist(colors, colors[large]).argmin(dim=1)[places]
""",
}


@pytest.fixture(scope="module")
def in_torch():
    """All tasks but the last in another style: modules, optimizers, 32-bit floats, tensors that come back."""
    torch = pytest.importorskip("torch")
    namespace = {"torch": torch, "F": torch.nn.functional, "__name__": "notebook"}
    exec("".join(IN_TORCH.values()), namespace)
    return namespace


def test_another_style_of_torch_in_32_bits_gets_all_points(in_torch, seed):
    student = LocalStudent(in_torch)
    found = [run_check(c, student, seed, lesson) for c in lesson.checks if c.task != "segment"]
    assert [(r.id, r.message) for r in found if r.status != "passed"] == []


@pytest.mark.parametrize(
    ("task", "change", "words"),
    [
        (
            "train_step",
            ("network(image, weights, channels)\n", "network(image, weights, channels).detach()\n"),
            "is lost",
        ),
        ("train_step", ("retain_graph=True", ""), "add both losses"),
        ("network", (".permute(2, 0, 1)", ""), "the channels of the image are still last"),
        ("similarity_loss", (".mean()", ""), "one number"),
        (
            "train",
            ("(similarity_loss(response", "response = response.detach()\n        (similarity_loss(response"),
            "is lost",
        ),
    ],
)
def test_what_pytorch_says_is_explained(in_torch, task, change, words):
    """No mistake of the catalogue raises; PyTorch's own words say little to somebody who meets them first."""
    namespace = dict(in_torch)
    exec(IN_TORCH[task].replace(*change), namespace)
    found = [run_check(c, LocalStudent(namespace), 1, lesson) for c in lesson.checks if c.task == task]
    assert all(r.status in ("error", "failed") and words in f"{r.message} {r.hint}" for r in found)


@pytest.mark.parametrize("task", RIGHT)
def test_the_truth_of_the_checks_passes_them(task, seed):
    assert lost(task, RIGHT[task], seed) == {}


# --- What costs how much ---

PARTLY = [
    ("normalize", checks.without_epsilon, {"quiet_channels": 4}),
    ("normalize", checks.epsilon_outside, {"quiet_channels": 4}),
    ("network", checks.same_kernel_again, {"few_and_many_layers": 6}),
    ("similarity_loss", checks.SIMILARITY["log_of_softmax"][2], {"large_responses": 4}),
    (
        "continuity_loss",
        checks.CONTINUITY["no_size"][2],
        {"neighbors_in_both_directions": 7, "one_direction_at_a_time": 5},
    ),
    ("train_step", checks.without_momentum, {"step_in_motion": 8}),
    ("train", checks.never_decayed, {"learning_rate_falls": 3}),
    ("train", checks.never_stops, {"stops_with_few_labels": 4}),
    ("train", checks.stops_without_a_step, {"stops_with_few_labels": 4}),
    ("clean_up", checks.only_renumbered, {"small_labels_join": 5, "all_small_or_all_large": 3}),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the mistakes divide by zero, and more
@pytest.mark.parametrize(("task", "function", "expected"), PARTLY, ids=[f"{t}-{f.__name__}" for t, f, _ in PARTLY])
def test_a_single_slip_costs_only_its_own_check(task, function, expected, seed):
    assert lost(task, function, seed) == expected


@pytest.mark.parametrize("task", RIGHT)
def test_changing_an_argument_costs_one_check_and_is_not_taken_for_a_mistake(task):
    def spoil(first, *others):
        result = RIGHT[task](first.copy(), *others)
        first += 1
        return result

    wrong = [r for r in results(task, spoil, 1) if r.status != "passed"]
    assert len(wrong) == 1 and "in place" in wrong[0].message and wrong[0].mistake is None


# --- Points for something else ---


def halves(image, rng):
    return np.repeat(np.arange(2), [image.shape[0] // 2, image.shape[0] - image.shape[0] // 2])[:, None].repeat(
        image.shape[1], axis=1
    )


def brightness(image, rng):
    return image.mean(axis=2).astype(int) // 64


def kmeans(image, rng):
    """k-means on single pixels, told that there are three regions."""
    x = image.reshape(-1, 3) / 255
    centers = x[rng.choice(len(x), 3, replace=False)]
    for _ in range(15):
        labels = ((x[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.array([x[labels == j].mean(axis=0) for j in range(3)])
    return labels.reshape(image.shape[:2])


def test_colors_of_single_pixels_earn_next_to_nothing(seed):
    assert sum(r.points for r in results("segment", kmeans, seed)) <= 4


@pytest.mark.parametrize("function", [halves, brightness, checks.not_trained, checks.one_label_left])
def test_segments_without_the_work_earn_nothing(function, seed):
    assert sum(r.points for r in results("segment", function, seed)) == 0


def test_single_pixels_as_segments_are_refused():
    found = results(
        "segment", lambda image, rng: np.arange(image.shape[0] * image.shape[1]).reshape(image.shape[:2]), 1
    )
    assert all("different labels" in r.message and r.points == 0 for r in found)


@pytest.mark.parametrize("missing", ["labels", "counts", "weights"])
def test_training_is_judged_by_all_that_it_returns(missing):
    """Right in two of three is not right."""

    def partly(*args):
        labels, counts, weights = checks.trained(*args)
        return {
            "labels": (0 * labels, counts, weights),
            "counts": (labels, [9] * len(counts), weights),
            "weights": (labels, counts, args[1]),
        }[missing]

    assert sum(r.points for r in results("train", partly, 3)) == 0


# --- The truth itself ---


def test_truth_by_hand():
    response = np.array([[[1.0, 3.0]], [[8.0, 8.0]]])
    assert checks.normalized(response).round(4).tolist() == [[[-1.0, 1.0]], [[0.0, 0.0]]]
    assert checks.unevenness(np.array([[[0.0, 1.0, 2.0], [4.0, 5.0, 6.0]]])) == 5.0
    assert checks.cross_entropy(np.zeros((8, 2, 3)), np.zeros((2, 3), dtype=int)) == pytest.approx(np.log(8))
    row = np.array([[4, 4, 4, 7, 9, 9]])
    assert checks.cleaned(row, np.repeat(row[..., None], 3, axis=2) / 9.0, 2).tolist() == [[0, 0, 0, 1, 1, 1]]


def test_the_gradient_by_hand_is_that_of_small_differences(seed):
    """The targets do not change for so small a difference, and neither does the sign of a step."""
    rng = np.random.default_rng(seed)
    image, weights, mu = checks.colored(rng, 5, 6), checks.drawn_weights(rng, 4, 1), 0.7

    def loss(weights):
        response = checks.respond(image, weights, 4)
        return checks.cross_entropy(response, checks.winners(response)) + mu * checks.unevenness(response)

    slope = checks.gradient(image, weights, 4, mu)
    direction = rng.normal(size=weights.size)
    direction /= np.linalg.norm(direction)
    small = 1e-7
    difference = (loss(weights + small * direction) - loss(weights - small * direction)) / (2 * small)
    assert slope @ direction == pytest.approx(difference, rel=1e-3, abs=1e-4)


def test_the_network_in_torch_gives_the_same_responses_and_gradient():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    image, start, c = checks.colored(rng, 7, 6), checks.drawn_weights(rng, 5, 2), 5
    weights = torch.tensor(start, requires_grad=True)
    kernels = torch.split(weights, [np.prod(size) for size in checks.sizes_of(c, 2)])
    x = torch.nn.functional.batch_norm(torch.tensor(image).permute(2, 0, 1)[None], None, None, training=True)
    for kernel, size in zip(kernels, checks.sizes_of(c, 2), strict=True):
        x = torch.nn.functional.conv2d(x, kernel.reshape(size), padding=size[2] // 2)
        x = torch.nn.functional.batch_norm(torch.relu(x) if size[2] == 3 else x, None, None, training=True)
    assert x[0].detach().numpy() == pytest.approx(checks.respond(image, start, c), abs=1e-10)
    loss = torch.nn.functional.cross_entropy(x, x.argmax(dim=1))
    loss = loss + 2 * (x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean())
    loss.backward()
    assert weights.grad.numpy() == pytest.approx(checks.gradient(image, start, c, 2.0), abs=1e-10)


def test_cases_show_what_they_are_for(seed):
    rng = np.random.default_rng(seed)
    args = checks.lively(rng, 4, 50)
    assert (checks.trained(*args)[0] != checks.unrefreshed(*args)[0]).mean() > 0.05
    assert len(checks.watched(*args)) == args[5] + 1
    image, weights, _, c, *_ = checks.step_cases(rng, [1.0], moving=True)[0]
    assert checks.lead(checks.respond(image, weights, c)) > checks.CLEAR
    args = checks.stopping(rng)
    counts = checks.trained(*args)[1]
    assert counts[-1] == args[-1] < min(counts[:-1]) and 3 <= len(counts) < args[5]
