"""Checks and named mistakes of lesson 06, the CNN that trains on one image.

The truth is written in NumPy, its gradients by hand: the judge needs no torch, and autograd is checked by something
that is none. Images are a few pixels and networks a few channels, drawn fresh for each submission, and no two sizes of
a case are alike, so that mixed-up axes show. A student's functions get arrays and may return tensors: what arrives here
are arrays.

What a right solution may choose for itself costs nothing: float32, a GPU, batch norm of torch or by hand, the numbers
of the labels after cleaning up, and everything about how `segment` does it.

Notation: an image of h rows and w columns, (h, w, 3) with values from 0 to 1; responses (c, h, w), one channel for each
possible label; all kernels of a network in one row of p numbers, `weights`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from autograder import expect
from autograder.checks.common import draw_seed, read_wrongly, renamed
from autograder.lesson import Lesson
from autograder.student import StudentError
from unseg_helpers import datasets, metrics

lesson = Lesson("06_kanezaki")

EPSILON = 1e-5  # added to each variance
MOMENTUM = 0.9


# --- The truth: NumPy, written apart from the solution and from unseg_helpers ---


def channels_first(image):
    return image.transpose(2, 0, 1)


def moments(x):
    """Mean and standard deviation of each channel over the pixels: two arrays (c, 1, 1)."""
    return x.mean(axis=(1, 2), keepdims=True), np.sqrt(x.var(axis=(1, 2), keepdims=True) + EPSILON)


def stored_moments(x):
    """What batch norm takes in eval mode, before it has seen anything: mean 0 and variance 1."""
    return np.zeros((len(x), 1, 1)), np.full((len(x), 1, 1), np.sqrt(1 + EPSILON))


def normalized(x):
    mean, spread = moments(x)
    return (x - mean) / spread


def sizes_of(channels, hidden):
    """Shapes of all kernels."""
    c = channels
    return [(c, 3, 3, 3), *[(c, c, 3, 3)] * hidden, (c, c, 1, 1)]


def kernels_of(weights, channels):
    """The kernels in a row of weights, in the order of the layers."""
    hidden = (len(weights) - 27 * channels - channels**2) // (9 * channels**2)
    sizes = sizes_of(channels, hidden)
    ends = np.cumsum([np.prod(size) for size in sizes])[:-1]
    return [part.reshape(size) for part, size in zip(np.split(weights, ends), sizes, strict=True)]


def drawn_weights(rng, channels, hidden):
    """Normal numbers with the spread of Xavier, as the notebook draws them."""
    parts = []
    for size in sizes_of(channels, hidden):
        area = size[2] * size[3]
        parts.append(rng.normal(size=np.prod(size)) * np.sqrt(2 / ((size[0] + size[1]) * area)))
    return np.concatenate(parts)


def unfolded(x, side):
    """The neighborhood of each pixel in a column, zeros beyond the border: (c, h, w) -> (c * side * side, h * w)."""
    c, h, w = x.shape
    if side == 1:
        return x.reshape(c, -1)
    padded = np.zeros((c, h + 2, w + 2))
    padded[:, 1:-1, 1:-1] = x
    shifts = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return np.stack(shifts, axis=1).reshape(9 * c, h * w)


def folded(columns, shape):
    """The transpose of `unfolded`: what each pixel got from all neighborhoods that it is in."""
    c, h, w = shape
    if len(columns) == c:
        return columns.reshape(shape)
    parts, padded = columns.reshape(c, 3, 3, h, w), np.zeros((c, h + 2, w + 2))
    for i in range(3):
        for j in range(3):
            padded[:, i : i + h, j : j + w] += parts[:, i, j]
    return padded[:, 1:-1, 1:-1]


def convolved(x, kernel):
    return (kernel.reshape(len(kernel), -1) @ unfolded(x, kernel.shape[2])).reshape(len(kernel), *x.shape[1:])


def rectified(x):
    return np.maximum(x, 0)


def block(x, kernel, norm=normalized):
    """A 3x3 layer."""
    return norm(rectified(convolved(x, kernel)))


def respond(image, weights, channels, *, enter=lambda image: normalized(channels_first(image)), layer=block, end=None):
    """The network's responses (c, h, w); each mistake changes one part."""
    *three, last = kernels_of(weights, channels)
    x = enter(image)
    for kernel in three:
        x = layer(x, kernel)
    return (end or normalized)(convolved(x, last))


def winners(response):
    return response.argmax(axis=0)


def log_softmax(response, axis=0):
    shifted = response - response.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def chosen(table, target):
    """The entry of each pixel's target: (c, h, w), (h, w) -> (h, w)."""
    return np.take_along_axis(table, target[None], axis=0)[0]


def cross_entropy(response, target):
    return -chosen(log_softmax(response), target).mean()


def steps_down_and_right(response):
    return np.diff(response, axis=1), np.diff(response, axis=2)


def unevenness(response):
    return sum(np.abs(step).mean() for step in steps_down_and_right(response))


def traced(image, weights, channels, *, in_eval_mode=False):
    """The responses, and for each layer what its gradient needs."""
    x = normalized(channels_first(image))
    trace = []
    for kernel in kernels_of(weights, channels):
        columns = unfolded(x, kernel.shape[2])
        before = (kernel.reshape(channels, -1) @ columns).reshape(channels, *x.shape[1:])
        active = rectified(before) if kernel.shape[2] == 3 else before
        mean, spread = (stored_moments if in_eval_mode else moments)(active)
        x_before, x = x, (active - mean) / spread
        trace.append((kernel, columns, before, x, spread, x_before.shape))
    return x, trace


def carried_back(slope, trace, *, through=True):
    """The gradient for all weights from that for the responses. ``through``: also through mean and variance."""
    parts = []
    for kernel, columns, before, after, spread, shape in reversed(trace):
        if through:
            mean = slope.mean(axis=(1, 2), keepdims=True)
            slope = slope - mean - after * (slope * after).mean(axis=(1, 2), keepdims=True)
        slope = slope / spread
        if kernel.shape[2] == 3:
            slope = slope * (before > 0)
        rows = slope.reshape(len(slope), -1)
        parts.append((rows @ columns.T).ravel())
        if len(parts) < len(trace):
            slope = folded(kernel.reshape(len(kernel), -1).T @ rows, shape)
    return np.concatenate(parts[::-1])


def slope_of_similarity(response, target):
    one_hot = np.arange(len(response))[:, None, None] == target
    return (np.exp(log_softmax(response)) - one_hot) / target.size


def slope_of_continuity(response, directions=(1, 2)):
    slope = np.zeros_like(response)
    for axis in directions:
        step = np.diff(response, axis=axis)
        signs = np.sign(step) / step.size
        first, second = (slice(None),) * axis + (slice(None, -1),), (slice(None),) * axis + (slice(1, None),)
        slope[second] += signs
        slope[first] -= signs
    return slope


def gradient(image, weights, channels, mu, *, similarity=1.0, in_eval_mode=False, through=True, directions=(1, 2)):
    """Of the loss of one training step, for the weights."""
    response, trace = traced(image, weights, channels, in_eval_mode=in_eval_mode)
    slope = similarity * slope_of_similarity(response, winners(response))
    slope = slope + mu * slope_of_continuity(response, directions)
    return carried_back(slope, trace, through=through and not in_eval_mode)


def stepped(image, weights, velocity, channels, lr, mu, **change):
    """New weights and new velocity after one training step."""
    velocity = MOMENTUM * velocity + gradient(image, weights, channels, mu, **change)
    return weights - lr * velocity, velocity


def tenth(lr, step, decay):
    """The learning rate of a step: divided by 10 every `decay` steps."""
    return lr * 0.1 ** (step // decay)


def reached(count, least):
    return count <= least


def how_many(labels):
    return len(np.unique(labels))


def trained(image, weights, channels, lr, mu, steps, decay, least, *, rate=tenth, enough=reached, count=how_many):
    """Label map, number of labels after each step and weights; a mistake changes one part."""
    velocity, counts = np.zeros_like(weights), []
    for step in range(steps):
        weights, velocity = stepped(image, weights, velocity, channels, rate(lr, step, decay), mu)
        labels = winners(respond(image, weights, channels))
        counts.append(count(labels))
        if enough(counts[-1], least):
            break
    return labels, counts, weights


def mean_colors(labels, image):
    """The labels that occur, the place of each pixel's one among them, their pixels and their mean colors."""
    names, places = np.unique(labels, return_inverse=True)
    places = places.ravel()
    count = np.bincount(places)
    sums = [np.bincount(places, image[..., channel].ravel()) for channel in range(3)]
    return names, places, count, np.stack(sums, axis=1) / count[:, None]


def cleaned(labels, image, least, *, kept=lambda count, least: count >= least, renumber=True):
    """Small labels go to the large one of the nearest mean color; numbers from 0."""
    names, places, count, colors = mean_colors(labels, image)
    large = np.flatnonzero(kept(count, least) | (np.arange(len(count)) == count.argmax()))
    nearest = ((colors[:, None] - colors[large]) ** 2).sum(axis=2).argmin(axis=1)
    return (nearest if renumber else names[large][nearest])[places].reshape(labels.shape)


# --- Inputs ---


def different(rng, low, high, count):
    """Some whole numbers from low to high, no two alike."""
    return (low + rng.permutation(high - low + 1)[:count]).tolist()


def blobs(rng, c, h, w, low=1.0):
    """Responses that change smoothly here and suddenly there: (c, h, w)."""
    noise = rng.normal(size=(c, h + 2, w + 2))
    smooth = sum(noise[:, i : i + h, j : j + w] for i in range(3) for j in range(3)) / 3
    return low * (smooth + 0.3 * rng.normal(size=(c, h, w)))


def colored(rng, h, w):
    """An image of three rough regions with noise: (h, w, 3) from 0 to 1."""
    y, x = np.indices((h, w))
    angle = rng.uniform(0, np.pi)
    line = (y - h / 2) * np.sin(angle) + (x - w / 2) * np.cos(angle)
    place = np.digitize(line, [-min(h, w) / 5, min(h, w) / 5])
    colors = rng.uniform(0.15, 0.85, size=(3, 3))
    return np.clip(colors[place] + rng.normal(0, 0.08, size=(h, w, 3)), 0, 1)


def pair(result, count=2, *, name, hint):
    """The things that a student returned."""
    return expect.items(result, count, name=name, hint=hint)


def numbers(value, shape, *, name, hint=None):
    """A student's array as floats, once it has the right shape and no NaN."""
    expect.shape(value, shape, name=name, hint=hint)
    expect.finite(value, name=name)
    return np.asarray(value, dtype=float)


# What PyTorch says when a usual slip is made, and what it means here.
TORCH_SAYS = (
    (
        "does not require grad",
        "the gradient is lost on the way: no .detach(), .data, .item(), .numpy() or torch.tensor(...) between the "
        "weights and the loss",
    ),
    ("not have been used in the graph", "compute the response with the weights that PyTorch follows"),
    (
        "through the graph a second time",
        "add both losses and take one gradient of the sum; return weights.detach() - ..., so that the next begins anew",
    ),
    ("numpy() on Tensor that requires grad", "stay in PyTorch here: NumPy knows no gradients"),
    ("only for scalar outputs", "a loss is one number: a mean"),
    ("in-place operation", "make new weights: weights.detach() - lr * velocity"),
    ("inplace operation", "PyTorch still needs that tensor for the gradient: make a new one"),
    ("to have 3 channels", "the channels of the image are still last: permute(2, 0, 1) puts them first"),
    ("input to conv2d", "F.conv2d wants a batch: F.conv2d(x[None], kernel, padding=1)[0]"),
    ("conv2d() received an invalid combination", "all that goes into F.conv2d is a tensor: does normalize return one?"),
    ("size mismatch (got input", "F.cross_entropy wants (1, c, h, w) and (1, h, w): response[None], target[None]"),
    ("batches of spatial targets", "F.cross_entropy wants (1, c, h, w) and (1, h, w): response[None], target[None]"),
    ("expected target size", "F.cross_entropy wants (1, c, h, w) and (1, h, w): response[None], target[None]"),
    ("expected target dtype", "targets are integers: the numbers of channels"),
    ("must match the size of tensor", "these shapes do not fit; mean and var of each channel need keepdim=True"),
    ("expected scalar type", "all tensors in one type: that of the weights"),
    ("should be the same", "image and weights in one type and on one device, as the first two lines make them"),
    ("same device", "image, weights and velocity on one device: torch.as_tensor(velocity, device=weights.device)"),
    ("convert cuda", "labels.cpu().numpy(): first to the CPU"),
)


def asked(student, task, *args, hint=None):
    """What the student's function gives. An error of PyTorch gets a hint that says what it means here."""
    try:
        return getattr(student, task)(*args)
    except StudentError as error:
        known = [here for words, here in TORCH_SAYS if words.lower() in str(error).lower()]
        error.hint = error.hint or (known[0] if known else hint)
        raise


def register(task, mistakes):
    """Short mistakes, each a text, how to see it and a function; each function gets a name of its own."""
    for name, (text, see, function) in mistakes.items():
        function.__name__, function.__qualname__ = name, f"{task}.{name}"
        lesson.mistake(task, text, see=see)(function)


# --- normalize ---


def levels(rng, c, h, w):
    """Responses whose channels have very different means and spreads."""
    return blobs(rng, c, h, w) * rng.uniform(0.3, 6, size=(c, 1, 1)) + rng.normal(0, 5, size=(c, 1, 1))


NORM_HINT = "mean and variance of each channel are taken over its pixels: dim=(1, 2), keepdim=True"


def judge_normalized(student, cases, hint=NORM_HINT):
    results = [asked(student, "normalize", case) for case in cases]
    for case, got in zip(cases, results, strict=True):
        name = f"the normalized responses of {len(case)} channels, {case.shape[1]} x {case.shape[2]} pixels"
        expect.shape(got, case.shape, name=name, hint="the shape stays as it is")
        expect.finite(got, name=name, hint="a channel that is the same everywhere has variance 0: add 1e-5 to it")
        expect.close(got, normalized(case), rtol=1e-3, atol=2e-3, name=name, hint=hint)


@lesson.check("normalize", points=6)
def mean_0_and_variance_1(student, rng):
    """Each channel gets mean 0 and variance 1."""
    judge_normalized(student, [levels(rng, *different(rng, 4, 9, 3)) for _ in range(2)])


@lesson.check("normalize", points=4)
def quiet_channels(student, rng):
    """Channels that hardly change, and one that is the same everywhere."""
    cases = []
    for _ in range(2):
        c, h, w = different(rng, 4, 8, 3)
        case = levels(rng, c, h, w)
        case[0] = rng.integers(-5, 6)
        case[1] = rng.integers(-5, 6) + 0.003 * blobs(rng, 1, h, w)[0]
        case[2] = 0.01 * case[2]
        cases.append(case)
    judge_normalized(student, cases, "divide by sqrt(variance + 1e-5): the 1e-5 belongs to the variance")
    expect.inputs_unchanged(student)


def divided(x, axis, spread=None):
    """With mean and spread over some axes."""
    spread = np.sqrt(x.var(axis=axis, keepdims=True) + EPSILON) if spread is None else spread
    return (x - x.mean(axis=axis, keepdims=True)) / spread


@lesson.mistake(
    "normalize",
    "mean and variance are taken over the channels of each pixel, not over the pixels of each channel",
    see="print(normalize(r).mean(dim=(1, 2))): one number for each channel, each 0",
)
def over_channels(response):
    return divided(response, 0)


@lesson.mistake(
    "normalize",
    "one mean and one variance for everything: loud channels stay loud",
    see="print(normalize(r).var(dim=(1, 2))): one number for each channel, each nearly 1",
)
def over_everything(response):
    return divided(response, (0, 1, 2))


@lesson.mistake(
    "normalize",
    "mean and variance are taken over the rows only: each column has its own",
    see="print(r.mean(dim=(1, 2), keepdim=True).shape): it must be (c, 1, 1)",
)
def over_rows(response):
    return divided(response, 1)


@lesson.mistake(
    "normalize",
    "nothing is normalized: batch norm in eval mode divides by the stored variance 1 and subtracts the stored mean 0",
    see="print(normalize(r + 5).mean()): it must be 0. Train mode, also for the final labels",
)
def eval_mode(response):
    return response / np.sqrt(1 + EPSILON)


@lesson.mistake(
    "normalize",
    "the mean is subtracted, but the spread stays",
    see="normalize(2 * r) must be nearly normalize(r)",
)
def centered_only(response):
    return response - response.mean(axis=(1, 2), keepdims=True)


@lesson.mistake(
    "normalize",
    "divided by the spread, but the mean is not subtracted",
    see="normalize(r + 5) must be normalize(r)",
)
def scaled_only(response):
    return response / moments(response)[1]


@lesson.mistake(
    "normalize",
    "divided by the variance, not by its root",
    see="print(normalize(r).var(dim=(1, 2))): each nearly 1",
)
def by_the_variance(response):
    return divided(response, (1, 2), moments(response)[1] ** 2)


@lesson.mistake(
    "normalize",
    "the variance is divided by n - 1: torch does so unless you say unbiased=False, batch norm does not",
    see="print((normalize(r) ** 2).mean(dim=(1, 2))): each nearly 1, for a response of few pixels",
)
def by_one_less(response):
    return divided(response, (1, 2), np.sqrt(response.var(axis=(1, 2), keepdims=True, ddof=1) + EPSILON))


@lesson.mistake(
    "normalize",
    "the 1e-5 is missing: a channel that is the same everywhere gives 0 / 0",
    see="normalize(torch.ones(2, 3, 4)) must be 0 everywhere",
)
def without_epsilon(response):
    return divided(response, (1, 2), response.std(axis=(1, 2), keepdims=True))


@lesson.mistake(
    "normalize",
    "the 1e-5 is added to the root, not to the variance",
    see="a channel of values 0.001 and -0.001 must become about 0.3 and -0.3",
)
def epsilon_outside(response):
    return divided(response, (1, 2), response.std(axis=(1, 2), keepdims=True) + EPSILON)


@lesson.mistake(
    "normalize",
    "each pixel's vector is given length 1: that is another normalization",
    see="print(normalize(r).mean(dim=(1, 2))): each 0",
)
def unit_vectors(response):
    return response / np.sqrt((response**2).sum(axis=0, keepdims=True) + EPSILON)


# --- network ---


def network_cases(rng, hiddens):
    """Images and weights: arguments of network, for some numbers of hidden layers."""
    cases = []
    for hidden in hiddens:
        c, h, w = different(rng, 4, 9, 3)
        cases.append((colored(rng, h, w), drawn_weights(rng, c, hidden), c))
    return cases


def judge_network(student, cases):
    results = [asked(student, "network", *case) for case in cases]
    for case, got in zip(cases, results, strict=True):
        image, weights, c = case
        h, w = image.shape[:2]
        three = len(kernels_of(weights, c)) - 1
        name = f"the response to an image of {h} x {w} pixels, {c} channels, {three} layer{'s' * (three > 1)} of 3x3"
        hint = "channels first, no batch: x[None] before, [0] after; padding=1 for 3x3, none for 1x1, keeps the size"
        got = numbers(got, (c, h, w), name=name, hint=hint)
        hint = "normalize the image; then conv, ReLU, normalize for each 3x3 kernel; then conv and normalize, no ReLU"
        expect.close(got, respond(*case), rtol=1e-3, atol=5e-3, name=name, hint=hint)


@lesson.check("network", points=8, uses="normalize")
def one_hidden_layer(student, rng):
    """Two layers of 3x3 and one of 1x1, for fixed weights."""
    judge_network(student, network_cases(rng, [1, 1]))


@lesson.check("network", points=6, uses="normalize")
def few_and_many_layers(student, rng):
    """No hidden layer, two and three of them."""
    judge_network(student, network_cases(rng, [0, 2, 3]))
    expect.inputs_unchanged(student)


def plain_block(x, kernel):
    return rectified(convolved(x, kernel))


@lesson.mistake(
    "network",
    "batch norm is missing on the response: the last 1x1 convolution is returned as it is",
    see="print(network(x, w, c).var(dim=(1, 2))): each nearly 1. Without this one label soon wins everywhere",
)
def response_not_normalized(image, weights, channels):
    return respond(image, weights, channels, end=lambda x: x)


@lesson.mistake(
    "network",
    "batch norm is missing between the layers",
    see="each 3x3 convolution is followed by ReLU and by normalize",
)
def layers_not_normalized(image, weights, channels):
    return respond(image, weights, channels, layer=plain_block)


@lesson.mistake(
    "network",
    "batch norm comes before ReLU; here ReLU comes first",
    see="normalize(relu(conv(x))): what goes into the next layer has mean 0",
)
def relu_last(image, weights, channels):
    return respond(image, weights, channels, layer=lambda x, kernel: rectified(normalized(convolved(x, kernel))))


@lesson.mistake(
    "network",
    "ReLU is missing: without it all layers together are one linear layer",
    see="normalize(relu(conv(x))) after each 3x3 convolution",
)
def no_relu(image, weights, channels):
    return respond(image, weights, channels, layer=lambda x, kernel: normalized(convolved(x, kernel)))


@lesson.mistake(
    "network",
    "ReLU is applied to the response, before its normalization",
    see="the last 1x1 convolution is followed by normalize only",
)
def response_rectified(image, weights, channels):
    return respond(image, weights, channels, end=lambda x: normalized(rectified(x)))


@lesson.mistake(
    "network",
    "ReLU is applied to the normalized response: half of it becomes 0",
    see="print(network(x, w, c).min()): it must be below 0",
)
def rectified_at_the_end(image, weights, channels):
    return respond(image, weights, channels, end=lambda x: rectified(normalized(x)))


@lesson.mistake(
    "network",
    "the image is reshaped to (3, h, w), not transposed: channels and pixels are mixed up",
    see="image.permute(2, 0, 1)[0] must be image[:, :, 0], the red numbers",
)
def reshaped_image(image, weights, channels):
    return respond(image, weights, channels, enter=lambda image: normalized(image.reshape(3, *image.shape[:2])))


@lesson.mistake(
    "network",
    "rows and columns are exchanged: permute(2, 1, 0), or .T, gives (3, w, h)",
    see="print(network(x, w, c).shape) for an image that is not square: it must be (c, h, w)",
)
def transposed_image(image, weights, channels):
    return respond(image, weights, channels, enter=lambda image: normalized(image.T))


@lesson.mistake(
    "network",
    "the image is not normalized",
    see="network(x / 2, w, c) must be nearly network(x, w, c)",
)
def raw_image(image, weights, channels):
    return respond(image, weights, channels, enter=channels_first)


@lesson.mistake(
    "network",
    "trained in eval mode: all normalizations take mean 0 and variance 1 instead of those of the image",
    see="print(network(x, w, c).mean(dim=(1, 2))): each 0",
)
def whole_network_in_eval_mode(image, weights, channels):
    return respond(
        image,
        weights,
        channels,
        layer=lambda x, kernel: block(x, kernel, norm=eval_mode),
        end=eval_mode,
    )


@lesson.mistake(
    "network",
    "the response has its channels last, (h, w, c)",
    see="print(network(x, w, c).shape): it must be (c, h, w)",
)
def channels_last(image, weights, channels):
    return respond(image, weights, channels).transpose(1, 2, 0)


@lesson.mistake(
    "network",
    "no padding: the response is smaller than the image",
    see="print(network(x, w, c).shape): it must be (c, h, w); F.conv2d(..., padding=1)",
)
def no_padding(image, weights, channels):
    def inner(x, kernel):
        return normalized(rectified(convolved(x, kernel)[:, 1:-1, 1:-1]))

    h, w = image.shape[:2]
    layers = len(kernels_of(weights, channels)) - 1
    if min(h, w) <= 2 * layers:  # nothing would be left
        return np.zeros((channels, 0, 0))
    return respond(image, weights, channels, layer=inner)


@lesson.mistake(
    "network",
    "the batch is still there: the response is (1, c, h, w)",
    see="F.conv2d(x[None], ...)[0] takes it away again; normalize wants (c, h, w)",
)
def in_one_batch(image, weights, channels):
    return respond(image, weights, channels)[None]


@lesson.mistake(
    "network",
    "the 1x1 convolution is padded as well: it adds a frame of zeros around the response",
    see="F.conv2d(x[None], last)[0], without padding",
)
def padded_at_the_end(image, weights, channels):
    return respond(image, weights, channels, end=lambda x: normalized(np.pad(x, ((0, 0), (1, 1), (1, 1)))))


@lesson.mistake(
    "network",
    "the first hidden kernel is used for all hidden layers",
    see="three kernels of 3x3: each is used once",
)
def same_kernel_again(image, weights, channels):
    first, *hidden, last = kernels_of(weights, channels)
    kernels = [first, *hidden[:1] * len(hidden), last]
    return respond(image, np.concatenate([kernel.ravel() for kernel in kernels]), channels)


@lesson.mistake(
    "network",
    "mean and variance are taken over the channels of each pixel, as layer norm does",
    see="print(network(x, w, c).mean(dim=(1, 2))): each 0",
)
def layer_norm(image, weights, channels):
    def enter(image):
        return over_channels(channels_first(image))

    def layer(x, kernel):
        return block(x, kernel, over_channels)

    return respond(image, weights, channels, enter=enter, layer=layer, end=over_channels)


# --- targets ---


def judge_targets(student, cases):
    results = [asked(student, "targets", case) for case in cases]
    for case, got in zip(cases, results, strict=True):
        c, h, w = case.shape
        name = f"the targets of a response of {c} channels, {h} x {w} pixels"
        expect.shape(got, (h, w), name=name, hint="one label for each pixel: the argmax over the channels, dim=0")
        expect.integer(got, name=name, hint="labels are integers: the place of the largest response")
        expect.equal(got, winners(case), name=name, hint="the number of the channel with the largest response")


@lesson.check("targets", points=5)
def largest_response(student, rng):
    """Each pixel's target is the channel with the largest response."""
    judge_targets(student, [blobs(rng, *different(rng, 4, 9, 3)) for _ in range(3)])


@lesson.check("targets", points=3)
def few_labels_left(student, rng):
    """Most channels win nowhere, and all responses may be below 0."""
    cases = []
    for level in (-12, -2, -11):
        c, h, w = different(rng, 5, 9, 3)
        case = blobs(rng, c, h, w) + level
        case[1 + rng.permutation(c - 1)[:2]] += 8  # only these two win, and 0 does not
        cases.append(case)
    judge_targets(student, cases)
    expect.inputs_unchanged(student)


TARGETS = {
    "over_the_rows": (
        "the argmax runs over the rows (dim 1), not over the channels",
        "print(targets(r).shape): it must be (h, w)",
        lambda r: r.argmax(axis=1),
    ),
    "over_the_columns": (
        "the argmax runs over the columns (dim 2, or -1), not over the channels",
        "print(targets(r).shape): it must be (h, w)",
        lambda r: r.argmax(axis=2),
    ),
    "over_all": (
        "the argmax runs over everything: one number comes out",
        "print(targets(r).shape): it must be (h, w)",
        lambda r: np.array(r.argmax()),
    ),
    "least_response": (
        "the channel with the smallest response is taken",
        "targets(r) must be targets(2 * r + 1), and not targets(-r)",
        lambda r: r.argmin(axis=0),
    ),
    "largest_size": (
        "the sign is lost: a response of -9 wins over one of 5",
        "one pixel with the responses -9 and 5: its target is 1",
        lambda r: np.abs(r).argmax(axis=0),
    ),
    "values_returned": (
        "the largest response itself is returned, not the number of its channel",
        "max(dim=0) gives values and indices: the indices are the targets",
        lambda r: r.max(axis=0),
    ),
    "values_and_places": (
        "both results of max(dim=0) are returned: the values and the numbers of the channels",
        "max(dim=0).indices, or argmax(dim=0)",
        lambda r: (r.max(axis=0), r.argmax(axis=0)),
    ),
    "one_hot": (
        "the targets are one-hot, (c, h, w); asked is the number of the channel",
        "print(targets(r).shape): it must be (h, w)",
        lambda r: (r == r.max(axis=0)).astype(int),
    ),
    "transposed": (
        "rows and columns are exchanged: (w, h)",
        "print(targets(r).shape) for a response that is not square: it must be (h, w)",
        lambda r: r.argmax(axis=0).T,
    ),
    "renumbered": (
        "the labels are renumbered 0, 1, 2, ...: the loss needs the number of the channel",
        "a response in which only channel 3 wins: all targets are 3",
        lambda r: np.unique(r.argmax(axis=0), return_inverse=True)[1].reshape(r.shape[1:]),
    ),
    "one_row": (
        "the targets come as one long row, not as an image",
        "print(targets(r).shape): it must be (h, w)",
        lambda r: r.argmax(axis=0).ravel(),
    ),
}
register("targets", TARGETS)


# --- similarity_loss ---


def loss_cases(rng, scale):
    """Responses with targets, some of them not the argmax: arguments of similarity_loss."""
    c, h, w = different(rng, 4, 9, 3)
    response = scale * blobs(rng, c, h, w)
    other = rng.integers(c, size=(h, w))
    return response, np.where(rng.random((h, w)) < 0.6, winners(response), other)


def judge_losses(student, cases, function, truth, what, hint):
    results = [asked(student, function, *case) for case in cases]
    for case, got in zip(cases, results, strict=True):
        c, h, w = case[0].shape
        name = f"{what} of {c} channels, {h} x {w} pixels"
        value = expect.scalar(got, name=name)
        expect.close(np.array(value), truth(*case), rtol=2e-3, atol=1e-5, name=name, hint=hint)


SIMILARITY_HINT = "F.cross_entropy wants (1, c, h, w) and (1, h, w): response[None], target[None]"


@lesson.check("similarity_loss", points=8)
def mean_over_pixels(student, rng):
    """The cross-entropy between the responses and the targets, a mean over the pixels."""
    cases = [loss_cases(rng, scale) for scale in (1.0, 2.0, 0.5)]
    judge_losses(student, cases, "similarity_loss", cross_entropy, "the loss", SIMILARITY_HINT)


@lesson.check("similarity_loss", points=4)
def large_responses(student, rng):
    """Responses of hundreds, where a softmax becomes 0 or 1."""
    cases = [loss_cases(rng, rng.uniform(800, 1500)) for _ in range(2)]
    judge_losses(student, cases, "similarity_loss", cross_entropy, "the loss of large responses", SIMILARITY_HINT)
    expect.inputs_unchanged(student)


def softmax(response, axis=0):
    return np.exp(log_softmax(response, axis))


SIMILARITY = {
    "summed_pixels": (
        "the sum over the pixels instead of the mean: a larger image gets a larger step",
        "the same image twice as wide must give the same loss",
        lambda r, t: cross_entropy(r, t) * t.size,
    ),
    "summed_over_a_column": (
        "the mean runs over one direction only, the other is summed",
        "the same image twice as high must give the same loss",
        lambda r, t: cross_entropy(r, t) * t.shape[1],
    ),
    "divided_by_channels_too": (
        "divided by the number of channels as well: the mean of the one-hot table, where most entries are 0",
        "equal responses everywhere must give log(c)",
        lambda r, t: cross_entropy(r, t) / len(r),
    ),
    "softmax_over_rows": (
        "the softmax runs over the rows, not over the channels",
        "print(torch.softmax(r, dim=0).sum(dim=0)): each 1",
        lambda r, t: -chosen(log_softmax(r, 1), t).mean(),
    ),
    "softmax_over_columns": (
        "the softmax runs over the columns, not over the channels",
        "print(torch.softmax(r, dim=0).sum(dim=0)): each 1",
        lambda r, t: -chosen(log_softmax(r, 2), t).mean(),
    ),
    "softmax_twice": (
        "a softmax is taken before F.cross_entropy, which takes one itself",
        "large responses that agree with the targets must give a loss near 0",
        lambda r, t: cross_entropy(softmax(r), t),
    ),
    "no_softmax": (
        "the responses are taken for log-probabilities: the softmax is missing",
        "adding 5 to all responses must not change the loss",
        lambda r, t: -chosen(r, t).mean(),
    ),
    "no_log": (
        "the log is missing: the probability itself is averaged",
        "equal responses everywhere must give log(c)",
        lambda r, t: -chosen(softmax(r), t).mean(),
    ),
    "no_minus": (
        "the sign is wrong: the loss must fall when the response agrees more",
        "print(similarity_loss(r, targets(r))): it must be above 0",
        lambda r, t: -cross_entropy(r, t),
    ),
    "own_targets": (
        "the given targets are not used: the argmax of the response is taken instead",
        "similarity_loss(r, t) must change when t changes",
        lambda r, t: cross_entropy(r, winners(r)),
    ),
    "channels_mixed_up": (
        "the response is reshaped to (h * w, c), not transposed: channels and pixels are mixed up",
        "response.permute(1, 2, 0).reshape(-1, c) puts the channels of one pixel side by side",
        lambda r, t: cross_entropy(r.reshape(-1, len(r)).T[:, :, None], t.reshape(-1, 1)),
    ),
    "log_of_softmax": (
        "the log is taken of the softmax: a probability that is 0 as a float has the log -inf",
        "similarity_loss(1000 * r, t) must be a number, not inf: F.cross_entropy, or log_softmax",
        lambda r, t: -np.log(chosen(softmax(r), t)).mean(),
    ),
    "squares": (
        "squared distances to the one-hot targets, not the cross-entropy",
        "equal responses everywhere must give log(c)",
        lambda r, t: ((softmax(r) - (np.arange(len(r))[:, None, None] == t)) ** 2).sum(axis=0).mean(),
    ),
}
register("similarity_loss", SIMILARITY)


# --- continuity_loss ---

CONTINUITY_HINT = "mean of |r[:, 1:] - r[:, :-1]| plus mean of |r[:, :, 1:] - r[:, :, :-1]|, each over its own entries"


@lesson.check("continuity_loss", points=7)
def neighbors_in_both_directions(student, rng):
    """The mean difference to the pixel below, plus that to the pixel on the right."""
    cases = [(blobs(rng, *different(rng, 3, 10, 3), low=scale),) for scale in (1.0, 3.0)]
    judge_losses(student, cases, "continuity_loss", unevenness, "the loss", CONTINUITY_HINT)


@lesson.check("continuity_loss", points=5)
def one_direction_at_a_time(student, rng):
    """Responses that change along the rows only, or along the columns only; and very narrow images."""
    c, h, w = different(rng, 4, 8, 3)
    along, down = blobs(rng, c, 1, w).repeat(h, axis=1), blobs(rng, c, h, 1).repeat(w, axis=2)
    cases = [(along,), (down,), (blobs(rng, c, 2, w + 5),), (blobs(rng, c, h + 5, 2),)]
    judge_losses(student, cases, "continuity_loss", unevenness, "the loss", CONTINUITY_HINT)
    expect.inputs_unchanged(student)


def by_direction(response, part=lambda step: np.abs(step).mean()):
    return [part(step) for step in steps_down_and_right(response)]


CONTINUITY = {
    "only_down": (
        "only one direction counts: that to the pixel below",
        "a response that changes along the rows only must not give 0",
        lambda r: by_direction(r)[0],
    ),
    "only_right": (
        "only one direction counts: that to the pixel on the right",
        "a response that changes down the columns only must not give 0",
        lambda r: by_direction(r)[1],
    ),
    "on_labels": (
        "the differences are those of the labels, not of the responses: labels have no gradient",
        "continuity_loss(2 * r) must be 2 * continuity_loss(r)",
        lambda r: unevenness(winners(r)[None].astype(float)),
    ),
    "changed_labels": (
        "it counts how often the label changes: that has no gradient, the responses do",
        "continuity_loss(2 * r) must be 2 * continuity_loss(r)",
        lambda r: sum(by_direction(winners(r)[None], lambda step: (step != 0).mean())),
    ),
    "across_channels": (
        "the differences run over the channels (dim 0), which have no order, instead of the columns (dim 2)",
        "a response whose channels are all alike, but not its pixels, must not be even in any direction",
        lambda r: np.abs(np.diff(r, axis=0)).mean() + np.abs(np.diff(r, axis=1)).mean(),
    ),
    "squared": (
        "the differences are squared: the published loss takes their size (L1), which keeps edges sharp",
        "continuity_loss(2 * r) must be 2 * continuity_loss(r)",
        lambda r: sum(by_direction(r, lambda step: (step**2).mean())),
    ),
    "summed": (
        "the sums instead of the means: a larger image gets a larger loss",
        "print(continuity_loss(r)) for small and large responses: it must be about 1",
        lambda r: sum(by_direction(r, lambda step: np.abs(step).sum())),
    ),
    "no_size": (
        "the signs are kept: differences up and down take each other away",
        "continuity_loss(-r) must be continuity_loss(r)",
        lambda r: sum(by_direction(r, np.mean)),
    ),
    "over_one_axis": (
        "the means run over the pixels, but the channels are summed",
        "a response with each channel twice must give the same loss",
        lambda r: unevenness(r) * len(r),
    ),
    "halved": (
        "the mean of the two directions; asked is their sum",
        "continuity_loss of stairs of height 1 in both directions must be 2",
        lambda r: unevenness(r) / 2,
    ),
    "one_mean": (
        "one mean over all differences together; each direction has its own",
        "an image of 2 rows: the few differences down must count as much as the many to the right",
        lambda r: np.concatenate([np.abs(step).ravel() for step in steps_down_and_right(r)]).mean(),
    ),
    "divided_by_pixels": (
        "divided by the number of pixels, not by the number of differences, which is smaller",
        "stairs of height 1 along the rows must give 1",
        lambda r: sum(by_direction(r, lambda step: np.abs(step).sum())) / r.size,
    ),
    "around_the_border": (
        "the first column is compared with the last one, the first row with the last: np.roll goes around",
        "stairs of height 1 along the rows must give 1",
        lambda r: sum(np.abs(r - np.roll(r, 1, axis)).mean() for axis in (1, 2)),
    ),
}
register("continuity_loss", CONTINUITY)


# --- train_step ---

STEP_PARTS = ("normalize", "network", "targets", "similarity_loss", "continuity_loss")


CLEAR = 3e-4  # between the largest and the second response of any pixel: 32-bit floats get 1e-5 wrong


def lead(response):
    """How far the largest response of a pixel is above its second, where this is least."""
    two = np.partition(response, -2, axis=0)[-2:]
    return (two[1] - two[0]).min()


def step_cases(rng, mus, moving):
    """Arguments of train_step. No pixel is torn between two labels, or the rounding of a machine would decide."""
    cases = []
    for mu in mus:
        while True:
            c, h, w = different(rng, 4, 9, 3)
            weights = drawn_weights(rng, c, 1)
            image, lr = colored(rng, h + 2, w + 2), float(rng.uniform(0.05, 0.3))
            if lead(respond(image, weights, c)) > 10 * CLEAR:
                break
        velocity = np.zeros_like(weights)
        if moving:  # of about the size of a gradient
            size = np.abs(gradient(image, weights, c, mu)).mean()
            velocity = rng.normal(size=len(weights)) * size
        cases.append((image, weights, velocity, c, lr, mu))
    return cases


def judge_steps(student, cases, hint):
    order = "return the new weights and the new velocity, in this order"
    results = [asked(student, "train_step", *case) for case in cases]
    results = [pair(result, name="the result of train_step", hint=order) for result in results]
    for case, (weights, velocity) in zip(cases, results, strict=True):
        image, old, _, c, lr, mu = case
        expected = stepped(*case)
        what = f"for an image of {image.shape[0]} x {image.shape[1]}, {c} channels, mu={mu:.3g}"
        velocity = numbers(velocity, old.shape, name=f"the velocity {what}", hint="one number for each weight")
        close_moves(velocity, expected[1], f"the velocity {what}", hint)
        weights = numbers(weights, old.shape, name=f"the weights {what}", hint="one number for each weight")
        hint_of_weights = "weights - lr * velocity, with the new velocity"
        close_moves((old - weights) / lr, expected[1], f"(old - new weights) / lr {what}", hint_of_weights)


def close_moves(got, expected, name, hint):
    """Equal but for what 32-bit floats lose in a network of some layers."""
    expect.close(got, expected, rtol=1e-2, atol=4e-3 * np.abs(expected).max(), name=name, hint=hint)


@lesson.check("train_step", points=6, uses=STEP_PARTS)
def first_step(student, rng):
    """A step from rest: down the gradient of both losses together."""
    cases = step_cases(rng, [float(rng.uniform(0.5, 2)), 0.0, float(rng.uniform(3, 6))], moving=False)
    asked(student, "train_step", *step_cases(rng, [1.5], moving=True)[0])  # not judged: tells mistakes apart
    hint = "loss = similarity_loss(r, targets(r)) + mu * continuity_loss(r), with r the response, not a detached copy"
    judge_steps(student, cases, hint)


@lesson.check("train_step", points=8, uses=STEP_PARTS)
def step_in_motion(student, rng):
    """A step with a velocity from the steps before."""
    cases = step_cases(rng, [float(rng.uniform(0.5, 2)), float(rng.uniform(2, 5))], moving=True)
    judge_steps(student, cases, "new velocity = 0.9 * velocity + gradient")
    expect.inputs_unchanged(student)


def moved_by(weights, velocity, lr, slope):
    velocity = MOMENTUM * velocity + slope
    return weights - lr * velocity, velocity


@lesson.mistake(
    "train_step",
    "the similarity loss has no gradient: it is computed with detached responses",
    see="with mu = 0 the velocity must not be 0: no .detach(), .data, .numpy() or no_grad on the way to the loss",
)
def detached_similarity(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, mu, similarity=0.0)


@lesson.mistake(
    "train_step",
    "the continuity loss has no gradient: mu is not used, or it is computed with labels or detached responses",
    see="the velocity must change with mu",
)
def no_continuity(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, 0.0)


@lesson.mistake(
    "train_step",
    "the continuity loss is added without its weight mu",
    see="the velocity must change with mu",
)
def mu_of_one(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, 1.0)


@lesson.mistake(
    "train_step",
    "mu multiplies the similarity loss, not the continuity loss",
    see="with mu = 0 only the similarity loss must be left",
)
def mu_on_similarity(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, 1.0, similarity=mu)


@lesson.mistake(
    "train_step",
    "the velocity is not used: each step is a plain gradient step",
    see="a velocity of 1 everywhere must add 0.9 to the new velocity",
)
def without_momentum(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, 0 * velocity, channels, lr, mu)


@lesson.mistake(
    "train_step",
    "the gradient is multiplied by 1 - 0.9; here it counts whole, as in torch.optim.SGD",
    see="from rest the new velocity must be the gradient",
)
def damped(image, weights, velocity, channels, lr, mu):
    return moved_by(weights, velocity, lr, (1 - MOMENTUM) * gradient(image, weights, channels, mu))


@lesson.mistake(
    "train_step",
    "the step goes up the gradient: the loss grows",
    see="compute the loss before and after a step with a small lr: it must fall",
)
def uphill(image, weights, velocity, channels, lr, mu):
    velocity = stepped(image, weights, velocity, channels, lr, mu)[1]
    return weights + lr * velocity, velocity


@lesson.mistake(
    "train_step",
    "the old weights are returned: the step is computed but not made",
    see="the first result must differ from the weights that went in",
)
def weights_stay(image, weights, velocity, channels, lr, mu):
    return weights, stepped(image, weights, velocity, channels, lr, mu)[1]


@lesson.mistake(
    "train_step",
    "the weights move by the old velocity, the one that came in",
    see="from rest the weights must move, too: first the new velocity, then the weights with it",
)
def moved_by_the_old_velocity(image, weights, velocity, channels, lr, mu):
    return weights - lr * velocity, stepped(image, weights, velocity, channels, lr, mu)[1]


@lesson.mistake(
    "train_step",
    "the learning rate is part of the velocity; here it comes in when the weights move",
    see="the new velocity must not change with lr",
)
def lr_in_the_velocity(image, weights, velocity, channels, lr, mu):
    velocity = MOMENTUM * velocity + lr * gradient(image, weights, channels, mu)
    return weights - velocity, velocity


@lesson.mistake(
    "train_step",
    "the learning rate is not used",
    see="half the lr must move the weights half as far",
)
def without_lr(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, 1.0, mu)


@lesson.mistake(
    "train_step",
    "trained in eval mode: the gradient is that of a network whose responses are not normalized",
    see="normalize takes the mean and variance of this image, in training and at the end",
)
def step_in_eval_mode(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, mu, in_eval_mode=True)


@lesson.mistake(
    "train_step",
    "mean and variance are taken for constants: the gradient must also go through them",
    see="no .detach(), .data or .item() in normalize",
)
def constant_statistics(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, mu, through=False)


@lesson.mistake(
    "train_step",
    "the continuity loss has a gradient in one direction only: down the columns",
    see="continuity_loss adds both directions, with the gradient of both",
)
def one_direction_in_the_gradient(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, mu, directions=(1,))


@lesson.mistake(
    "train_step",
    "velocity and weights are returned in the wrong order",
    see="return new_weights, new_velocity",
)
def velocity_first(image, weights, velocity, channels, lr, mu):
    return stepped(image, weights, velocity, channels, lr, mu)[::-1]


# --- train ---

TRAIN_PARTS = (*STEP_PARTS, "train_step")


def training(rng, steps, decay):
    """Arguments of train without a stop."""
    c, h, w = int(rng.integers(5, 9)), *different(rng, 9, 13, 2)
    image, weights = colored(rng, h, w), drawn_weights(rng, c, 1)
    return image, weights, c, float(rng.uniform(0.1, 0.2)), float(rng.uniform(0.5, 1.5)), steps, decay, 0


def watched(image, weights, channels, lr, mu, steps, decay, least):
    """Number of labels before the first step and after each, up to where a pixel is torn between two labels."""
    velocity, counts = np.zeros_like(weights), []
    for step in range(steps + 1):
        response = respond(image, weights, channels)
        if lead(response) < CLEAR:
            break
        counts.append(how_many(winners(response)))
        weights, velocity = stepped(image, weights, velocity, channels, tenth(lr, step, decay), mu)
    return counts


def clear_training(rng, steps, decay):
    """Arguments of train in which no pixel is ever torn between two labels: no rounding decides what is right."""
    while True:
        args = training(rng, steps, decay)
        if len(watched(*args)) == steps + 1:
            return args


def lively(rng, steps, decay):
    """The same, with a last step that changes labels: it must show from before or after it they are."""
    while True:
        args = clear_training(rng, steps, decay)
        labels, counts, _ = trained(*args)
        before, counts_before, _ = unrefreshed(*args)
        if (labels != before).mean() > 0.05 and counts != counts_before and len(set(counts)) > 1:
            return args


def stopping(rng):
    """Arguments of train that must stop in the middle, just when as few labels are left as were asked for."""
    while True:
        c, h, w = different(rng, 6, 9, 1)[0], *different(rng, 9, 13, 2)
        image, weights = colored(rng, h, w), drawn_weights(rng, c, 1)
        lr, mu = float(rng.uniform(0.15, 0.3)), float(rng.uniform(2, 5))
        counts = watched(image, weights, c, lr, mu, 9, 99, 0)[1:]
        stops = [i for i in range(2, len(counts) - 1) if min(counts[:i]) > counts[i] > min(counts[i + 1 :])]
        if stops:
            return image, weights, c, lr, mu, 9, 99, counts[stops[0]]


TRAIN_ORDER = "return labels, counts, weights, in this order"


def judge_training(student, cases, hint, *, of_weights):
    results = [asked(student, "train", *case) for case in cases]
    results = [pair(result, 3, name="the result of train", hint=TRAIN_ORDER) for result in results]
    for case, (labels, counts, weights) in zip(cases, results, strict=True):
        image, start, c, lr, mu, steps, decay, least = case
        expected = trained(*case)
        what = f"for {image.shape[0]} x {image.shape[1]} pixels, {steps} steps, lr / 10 every {decay}, least {least}"
        counts = expect.array(counts, name=f"the counts {what}")
        expect.shape(counts, (len(expected[1]),), name=f"the counts {what}", hint=hint)
        name, moved = f"the weights {what}", np.abs(expected[2] - start).max()
        got = numbers(weights, start.shape, name=name, hint="as many weights as before")
        expect.close(got, expected[2], rtol=1e-2, atol=2e-2 * moved, name=name, hint=of_weights)
        near = np.abs(counts.astype(float) - expected[1]) <= (np.arange(len(counts)) > 3)  # a pixel more or less
        expect.true(
            bool(near.all()),
            f"the counts {what} are [{', '.join(f'{n:.6g}' for n in counts.astype(float))}]; expected {expected[1]}",
            hint="after each step: the number of different labels in targets(network(...)) with the new weights",
        )
        expect.shape(labels, image.shape[:2], name=f"the labels {what}", hint="(h, w)")
        expect.integer(labels, name=f"the labels {what}")
        wrong = int((np.asarray(labels) != expected[0]).sum())
        expect.true(
            wrong <= 0.03 * expected[0].size,
            f"{wrong} of {expected[0].size} labels {what} differ from those of the trained network",
            hint="a fresh forward pass after the last step: targets(network(image, weights, channels))",
        )


@lesson.check("train", points=5, uses=TRAIN_PARTS)
def labels_after_the_last_step(student, rng):
    """Some steps: the labels that the trained network gives, and how many there were after each step."""
    cases = [lively(rng, 4, 50), lively(rng, 5, 60)]
    judge_training(student, cases, "one count for each step", of_weights="take weights and velocity to the next step")


@lesson.check("train", points=3, uses=TRAIN_PARTS)
def learning_rate_falls(student, rng):
    """The learning rate is divided by 10 again and again."""
    hint = "step 0, 1, 2, ...: lr * 0.1 ** (step // decay)"
    cases = [clear_training(rng, 5, 1), clear_training(rng, 6, 3)]
    judge_training(student, cases, "one count for each step", of_weights=hint)


@lesson.check("train", points=4, uses=TRAIN_PARTS)
def stops_with_few_labels(student, rng):
    """It stops as soon as no more than the least number of labels is left."""
    *at_once, _ = clear_training(rng, 3, 9)
    cases = [stopping(rng), stopping(rng), (*at_once, at_once[2])]  # in the last, the first step is already enough
    asked(student, "train", *training(rng, 3, 1))  # not judged: the others stop alike whether the learning rate falls
    judge_training(student, cases, "break as soon as counts[-1] <= least", of_weights="stop after the step, not before")
    expect.inputs_unchanged(student)


def unrefreshed(image, weights, channels, lr, mu, steps, decay, least):
    """Labels and counts of each step from before its update."""
    velocity, counts = np.zeros_like(weights), []
    for step in range(steps):
        labels = winners(respond(image, weights, channels))
        counts.append(how_many(labels))
        weights, velocity = stepped(image, weights, velocity, channels, tenth(lr, step, decay), mu)
        if counts[-1] <= least:
            break
    return labels, counts, weights


@lesson.mistake(
    "train",
    "no fresh forward pass after the update: labels and counts are those of the weights before it",
    see="labels must be targets(network(image, weights, channels)) with the weights that you return",
)
def no_fresh_forward(*args):
    return unrefreshed(*args)


@lesson.mistake(
    "train",
    "the learning rate never falls: decay is not used",
    see="print the learning rate of each step",
)
def never_decayed(*args):
    return trained(*args, rate=lambda lr, step, decay: lr)


@lesson.mistake(
    "train",
    "the learning rate falls once and then never again",
    see="print the learning rate of each step: 1, 1, 0.1, 0.1, 0.01, ... for decay = 2",
)
def decayed_once(*args):
    return trained(*args, rate=lambda lr, step, decay: lr if step < decay else lr / 10)


@lesson.mistake(
    "train",
    "the learning rate falls one step too early: steps are counted from 0",
    see="print the learning rate of each step: 1, 1, 0.1, 0.1, 0.01, ... for decay = 2",
)
def decayed_early(*args):
    return trained(*args, rate=lambda lr, step, decay: tenth(lr, step + 1, decay))


@lesson.mistake(
    "train",
    "the learning rate falls in each step: step / decay instead of step // decay",
    see="print the learning rate of each step: 1, 1, 0.1, 0.1, 0.01, ... for decay = 2",
)
def decayed_smoothly(*args):
    return trained(*args, rate=lambda lr, step, decay: lr * 0.1 ** (step / decay))


@lesson.mistake(
    "train",
    "it never stops: least is not used",
    see="print(counts): nothing may follow the first count that is at most least",
)
def never_stops(*args):
    return trained(*args, enough=lambda count, least: False)


@lesson.mistake(
    "train",
    "it stops with fewer labels than least; it must stop with as many, too",
    see="print(counts): nothing may follow the first count that is at most least",
)
def stops_below(*args):
    return trained(*args, enough=lambda count, least: count < least)


@lesson.mistake(
    "train",
    "the labels are counted before the step as well: it stops without a step where there are few to begin with",
    see="print(counts) for least = channels: one step, one count",
)
def stops_without_a_step(image, weights, channels, lr, mu, steps, decay, least):
    labels = winners(respond(image, weights, channels))
    if how_many(labels) <= least:
        return labels, [], weights
    return trained(image, weights, channels, lr, mu, steps, decay, least)


@lesson.mistake(
    "train",
    "the learning rate falls before the first step: step % decay is 0 for step 0, too",
    see="print the learning rate of each step: lr, lr, lr / 10, lr / 10, lr / 100, ... for decay = 2",
)
def decayed_at_0(*args):
    return trained(*args, rate=lambda lr, step, decay: tenth(lr, step + decay, decay))


@lesson.mistake(
    "train",
    "the largest number of a label is counted, not how many different labels there are",
    see="labels 0, 7 and 9 are three labels, not ten",
)
def largest_number(*args):
    return trained(*args, count=lambda labels: int(labels.max()) + 1)


def restarted(image, weights, channels, lr, mu, steps, decay, least, *, keep):
    """Training that forgets something between two steps; ``keep``: what is kept."""
    first, velocity, counts = weights, np.zeros_like(weights), []
    for step in range(steps):
        begin = weights if "weights" in keep else first
        motion = velocity if "velocity" in keep else 0 * velocity
        weights, velocity = stepped(image, begin, motion, channels, tenth(lr, step, decay), mu)
        labels = winners(respond(image, weights, channels))
        counts.append(how_many(labels))
        if counts[-1] <= least:
            break
    return labels, counts, weights


@lesson.mistake(
    "train",
    "the velocity begins with 0 again in each step",
    see="weights, velocity = train_step(image, weights, velocity, ...): both go on",
)
def velocity_forgotten(*args):
    return restarted(*args, keep=("weights",))


@lesson.mistake(
    "train",
    "each step begins with the first weights again",
    see="weights, velocity = train_step(image, weights, velocity, ...): both go on",
)
def weights_forgotten(*args):
    return restarted(*args, keep=("velocity",))


@lesson.mistake(
    "train",
    "one step is missing",
    see="print(len(counts)): as many as steps, when it does not stop before",
)
def one_step_less(image, weights, channels, lr, mu, steps, decay, least):
    return trained(image, weights, channels, lr, mu, steps - 1, decay, least)


@lesson.mistake(
    "train",
    "the first weights are returned, not the trained ones",
    see="targets(network(image, weights, channels)) with the returned weights must be the returned labels",
)
def first_weights_returned(*args):
    return *trained(*args)[:2], args[1]


# --- clean_up ---


def speckled(rng, h, w, c):
    """A label map of some large and some small labels, with gaps in the numbers, its image, and a least size.

    No size is near the limit but for one that is exactly on it, and no small label is about as near to two large ones.
    """
    while True:
        names = np.sort(rng.permutation(30)[:c])
        labels = names[rng.integers(3, size=(h, w)) + (c - 3) // 2]
        least = int(rng.integers(5, 9))
        small = [n for n in names if n not in labels]
        places = rng.permutation(h * w)
        for number, name in enumerate(small):
            count = [least, least - 1, *range(1, least - 1)][number % least]
            labels.ravel()[places[:count]] = name
            places = places[count:]
        colors = rng.uniform(0.1, 0.9, size=(31, 3))
        image = np.clip(colors[labels] + rng.normal(0, 0.1, size=(h, w, 3)), 0, 1)
        _, _, count, means = mean_colors(labels, image)
        large = np.flatnonzero(count >= least)
        gaps = np.sort(((means[:, None] - means[large]) ** 2).sum(axis=2), axis=1)
        if len(large) != 4 or (gaps[:, 1] - gaps[:, 0]).min() < 0.02:
            continue
        if not same_groups(cleaned(labels, image, least), each_for_itself(labels, image, least)):
            return labels, image, least


def same_groups(labels, others):
    """Is it the same partition?"""
    pairs = np.unique(labels.ravel() * 1000 + others.ravel())
    return len(pairs) == len(np.unique(labels)) == len(np.unique(others))


def judge_clean(student, cases):
    hint = "is there a label left when all are too small? The largest always stays"
    results = [asked(student, "clean_up", *case, hint=hint) for case in cases]
    for case, got in zip(cases, results, strict=True):
        labels, _, least = case
        expected = cleaned(*case)
        name = f"the clean labels of {labels.shape[0]} x {labels.shape[1]} pixels, least={least},"
        expect.shape(got, labels.shape, name=name, hint="a label map of the same size")
        expect.integer(got, name=name, hint="labels are integers")
        hint = f"labels of fewer than {least} pixels go to the large label whose mean color is nearest"
        expect.same_partition(got, expected, name=name, hint=hint)
        found = np.unique(np.asarray(got))
        expect.true(
            found[0] == 0 and found[-1] == len(found) - 1,
            f"{name} have the numbers {found[:9].tolist()}; expected 0 to {len(found) - 1} without a gap",
            hint="np.unique(labels, return_inverse=True) gives numbers without gaps",
        )


@lesson.check("clean_up", points=5)
def small_labels_join(student, rng):
    """Small labels go to the large one with the nearest color, and the numbers have no gaps."""
    judge_clean(student, [speckled(rng, *different(rng, 12, 17, 2), c) for c in (9, 11)])


@lesson.check("clean_up", points=3)
def all_small_or_all_large(student, rng):
    """Nothing to do but to number; and all labels too small, so that only the largest stays."""
    h, w = different(rng, 9, 13, 2)
    while True:
        labels, image, _ = speckled(rng, h, w, 8)
        sizes = np.sort(np.bincount(labels.ravel()))
        if sizes[-1] > sizes[-2]:  # which one is the largest must not be a question
            break
    cases = [speckled(rng, h, w + 4, 10), (labels, image, 1), (labels, image, h * w + 1)]
    judge_clean(student, cases)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "clean_up",
    "a label of exactly `least` pixels is taken away; it is large enough",
    see="clean_up(labels, image, 5) must keep a label of 5 pixels",
)
def exactly_least_goes(labels, image, least):
    return cleaned(labels, image, least, kept=lambda count, least: count > least)


@lesson.mistake(
    "clean_up",
    "small labels go to the largest label, whatever their color",
    see="a few red pixels must go to the large red label, not to the larger blue one",
)
def all_to_the_largest(labels, image, least):
    _, places, count, _ = mean_colors(labels, image)
    large = (count >= least) | (np.arange(len(count)) == count.argmax())
    new = np.where(large, np.arange(len(count)), count.argmax())
    return np.unique(new[places], return_inverse=True)[1].reshape(labels.shape)


@lesson.mistake(
    "clean_up",
    "small labels go to the large label with the nearest number, not with the nearest color",
    see="the numbers of labels mean nothing: compare mean colors",
)
def nearest_number(labels, image, least):
    names, places, count, _ = mean_colors(labels, image)
    large = np.flatnonzero((count >= least) | (np.arange(len(count)) == count.argmax()))
    nearest = np.abs(names[:, None] - names[large]).argmin(axis=1)
    return nearest[places].reshape(labels.shape)


@lesson.mistake(
    "clean_up",
    "each pixel of a small label goes its own way, to the nearest mean color; the label goes as a whole",
    see="all pixels of a small label must get the same new label",
)
def pixel_by_pixel(labels, image, least):
    return each_for_itself(labels, image, least)


def each_for_itself(labels, image, least):
    """Each pixel of a small label goes to the nearest mean color."""
    _, places, count, colors = mean_colors(labels, image)
    large = np.flatnonzero((count >= least) | (np.arange(len(count)) == count.argmax()))
    nearest = ((image.reshape(-1, 1, 3) - colors[large]) ** 2).sum(axis=2).argmin(axis=1)
    own = np.searchsorted(large, places)
    is_large = np.isin(places, large)
    new = np.where(is_large, np.minimum(own, len(large) - 1), nearest)
    return new.reshape(labels.shape)


@lesson.mistake(
    "clean_up",
    "the numbers keep their gaps",
    see="print(np.unique(clean_up(labels, image, least))): it must be 0, 1, 2, ...",
)
def gaps_stay(labels, image, least):
    return cleaned(labels, image, least, renumber=False)


@lesson.mistake(
    "clean_up",
    "nothing is taken away: the labels only get new numbers",
    see="a label of one pixel must be gone after clean_up(labels, image, 5)",
)
def only_renumbered(labels, image, least):
    return cleaned(labels, image, 1)


@lesson.mistake(
    "clean_up",
    "all small labels together become one new label",
    see="each small label goes to a large one: print(np.bincount(clean_up(labels, image, least).ravel()))",
)
def rest_together(labels, image, least):
    _, places, count, _ = mean_colors(labels, image)
    new = np.where(count >= least, np.arange(len(count)), len(count))
    return np.unique(new[places], return_inverse=True)[1].reshape(labels.shape)


@lesson.mistake(
    "clean_up",
    "small labels go to the large one of the farthest color",
    see="a few red pixels must go to the large red label: argmin of the distances",
)
def farthest_color(labels, image, least):
    _, places, count, colors = mean_colors(labels, image)
    large = np.flatnonzero((count >= least) | (np.arange(len(count)) == count.argmax()))
    distance = ((colors[:, None] - colors[large]) ** 2).sum(axis=2)
    distance[large] = -distance[large]
    distance[large, np.arange(len(large))] = np.inf  # large ones stay
    return distance.argmax(axis=1)[places].reshape(labels.shape)


# --- segment ---

MOST_LABELS, LARGEST = 40, 9999
FAR, NOISE = 0.16, 0.3  # of the colors from gray, and the standard deviation
ZERO, FULL = 0.47, 0.55  # mean IoU
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def regions(rng, h, w, k):
    """A map of k materials, each in two pieces of about the same size: (h, w) integers."""
    pixels = np.indices((h, w)).reshape(2, -1).T + 0.5
    middles = rng.uniform(size=(2 * k, 2)) * [h, w]
    for _ in range(4):
        near = ((pixels[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
        middles = np.array([pixels[near == j].mean(axis=0) if (near == j).any() else m for j, m in enumerate(middles)])
    return rng.permutation(np.arange(2 * k) % k)[near].reshape(h, w)


def tints(rng, k, far):
    """Colors of k materials, all as far from one another: (k, 3)."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return 0.5 + far * (rng.permutation(CORNERS)[:k] @ turn)


def eight_bit(image):
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def grainy(rng, h, w, k):
    """Regions in noise that is stronger than what tells them apart: uint8 image, truth."""
    truth = regions(rng, h, w, k)
    return eight_bit(tints(rng, k, FAR)[truth] + rng.normal(0, NOISE, size=(h, w, 3))), truth


@cache
def gray(name):
    return datasets.photo(name).image.mean(axis=2) / 255


def shaded(rng, h, w, k):
    """Regions under the light of a piece of a photo, with noise: uint8 image, truth."""
    truth = regions(rng, h, w, k)
    photo = gray(str(rng.choice(datasets.PHOTO_NAMES)))
    row, column = (int(rng.integers(have - 3 * n + 1)) for have, n in zip(photo.shape, (h, w), strict=True))
    light = photo[row : row + 3 * h : 3, column : column + 3 * w : 3][:, :: rng.choice([-1, 1])]
    light = (light - light.mean()) / (light.std() + 0.02)
    image = tints(rng, k, FAR)[truth] + 0.05 * np.clip(light, -2, 2)[..., None] + rng.normal(0, NOISE, size=(h, w, 3))
    return eight_bit(image), truth


SEGMENT_PARTS = (*TRAIN_PARTS, "train", "clean_up")


def judge_scenes(student, rng, show, draw, what):
    # The best three of four, in noise and then under photos, as the notebook proposes it: .81 and .79 over 22 seeds,
    # .70 and .67 where worst. A single training can end with one label, for which nobody is to blame: it is left out.
    # Single images: k-means on the colors of pixels, if it is told that there are three regions, .46 and .45; mu = 0.3:
    # .52 and .51; mu = 0: .24 and .25. Whoever smooths first has understood what the noise does: k-means on blurred
    # colors reaches .95, and three steps with a large mu .68 and .65.
    calls = []
    for h, w in rng.permutation([(36, 48), (48, 36), (40, 44), (44, 40)]).tolist():
        image, truth = draw(rng, h, w, 3)
        calls.append((image, truth, asked(student, "segment", image, draw_seed(rng))))
    scores, turned = [], False
    for image, truth, labels in calls:
        expect.shape(labels, truth.shape, name="the label map", hint="(h, w): height first, then width")
        expect.integer(labels, name="the label map", hint="labels, one integer for each pixel")
        expect.between(np.min(labels), 0, LARGEST, what="the smallest label")
        expect.between(np.max(labels), 0, LARGEST, what="the largest label", hint="clean_up numbers them from 0")
        names, places = np.unique(np.asarray(labels), return_inverse=True)
        count = len(names)
        message = f"the label map has {count} different labels; expected at most {MOST_LABELS}"
        expect.true(count <= MOST_LABELS, message, hint="does clean_up take the small ones away?")
        labels = places.reshape(truth.shape)  # numbers from 0 and not what the student calls them
        scores.append(metrics.matched_miou(truth, labels))
        turned = turned or read_wrongly(truth, labels)
        show(f"{what}: mIoU {scores[-1]:.2f}", image=image, yours=renamed(truth, labels), expected=truth)
    hint = "numbers go along the rows: reshape(h, w)" if turned else "train, then clean_up; is mu large enough?"
    return expect.ramp(
        np.mean(sorted(scores)[1:]), zero=ZERO, full=FULL, what="the mean IoU of the best 3 of 4 images", hint=hint
    )


@lesson.check("segment", points=6, uses=SEGMENT_PARTS)
def in_noise(student, rng, show):
    """Regions in noise that is stronger than the differences between them."""
    return judge_scenes(student, rng, show, grainy, "In noise")


@lesson.check("segment", points=4, uses=SEGMENT_PARTS)
def light_of_photos(student, rng, show):
    """Regions under the light and shade of photos, in noise."""
    result = judge_scenes(student, rng, show, shaded, "Light of a photo")
    expect.inputs_unchanged(student)
    return result


def raw_segments(image, rng, mu=10.0):
    """Labels as the notebook proposes it, before they are cleaned up."""
    x, channels = image / 255, 8
    return trained(x, drawn_weights(rng, channels, 1), channels, 0.1, mu, 30, 50, 3)[0]


def segmented(image, rng, mu=10.0):
    """Labels as the notebook proposes it; each mistake changes one thing."""
    labels = raw_segments(image, rng, mu)
    return cleaned(labels, image / 255, labels.size // 12)


def untrained(image, rng):
    """Labels of the network as it begins."""
    x, channels = image / 255, 8
    return winners(respond(x, drawn_weights(rng, channels, 1), channels))


@lesson.mistake(
    "segment",
    "the network is not trained: the labels are those of random weights",
    see="print(counts): there must be one count for each step",
)
def not_trained(image, rng):
    return untrained(image, rng)


@lesson.mistake(
    "segment",
    "the continuity loss does not count: mu is 0",
    see="plots.panels({'labels': segment(image, rng)}): the regions are full of single pixels",
)
def without_continuity(image, rng):
    return segmented(image, rng, mu=0.0)


@lesson.mistake(
    "segment",
    "reshaped to (w, h) instead of (h, w)",
    see="print(segment(image, rng).shape, image.shape) for an image that is not square",
)
def reshaped_width_first(image, rng):
    return segmented(image, rng).reshape(image.shape[1], image.shape[0])


@lesson.mistake(
    "segment",
    "right shape, wrong order: reshaped to (w, h) and then transposed",
    see="plots.panels({'labels': segment(image, rng)}): the segments look like woven stripes",
)
def woven(image, rng):
    return segmented(image, rng).reshape(image.shape[1], image.shape[0]).T


@lesson.mistake(
    "segment",
    "the labels are returned as one long row, not as an image",
    see="print(segment(image, rng).shape): it must be image.shape[:2]",
)
def flat_labels(image, rng):
    return segmented(image, rng).ravel()


@lesson.mistake(
    "segment",
    "the labels have the shape (1, h, w): the batch is still there",
    see="print(segment(image, rng).shape): it must be image.shape[:2]",
)
def in_a_batch(image, rng):
    return segmented(image, rng)[None]


@lesson.mistake(
    "segment",
    "trained too long or with too many labels taken away: one label is left",
    see="print(counts): stop while there are more labels than regions",
)
def one_label_left(image, rng):
    return np.zeros(image.shape[:2], dtype=int)
