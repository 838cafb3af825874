"""Checks and named mistakes of lesson 04, self-supervised features.

Images, features and outputs of networks are drawn fresh for each submission, and no two sizes of a case are alike, so
that mixed-up axes show. No weights of a real network are needed here: what is right for random numbers is right for
DINO's. Neither torch nor SciPy is imported, because the imports alone take longer than all these checks together.

What a right solution may choose for itself costs nothing: float32, lists instead of arrays, the signs of principal
components, the order in which axes are moved.

Notation: a grid of h rows and w columns of patches, d features for each; n = 1 + h * w tokens, the CLS token first.
"""

from __future__ import annotations

import numpy as np

from autograder import expect
from autograder.lesson import Lesson

lesson = Lesson("04_dino")


# --- The truth: short and plain, written apart from the solution and from unseg_helpers ---


def unit(x):
    """Each row divided by its length."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def log_softmax(a, axis=-1):
    a = a - a.max(axis=axis, keepdims=True)
    return a - np.log(np.exp(a).sum(axis=axis, keepdims=True))


def softmax(a, axis=-1):
    return np.exp(log_softmax(a, axis))


def cut_out(image, patch, flat=lambda square: square.transpose(2, 0, 1).ravel()):
    """Patches in reading order, each as one row: (h * w, 3 * patch * patch); `flat` turns one into its row."""
    h, w = image.shape[0] // patch, image.shape[1] // patch
    squares = (image[patch * i :, patch * j :][:patch, :patch] for i in range(h) for j in range(w))
    return np.array([flat(square) for square in squares])


def centers(count, cells):
    """Where the centers of `count` cells lie among those of `cells` cells on the same line, kept inside."""
    return np.clip((np.arange(count) + 0.5) * cells / count - 0.5, 0, cells - 1)


def shares(places, cells):
    """How much each of the cells counts at a place between them: (count,) -> (count, cells)."""
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(cells)))


def resized(positions, h, w, share=lambda count, cells: shares(centers(count, cells), cells)):
    """Position embeddings for another grid: (1 + s * s, d) -> (1 + h * w, d)."""
    s, d = round((len(positions) - 1) ** 0.5), positions.shape[1]
    grid = np.einsum("hi,wj,ijd->hwd", share(h, s), share(w, s), positions[1:].reshape(s, s, d))
    return np.concatenate([positions[:1], grid.reshape(h * w, d)])


def split(qkv, heads):
    """Queries, keys and values of each head: (n, 3 d) -> (3, heads, n, d / heads)."""
    thirds = np.split(qkv, 3, axis=1)
    return np.array([np.split(third, heads, axis=1) for third in thirds])


def merged(parts):
    """Heads side by side: (heads, n, d / heads) -> (n, d)."""
    return np.concatenate(list(parts), axis=1)


def attention(q, k, v, scale=None, axis=-1):
    """Output of each head and its weights: (heads, n, d / heads), (heads, n, n)."""
    logits = q @ k.transpose(0, 2, 1) / (np.sqrt(q.shape[2]) if scale is None else scale)
    weights = softmax(logits, axis)
    return weights @ v, weights


def attended(qkv, heads, **change):
    out, weights = attention(*split(qkv, heads), **change)
    return merged(out), weights


def looked_at(qkv, heads, h, w):
    """Keys of the patches (h, w, d) and the attention of the CLS token (heads, h, w)."""
    d = qkv.shape[1] // 3
    weights = attended(qkv, heads)[1]
    return qkv[1:, d : 2 * d].reshape(h, w, d), weights[:, 0, 1:].reshape(heads, h, w)


def cosines(features, row, column):
    return unit(features) @ unit(features[row, column])


def principal(features, n):
    """Coordinates of the centered features along the n axes of largest variance: (h, w, d) -> (h, w, n)."""
    h, w, d = features.shape
    x = features.reshape(-1, d)
    left, lengths, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return (left * lengths)[:, :n].reshape(h, w, n)


def cross_entropies(target, guess):
    """Mean cross-entropy of each view of the teacher with each of the student: (2, b, k), (v, b, k) -> (2, v)."""
    return -np.einsum("ibk,jbk->ij", target, guess) / target.shape[1]


def other_views(table):
    """The pairs of different views."""
    return table[~np.eye(*table.shape, dtype=bool)]


def loss(student, teacher, center, tau_student, tau_teacher):
    target = softmax((teacher - center) / tau_teacher)
    return other_views(cross_entropies(target, log_softmax(student / tau_student))).mean()


def moved(old, new, momentum):
    return momentum * old + (1 - momentum) * new


def updated(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), moved(center, outputs.mean(axis=(0, 1)), center_momentum)


def nearest(similarity, k):
    """Places of the k largest of each row."""
    return np.argsort(-similarity, axis=1)[:, :k]


def ballots(similarity, labels, k, weight, near=nearest):
    """Sum of the weights of the chosen neighbors, for each query and class: (m, n), (n,) -> (m, classes)."""
    table = np.zeros((len(similarity), labels.max() + 1))
    for row, index, cosine in zip(table, near(similarity, k), similarity, strict=True):
        np.add.at(row, labels[index], weight(cosine[index]))
    return table


def share_of_each(table):
    return table / table.sum(axis=1, keepdims=True)


def voted(bank, labels, queries, k, tau):
    """Share of each class in the weighted vote: (m, classes)."""
    similarity = unit(queries) @ unit(bank).T
    return share_of_each(ballots(similarity, labels, k, lambda s: np.exp(s / tau)))


# --- Inputs ---


def different(rng, low, high, count):
    """Some whole numbers from low to high, no two alike."""
    return (low + rng.permutation(high - low + 1)[:count]).tolist()


def pair(result, *, name, hint):
    """Two things that a student returned."""
    return expect.items(result, 2, name=name, hint=hint)


# --- patchify ---

PATCH_HINT = (
    "reshape to (h, patch, w, patch, 3), then transpose to (h, w, 3, patch, patch): the numbers of one patch are all "
    "its red ones, row by row, then all green ones, then all blue ones"
)


def judge_patches(student, cases, what):
    results = [student.patchify(image, patch) for image, patch in cases]
    for (image, patch), got in zip(cases, results, strict=True):
        expected = cut_out(image, patch)
        name = f"the patches of an image of {image.shape[0]} x {image.shape[1]} pixels, patch {patch}"
        expect.shape(got, expected.shape, name=name, hint=what)
        expect.close(got, expected, rtol=1e-4, atol=1e-5, name=name, hint=PATCH_HINT)


@lesson.check("patchify", points=4)
def patches_in_rows(student, rng):
    """Each patch becomes one row, in the order that the network was trained with."""
    cases = []
    for patch in different(rng, 3, 6, 2):
        h, w = different(rng, 2, 5, 2)
        cases.append((rng.random((h * patch, w * patch, 3)), patch))
    judge_patches(student, cases, "one row for each patch, 3 * patch * patch numbers in it")


@lesson.check("patchify", points=3)
def right_and_bottom_cut(student, rng):
    """What does not fill a patch is left out, at the right and at the bottom."""
    cases = []
    for patch in different(rng, 4, 8, 2):
        (h, w), over = different(rng, 2, 4, 2), rng.integers(1, patch, size=2)
        cases.append((rng.random((h * patch + over[0], w * patch + over[1], 3)), patch))
    hint = "image[: h * patch, : w * patch] with h = image.shape[0] // patch cuts the image to whole patches"
    judge_patches(student, cases, hint)


@lesson.check("patchify", points=3)
def one_patch_and_one_pixel(student, rng):
    """An image of one patch, patches of one pixel, one row and one column of patches."""
    patch, (h, w) = int(rng.integers(3, 7)), different(rng, 2, 5, 2)
    sizes = [(patch, patch, patch), (h, w, 1), (patch, w * patch, patch), (h * patch + 1, patch + 1, patch)]
    judge_patches(student, [(rng.random((*size, 3)), p) for *size, p in sizes], "also one patch is a row of a table")
    expect.inputs_unchanged(student)


@lesson.mistake(
    "patchify",
    "the numbers of a patch are in the order of the pixels (red, green, blue of the first pixel, then the next)",
    see="patchify(image, 8)[0, :64] must be image[:8, :8, 0].ravel(), the red numbers of the first patch",
)
def pixel_by_pixel(image, patch):
    return cut_out(image, patch, np.ravel)


@lesson.mistake(
    "patchify",
    "each patch is transposed: its columns come one after the other, not its rows",
    see="patchify(image, 8)[0, :8] must be image[0, :8, 0], the first row of the first patch",
)
def transposed_patches(image, patch):
    return cut_out(image, patch, lambda square: square.transpose(2, 1, 0).ravel())


@lesson.mistake(
    "patchify",
    "the colors come last but in their own columns: (row, column) are transposed and the channel stays last",
    see="patchify(image, 8)[0, :64] must be image[:8, :8, 0].ravel(), the red numbers of the first patch",
)
def transposed_pixels(image, patch):
    return cut_out(image, patch, lambda square: square.transpose(1, 0, 2).ravel())


@lesson.mistake(
    "patchify",
    "the patches go down the columns of the image, not along its rows",
    see="patchify(image, 8)[1] must be the patch to the right of the first: image[:8, 8:16]",
)
def down_the_columns(image, patch):
    h, w = image.shape[0] // patch, image.shape[1] // patch
    return cut_out(image, patch).reshape(h, w, -1).transpose(1, 0, 2).reshape(h * w, -1)


def whole(image, patch):
    """The image cut to whole patches, and its grid."""
    h, w = image.shape[0] // patch, image.shape[1] // patch
    return image[: h * patch, : w * patch], h, w


@lesson.mistake(
    "patchify",
    "the image is only reshaped: a row holds a long strip of pixels, not a square",
    see="patchify(image, 8)[0, 8] must be image[1, 0, 0], the beginning of the second row of the patch",
)
def only_reshaped(image, patch):
    cut, h, w = whole(image, patch)
    return cut.reshape(h * w, -1)


@lesson.mistake(
    "patchify",
    "the axes are reshaped in the right sizes, but not transposed: neighbors in a row of the image stay together",
    see="patchify(image, 8)[0, 8] must be image[1, 0, 0], not a pixel of the next patch",
)
def channels_first_only(image, patch):
    cut, h, w = whole(image, patch)
    return cut.transpose(2, 0, 1).reshape(h * w, -1)


@lesson.mistake(
    "patchify",
    "the image is cut at the left and at the top, not at the right and at the bottom",
    see="patchify(image, 8)[0, 0] must be image[0, 0, 0], whatever the size of the image",
)
def cut_left_and_top(image, patch):
    return cut_out(image[image.shape[0] % patch :, image.shape[1] % patch :], patch)


@lesson.mistake(
    "patchify",
    "the image is filled up with zeros; what does not fill a patch must be left out",
    see="print(patchify(np.ones((10, 10, 3)), 8).shape): it must be (1, 192)",
)
def filled_up(image, patch):
    return cut_out(np.pad(image, [(0, -n % patch) for n in image.shape[:2]] + [(0, 0)]), patch)


@lesson.mistake(
    "patchify",
    "the patches overlap: they begin at every pixel",
    see="print(patchify(np.ones((16, 16, 3)), 8).shape): it must be (4, 192)",
)
def at_every_pixel(image, patch):
    squares = np.lib.stride_tricks.sliding_window_view(image, (patch, patch), axis=(0, 1))
    return squares.reshape(-1, 3 * patch * patch)


@lesson.mistake(
    "patchify",
    "the grid stays a grid: (h, w, numbers) instead of one row for each patch",
    see="print(patchify(np.ones((16, 24, 3)), 8).shape): it must be (6, 192)",
)
def grid_of_patches(image, patch):
    _, h, w = whole(image, patch)
    return cut_out(image, patch).reshape(h, w, -1)


# --- resize_positions ---

POSITION_HINT = (
    "the center of row i of h lies at (i + 0.5) * s / h - 0.5 among the s old rows, kept between 0 and s - 1"
)


def judge_positions(student, rng, cases):
    """All calls first: for some sizes several mistakes look alike."""
    calls = []
    for s, h, w in cases:
        positions = rng.normal(size=(1 + s * s, int(rng.integers(2, 6))))
        calls.append((s, h, w, positions, student.resize_positions(positions, h, w)))
    for s, h, w, positions, got in calls:
        name = f"the embeddings of {s} x {s} patches for {h} x {w}"
        expect.shape(got, (1 + h * w, positions.shape[1]), name=name, hint="the CLS token's row first, then h * w rows")
        expect.finite(got, name=name)
        expected = resized(positions, h, w)
        expect.close(np.asarray(got)[:1], expected[:1], rtol=1e-3, atol=1e-3, name=f"row 0 (CLS) of {name}")
        expect.close(got, expected, rtol=1e-3, atol=1e-3, name=name, hint=POSITION_HINT)


@lesson.check("resize_positions", points=5)
def more_patches(student, rng):
    """For an image with more patches than those of the training, wide and tall."""
    calls = []
    for s in different(rng, 3, 5, 2):
        more, most = sorted(different(rng, s + 1, 2 * s - 1, 2))
        calls.append((s, more, most) if len(calls) else (s, most, more))
    judge_positions(student, rng, calls)


@lesson.check("resize_positions", points=4)
def fewer_patches(student, rng):
    """For a smaller image, and for one that is narrower and taller."""
    s, t = different(rng, 5, 8, 2)
    few, fewer = different(rng, s // 2 + 1, s - 1, 2) if s > 5 else (4, 3)
    judge_positions(student, rng, [(s, few, fewer), (t, t + 2, t - 1)])


@lesson.check("resize_positions", points=3)
def same_and_single(student, rng):
    """The same grid changes nothing; one row of patches, and one old patch for many."""
    s, h, w = different(rng, 3, 6, 3)
    judge_positions(student, rng, [(s, s, s), (s, s + 1, s), (4, 1, w), (1, h, w + 1)])
    expect.inputs_unchanged(student)


def resized_by(places):
    """`resized` with another rule where the new cells lie."""
    return lambda positions, h, w: resized(positions, h, w, lambda count, cells: shares(places(count, cells), cells))


@lesson.mistake(
    "resize_positions",
    "the outer centers are laid on one another (np.linspace(0, s - 1, h)), not the outer borders",
    see="resize_positions(p, 2 * s, 2 * s)[1] must be p[1], and row 2 must be 0.75 p[1] + 0.25 p[2]",
)
def outer_centers(positions, h, w):
    return resized_by(lambda count, cells: np.linspace(0, cells - 1, count))(positions, h, w)


@lesson.mistake(
    "resize_positions",
    "half a patch is missing: row i is looked up at i * s / h, the place of its border, not of its center",
    see="resize_positions(p, 2 * s, 2 * s)[2] must be 0.75 p[1] + 0.25 p[2], not their mean",
)
def without_half(positions, h, w):
    return resized_by(lambda count, cells: np.clip(np.arange(count) * cells / count, 0, cells - 1))(positions, h, w)


@lesson.mistake(
    "resize_positions",
    "the nearest old embedding is repeated, instead of a mixture of the nearest two",
    see="resize_positions(p, 2 * s, 2 * s)[2] must be 0.75 p[1] + 0.25 p[2], not p[1]",
)
def nearest_only(positions, h, w):
    return resized_by(lambda count, cells: np.floor((np.arange(count) + 0.5) * cells / count))(positions, h, w)


@lesson.mistake(
    "resize_positions",
    "the places are not kept inside: beyond the outer centers embeddings fade to 0",
    see="equal embeddings everywhere must stay equal: resize_positions(np.ones((10, 2)), 6, 6)",
)
def fading(positions, h, w):
    return resized_by(lambda count, cells: (np.arange(count) + 0.5) * cells / count - 0.5)(positions, h, w)


@lesson.mistake(
    "resize_positions",
    "the places are not kept inside: beyond the outer centers the line goes on",
    see="resize_positions(p, 2 * s, 2 * s)[1] must be p[1], the embedding of the first patch",
)
def going_on(positions, h, w):
    def share(count, cells):
        places = (np.arange(count) + 0.5) * cells / count - 0.5
        low = np.clip(np.floor(places), 0, max(cells - 2, 0)).astype(int)
        table = np.zeros((count, cells))
        np.add.at(table, (np.arange(count), low), 1 - places + low)
        np.add.at(table, (np.arange(count), np.minimum(low + 1, cells - 1)), places - low)
        return table

    return resized(positions, h, w, share)


@lesson.mistake(
    "resize_positions",
    "h and w are exchanged: the result is a grid of w rows and h columns",
    see="compare the rows of resize_positions(p, 1, 2) with those of resize_positions(p, 2, 1): they must differ",
)
def width_first(positions, h, w):
    return resized(positions, w, h)


@lesson.mistake(
    "resize_positions",
    "the grid is transposed: the embeddings run down the columns",
    see="resize_positions(p, s, s) must be p",
)
def columns_first(positions, h, w):
    d = positions.shape[1]
    grid = resized(positions, w, h)[1:].reshape(w, h, d).transpose(1, 0, 2)
    s = round((len(positions) - 1) ** 0.5)
    turned = positions[1:].reshape(s, s, d).transpose(1, 0, 2).reshape(-1, d)
    grid = resized(np.concatenate([positions[:1], turned]), h, w)[1:]
    return np.concatenate([positions[:1], grid])


@lesson.mistake(
    "resize_positions",
    "all rows are interpolated as one long line: the patches above and below are forgotten",
    see="the row below the first, resize_positions(p, 2 * s, 2 * s)[1 + 2 * s], must mix p[1] and p[1 + s]",
)
def one_long_line(positions, h, w):
    cells = len(positions) - 1
    return np.concatenate([positions[:1], shares(centers(h * w, cells), cells) @ positions[1:]])


@lesson.mistake(
    "resize_positions",
    "the CLS token is interpolated like a patch, all rows as one long line",
    see="resize_positions(p, h, w)[0] must be p[0], the CLS token's",
)
def cls_in_the_line(positions, h, w):
    cells = len(positions)
    return shares(centers(1 + h * w, cells), cells) @ positions


@lesson.mistake(
    "resize_positions",
    "the row of the CLS token is lost",
    see="print(resize_positions(p, 3, 4).shape): it must be (13, d)",
)
def cls_lost(positions, h, w):
    return resized(positions, h, w)[1:]


@lesson.mistake(
    "resize_positions",
    "the row of the CLS token is the last one; it must stay the first",
    see="resize_positions(p, h, w)[0] must be p[0], the CLS token's",
)
def cls_last(positions, h, w):
    return np.roll(resized(positions, h, w), -1, axis=0)


@lesson.mistake(
    "resize_positions",
    "the last row is taken for the CLS token's; it is the first",
    see="resize_positions(p, s, s) must be p",
)
def cls_taken_from_the_end(positions, h, w):
    return resized(np.roll(positions, 1, axis=0), h, w)


# --- self_attention ---


def tokens(rng, count):
    """Some (n, heads, size of a head), no two alike in one case."""
    cases = []
    while len(cases) < count:
        n, heads, size = int(rng.integers(6, 10)), int(rng.integers(2, 5)), int(rng.integers(2, 6))
        if len({n, heads, size, heads * size}) == 4:
            cases.append((n, heads, size))
    return cases


def outputs(rng, n, heads, size):
    """Output of a qkv layer whose attention is neither even nor all on one token."""
    return 1.3 * rng.normal(size=(n, 3 * heads * size))


ATTENTION_ORDER = "return out, weights, in this order"


def attend(student, qkv, heads):
    return pair(student.self_attention(qkv, heads), name="the result of self_attention", hint=ATTENTION_ORDER)


def judge_weights(got, expected, name):
    hint = "q @ k.transpose(0, 2, 1) / sqrt(d / heads), then the softmax over the last axis"
    expect.shape(got, expected.shape, name=name, hint="(heads, n, n): weights[i, a, b] is how much a looks at b")
    expect.finite(got, name=name, hint="subtract the largest entry of each row before exp")
    sums = np.asarray(got, dtype=float).sum(axis=2)
    expect.close(sums, np.ones(sums.shape), atol=5e-3, name=f"the sums over the last axis of {name}", hint="softmax")
    expect.close(got, expected, rtol=0, atol=2e-3, name=name, hint=hint)


@lesson.check("self_attention", points=6)
def weights_of_each_head(student, rng):
    """In each head, each token looks at all tokens with weights that sum to 1."""
    cases = []
    for n, heads, size in tokens(rng, 2):
        qkv = outputs(rng, n, heads, size)
        cases.append(
            (f"the weights for n={n}, heads={heads}, d={heads * size}", qkv, heads, attend(student, qkv, heads))
        )
    for name, qkv, heads, (_, weights) in cases:
        judge_weights(weights, attended(qkv, heads)[1], name)


@lesson.check("self_attention", points=6)
def heads_side_by_side(student, rng):
    """The output: weighted sums of the values, one head beside the other."""
    cases = []
    for n, heads, size in tokens(rng, 2):
        qkv = outputs(rng, n, heads, size)
        cases.append(
            (f"the output for n={n}, heads={heads}, d={heads * size}", qkv, heads, attend(student, qkv, heads))
        )
    for name, qkv, heads, (out, _) in cases:
        expected = attended(qkv, heads)[0]
        expect.shape(out, expected.shape, name=name, hint="(n, d): transpose (heads, n, d / heads) before you reshape")
        hint = "(weights @ v) is (heads, n, d / heads): transpose(1, 0, 2), and only then reshape(n, d)"
        expect.close(out, expected, rtol=1e-3, atol=5e-3, name=name, hint=hint)


@lesson.check("self_attention", points=4)
def large_products(student, rng):
    """Products of queries and keys of thousands and of minus thousands, and a single head."""
    # A common part of all keys adds the same number to a whole row of products, which no softmax sees. It is +-2000 to
    # +-4000, so exp gives infinity or 0 for all entries of the row.
    cases = []
    for n, heads, size in [tokens(rng, 1)[0], (int(rng.integers(6, 10)), 1, 4)]:
        q, k, v = 1.3 * rng.normal(size=(3, heads, n, size))
        common = unit(rng.normal(size=(heads, 1, size)))
        levels = np.sqrt(size) * rng.choice([-1, 1], size=(heads, n, 1)) * rng.uniform(40, 80, size=(heads, n, 1))
        levels[:, :2, 0] = np.abs(levels[:, :2, 0]) * [1, -1]
        q = q - (q @ common.transpose(0, 2, 1)) * common + levels * common
        k = k - (k @ common.transpose(0, 2, 1)) * common + 50 * common
        qkv = np.concatenate([merged(part) for part in (q, k, v)], axis=1)
        cases.append((qkv, heads, attend(student, qkv, heads)))
    for qkv, heads, (out, weights) in cases:
        expected = attended(qkv, heads)
        name = f"for large products, heads={heads}"
        judge_weights(weights, expected[1], f"the weights {name}")
        expect.shape(out, expected[0].shape, name=f"the output {name}")
        expect.close(out, expected[0], rtol=5e-3, atol=2e-2, name=f"the output {name}")
    expect.inputs_unchanged(student)


@lesson.mistake(
    "self_attention",
    "head and dimension are exchanged when qkv is split: reshape(n, 3, d / heads, heads)",
    see="the first head's queries must be qkv[:, : d // heads], columns side by side",
)
def heads_interleaved(qkv, heads):
    parts = qkv.reshape(len(qkv), 3, -1, heads).transpose(1, 3, 0, 2)
    out, weights = attention(*parts)
    return merged(out), weights


@lesson.mistake(
    "self_attention",
    "qkv is split into heads first and then into queries, keys and values: reshape(n, heads, 3, d / heads)",
    see="the queries must be qkv[:, :d], the keys qkv[:, d : 2 * d]",
)
def heads_before_thirds(qkv, heads):
    parts = qkv.reshape(len(qkv), heads, 3, -1).transpose(2, 1, 0, 3)
    out, weights = attention(*parts)
    return merged(out), weights


@lesson.mistake(
    "self_attention",
    "qkv is reshaped to (heads, n, d / heads) without a transpose: tokens and heads are mixed up",
    see="the first head's queries must be qkv[:, : d // heads], columns side by side",
)
def split_without_transpose(qkv, heads):
    parts = [third.reshape(heads, len(qkv), -1) for third in np.split(qkv, 3, axis=1)]
    out, weights = attention(*parts)
    return merged(out), weights


@lesson.mistake(
    "self_attention",
    "the output is reshaped to (n, d) without a transpose: tokens and heads are mixed up",
    see="out[:, : d // heads] must be weights[0] @ v of the first head",
)
def merged_without_transpose(qkv, heads):
    out, weights = attention(*split(qkv, heads))
    return out.reshape(len(qkv), -1), weights


@lesson.mistake(
    "self_attention",
    "the output is put together with head and dimension exchanged: its columns are interleaved",
    see="out[:, : d // heads] must be weights[0] @ v of the first head",
)
def merged_interleaved(qkv, heads):
    out, weights = attention(*split(qkv, heads))
    return out.transpose(1, 2, 0).reshape(len(qkv), -1), weights


@lesson.mistake(
    "self_attention",
    "the products are divided by the root of d, not of d / heads, the size of one head",
    see="with two heads that are equal, the weights must be those of one head alone",
)
def root_of_all(qkv, heads):
    return attended(qkv, heads, scale=np.sqrt(qkv.shape[1] // 3))


@lesson.mistake(
    "self_attention",
    "the products are not divided by the root of d / heads",
    see="self_attention(qkv, 1) with d = 4: the weights must be softmax(q @ k.T / 2)",
)
def no_root(qkv, heads):
    return attended(qkv, heads, scale=1.0)


@lesson.mistake(
    "self_attention",
    "the products are divided by d / heads, not by its root",
    see="self_attention(qkv, 1) with d = 4: the weights must be softmax(q @ k.T / 2), not / 4",
)
def no_root_but_size(qkv, heads):
    return attended(qkv, heads, scale=qkv.shape[1] / 3 / heads)


@lesson.mistake(
    "self_attention",
    "the softmax runs over the queries, not over the keys",
    see="print(weights.sum(axis=2)): each must be 1",
)
def softmax_over_queries(qkv, heads):
    return attended(qkv, heads, axis=1)


@lesson.mistake(
    "self_attention",
    "queries and keys are exchanged",
    see="the order in qkv is queries, keys, values: weights are softmax(q @ k.T), the rows belong to q",
)
def keys_as_queries(qkv, heads):
    q, k, v = split(qkv, heads)
    out, weights = attention(k, q, v)
    return merged(out), weights


@lesson.mistake(
    "self_attention",
    "keys are summed up instead of values",
    see="out must change when only qkv[:, 2 * d :] changes",
)
def keys_as_values(qkv, heads):
    q, k, _ = split(qkv, heads)
    out, weights = attention(q, k, k)
    return merged(out), weights


@lesson.mistake(
    "self_attention",
    "the softmax is missing: products are used as weights",
    see="print(weights.sum(axis=2)): each must be 1",
)
def no_softmax(qkv, heads):
    q, k, v = split(qkv, heads)
    logits = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
    return merged(logits @ v), logits


@lesson.mistake(
    "self_attention",
    "exp is taken of the products as they are: large ones give infinity, and infinity / infinity is NaN",
    see="self_attention(100 * qkv, heads) must not hold NaN: subtract the largest entry of each row first",
)
def naive_softmax(qkv, heads):
    q, k, v = split(qkv, heads)
    e = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2]))
    weights = e / e.sum(axis=2, keepdims=True)
    return merged(weights @ v), weights


@lesson.mistake(
    "self_attention",
    "the largest of all products is subtracted, not that of each row: rows far below it become 0/0",
    see="self_attention(100 * qkv, heads) must not hold NaN",
)
def one_maximum(qkv, heads):
    q, k, v = split(qkv, heads)
    logits = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
    e = np.exp(logits - logits.max())
    weights = e / e.sum(axis=2, keepdims=True)
    return merged(weights @ v), weights


@lesson.mistake(
    "self_attention",
    "heads is not used: there is one head over all d columns",
    see="print(weights.shape): it must be (heads, n, n)",
)
def one_head(qkv, heads):
    return attended(qkv, 1)


@lesson.mistake(
    "self_attention",
    "the weights are averaged over the heads",
    see="print(weights.shape): it must be (heads, n, n)",
)
def mean_weights(qkv, heads):
    out, weights = attended(qkv, heads)
    return out, weights.mean(axis=0)


@lesson.mistake(
    "self_attention",
    "out and weights are returned in the wrong order",
    see="out, weights = self_attention(qkv, heads); print(out.shape, weights.shape): (n, d), (heads, n, n)",
)
def weights_first(qkv, heads):
    return attended(qkv, heads)[::-1]


# --- keys_and_attention ---

SEEN_ORDER = "return keys, maps, in this order"


def seen(student, rng, count=2):
    """Calls of keys_and_attention, with what should have come out."""
    cases = []
    for _, heads, size in tokens(rng, count):
        h, w = different(rng, 2, 5, 2)
        qkv = outputs(rng, 1 + h * w, heads, size)
        result = student.keys_and_attention(qkv, heads, h, w)
        parts = pair(result, name="the result of keys_and_attention", hint=SEEN_ORDER)
        cases.append((f"for a grid of {h} x {w}, heads={heads}, d={heads * size}", parts, looked_at(qkv, heads, h, w)))
    return cases


@lesson.check("keys_and_attention", points=5, uses=("self_attention",))
def keys_on_the_grid(student, rng):
    """The keys of the patches, heads side by side, without the CLS token."""
    for name, (keys, _), (expected, _) in seen(student, rng):
        expect.shape(keys, expected.shape, name=f"the keys {name}", hint="(h, w, d): all heads, all patches, no CLS")
        hint = "heads are columns side by side, so the keys of all heads are qkv[:, d : 2 * d]; row 0 is the CLS token"
        expect.close(keys, expected, rtol=1e-3, atol=1e-3, name=f"the keys {name}", hint=hint)


@lesson.check("keys_and_attention", points=5, uses=("self_attention",))
def what_cls_looks_at(student, rng):
    """For each head, how much the CLS token looks at each patch."""
    for name, (_, maps), (_, expected) in seen(student, rng):
        expect.shape(maps, expected.shape, name=f"the maps {name}", hint="(heads, h, w): weights[:, 0, 1:], reshaped")
        hint = "weights[:, 0, 1:]: the row of the CLS token, without what it looks at itself"
        expect.close(maps, expected, rtol=0, atol=2e-3, name=f"the maps {name}", hint=hint)
    expect.inputs_unchanged(student)


def third(qkv, number, h, w, tokens=slice(1, None)):
    """Queries (0), keys (1) or values (2) on the grid."""
    d = qkv.shape[1] // 3
    return qkv[tokens, number * d : (number + 1) * d].reshape(h, w, d)


@lesson.mistake(
    "keys_and_attention",
    "the queries are returned instead of the keys",
    see="keys[0, 0] must be qkv[1, d : 2 * d]",
)
def queries_returned(qkv, heads, h, w):
    return third(qkv, 0, h, w), looked_at(qkv, heads, h, w)[1]


@lesson.mistake(
    "keys_and_attention",
    "the values are returned instead of the keys",
    see="keys[0, 0] must be qkv[1, d : 2 * d]",
)
def values_returned(qkv, heads, h, w):
    return third(qkv, 2, h, w), looked_at(qkv, heads, h, w)[1]


@lesson.mistake(
    "keys_and_attention",
    "the last token is dropped instead of the first: the CLS token is kept and all patches are shifted by one",
    see="keys[0, 0] must be qkv[1, d : 2 * d], not qkv[0, d : 2 * d]",
)
def cls_kept(qkv, heads, h, w):
    return third(qkv, 1, h, w, slice(-1)), looked_at(qkv, heads, h, w)[1]


@lesson.mistake(
    "keys_and_attention",
    "the CLS token is kept and all patches are shifted by one, in the keys and in the maps",
    see="keys[0, 0] must be qkv[1, d : 2 * d], maps[0, 0, 0] must be weights[0, 0, 1]",
)
def cls_kept_in_both(qkv, heads, h, w):
    return third(qkv, 1, h, w, slice(-1)), attended(qkv, heads)[1][:, 0, :-1].reshape(heads, h, w)


@lesson.mistake(
    "keys_and_attention",
    "the grid is laid out column by column: reshape(w, h, d) and then transposed",
    see="keys[0, 1] must be qkv[2, d : 2 * d], the second patch of the first row",
)
def grid_by_columns(qkv, heads, h, w):
    keys, maps = looked_at(qkv, heads, w, h)
    return keys.transpose(1, 0, 2), maps.transpose(0, 2, 1)


@lesson.mistake(
    "keys_and_attention",
    "the grid has w rows and h columns",
    see="print(keys.shape, maps.shape): (h, w, d) and (heads, h, w)",
)
def grid_of_w_rows(qkv, heads, h, w):
    return looked_at(qkv, heads, w, h)


@lesson.mistake(
    "keys_and_attention",
    "heads and patches are mixed up: the keys (heads, h * w, d / heads) are reshaped without a transpose",
    see="keys[0, 0] must be qkv[1, d : 2 * d]: all heads of the first patch",
)
def keys_not_transposed(qkv, heads, h, w):
    keys = split(qkv, heads)[1][:, 1:]
    return keys.reshape(h, w, -1), looked_at(qkv, heads, h, w)[1]


@lesson.mistake(
    "keys_and_attention",
    "head and dimension are exchanged: the columns of the keys are interleaved",
    see="keys[0, 0] must be qkv[1, d : 2 * d]: first all numbers of the first head",
)
def keys_interleaved(qkv, heads, h, w):
    keys = split(qkv, heads)[1][:, 1:]  # (heads, h * w, size)
    return keys.transpose(1, 2, 0).reshape(h, w, -1), looked_at(qkv, heads, h, w)[1]


@lesson.mistake(
    "keys_and_attention",
    "the keys are read as if qkv were split into heads first: reshape(n, heads, 3, d / heads)",
    see="keys[0, 0] must be qkv[1, d : 2 * d]",
)
def keys_of_heads_first(qkv, heads, h, w):
    keys = qkv.reshape(len(qkv), heads, 3, -1)[1:, :, 1]
    return keys.reshape(h, w, -1), looked_at(qkv, heads, h, w)[1]


@lesson.mistake(
    "keys_and_attention",
    "only the keys of the first head are returned",
    see="print(keys.shape): it must be (h, w, d)",
)
def keys_of_one_head(qkv, heads, h, w):
    keys, maps = looked_at(qkv, heads, h, w)
    return keys[..., : keys.shape[2] // heads], maps


@lesson.mistake(
    "keys_and_attention",
    "the column is taken instead of the row: how much the patches look at the CLS token",
    see="maps[i].ravel() must be weights[i, 0, 1:]",
)
def column_of_cls(qkv, heads, h, w):
    return third(qkv, 1, h, w), attended(qkv, heads)[1][:, 1:, 0].reshape(heads, h, w)


@lesson.mistake(
    "keys_and_attention",
    "the maps are divided by their sum: what the CLS token looks at itself is missing from 1, and may be",
    see="print(maps.sum(axis=(1, 2)) + weights[:, 0, 0]): each must be 1",
)
def maps_sum_to_one(qkv, heads, h, w):
    keys, maps = looked_at(qkv, heads, h, w)
    return keys, maps / maps.sum(axis=(1, 2), keepdims=True)


@lesson.mistake(
    "keys_and_attention",
    "the maps are averaged over the heads",
    see="print(maps.shape): it must be (heads, h, w)",
)
def mean_map(qkv, heads, h, w):
    keys, maps = looked_at(qkv, heads, h, w)
    return keys, maps.mean(axis=0)


# --- similarity ---


def described(rng, h, w, d):
    """Features of very different lengths, with a common part, so that most cosines are positive, but not all."""
    return (rng.normal(size=(h, w, d)) + 0.4 * rng.normal(size=d)) * rng.uniform(0.2, 5, size=(h, w, 1))


def asked(rng):
    """A grid, and a patch in it whose row and column may be exchanged without leaving it."""
    h, w, d = different(rng, 3, 9, 3)
    row, column = different(rng, 0, min(h, w) - 1, 2)
    while True:
        features = described(rng, h, w, d)
        if cosines(features, row, column).min() < -0.1:
            return features, row, column


def judge_similarity(student, cases):
    results = [student.similarity(*case) for case in cases]
    hint = "divide each vector by its length (np.linalg.norm(..., axis=-1, keepdims=True)), then features @ query"
    for (features, row, column), got in zip(cases, results, strict=True):
        h, w, d = features.shape
        name = f"the similarities for h={h}, w={w}, d={d}, row={row}, column={column}"
        expect.shape(got, (h, w), name=name, hint="one number for each patch")
        expect.close(got, cosines(features, row, column), rtol=0, atol=1e-3, name=name, hint=hint)


@lesson.check("similarity", points=5)
def angle_to_one_patch(student, rng):
    """The cosine of the angle between one patch and each, whatever their lengths."""
    judge_similarity(student, [asked(rng) for _ in range(2)])


@lesson.check("similarity", points=3)
def long_and_short(student, rng):
    """Lengths from a thousandth to thousands, in high and in wide grids."""
    cases = []
    for features, row, column in (asked(rng) for _ in range(3)):
        lengths = 10 ** rng.uniform(-3, 3, size=features.shape[:2])
        cases.append((unit(features) * lengths[..., None], row, column))
    judge_similarity(student, cases)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "similarity",
    "the vectors are not divided by their lengths: these are dot products",
    see="similarity(features, row, column)[row, column] must be 1",
)
def dot_products(features, row, column):
    return features @ features[row, column]


@lesson.mistake(
    "similarity",
    "only the query is divided by its length",
    see="similarity(5 * features, row, column) must be similarity(features, row, column)",
)
def only_query_divided(features, row, column):
    return features @ unit(features[row, column])


@lesson.mistake(
    "similarity",
    "the patches are divided by their lengths, the query is not",
    see="similarity(features, row, column)[row, column] must be 1",
)
def query_not_divided(features, row, column):
    return unit(features) @ features[row, column]


@lesson.mistake(
    "similarity",
    "the length is taken over the patches, not over the features of one patch",
    see="print(np.linalg.norm(unit, axis=-1)): each patch must have the length 1",
)
def length_over_patches(features, row, column):
    scaled = features / np.linalg.norm(features, axis=(0, 1))
    return scaled @ scaled[row, column]


@lesson.mistake(
    "similarity",
    "all vectors are divided by one length, that of the whole array",
    see="print(np.linalg.norm(unit, axis=-1)): each patch must have the length 1",
)
def one_length(features, row, column):
    scaled = features / np.linalg.norm(features)
    return scaled @ scaled[row, column]


@lesson.mistake(
    "similarity",
    "row and column are exchanged",
    see="similarity(features, row, column)[row, column] must be 1",
)
def exchanged(features, row, column):
    return cosines(features, column, row)


@lesson.mistake(
    "similarity",
    "vectors are divided by the square of their length",
    see="similarity(features, row, column)[row, column] must be 1",
)
def squared_length(features, row, column):
    scaled = features / (features**2).sum(axis=-1, keepdims=True)
    return scaled @ scaled[row, column]


@lesson.mistake(
    "similarity",
    "distances are returned: 1 minus the cosine",
    see="similarity(features, row, column)[row, column] must be 1, not 0",
)
def one_minus_cosine(features, row, column):
    return 1 - cosines(features, row, column)


@lesson.mistake(
    "similarity",
    "the angle is returned, not its cosine",
    see="similarity(features, row, column)[row, column] must be 1, not 0",
)
def angle(features, row, column):
    return np.arccos(np.clip(cosines(features, row, column), -1, 1))


@lesson.mistake(
    "similarity",
    "negative cosines are set to 0",
    see="two opposite vectors must have the similarity -1",
)
def clipped(features, row, column):
    return np.maximum(cosines(features, row, column), 0)


@lesson.mistake(
    "similarity",
    "the mean of all patches is subtracted first",
    see="features = np.ones((2, 2, 3)): all similarities must be 1, not NaN",
)
def centered_cosines(features, row, column):
    return cosines(features - features.mean(axis=(0, 1)), row, column)


# --- pca_maps ---


def stretched(rng, h, w, d):
    """Features with clearly different variances along axes that are turned, far from the origin: (h, w, d)."""
    rank = min(h * w - 1, d)
    left = rng.normal(size=(h * w, rank))
    left = np.linalg.qr(left - left.mean(axis=0))[0]  # columns of mean 0, at right angles
    axes = np.linalg.qr(rng.normal(size=(d, rank)))[0]
    lengths = rng.uniform(8, 12) * 0.6 ** np.arange(rank) * np.sqrt(h * w)
    middle = 15 * unit(rng.normal(size=d))
    return (left * lengths @ axes.T + middle).reshape(h, w, d)


def judge_maps(got, features, n):
    """Equal up to the sign of each map: only that is free, since no two variances are alike."""
    h, w, d = features.shape
    name = f"the maps for h={h}, w={w}, d={d}, n={n}"
    expected = principal(features, n)
    expect.shape(got, (h, w, n), name=name, hint="(h, w, n): one map for each component")
    expect.finite(got, name=name)
    got = np.array(got, dtype=float)
    hint = "subtract the mean of all patches, then multiply by the n axes of largest variance; the sign does not matter"
    for j in range(n):
        sign = -1.0 if np.vdot(np.sign(got[..., j]), expected[..., j]) < 0 else 1.0
        tolerance = 5e-3 * np.abs(expected[..., j]).max()
        text = f"component {j} of {name}"
        expect.close(sign * got[..., j], expected[..., j], rtol=0, atol=tolerance, name=text, hint=hint)


def judge_all_maps(student, rng, sizes):
    cases = []
    for h, w, d, n in sizes:
        features = stretched(rng, h, w, d)
        cases.append((student.pca_maps(features, n), features, n))
    for case in cases:
        judge_maps(*case)


@lesson.check("pca_maps", points=5)
def largest_variance(student, rng):
    """The first component: where the patches differ most, around their mean."""
    judge_all_maps(student, rng, [(*different(rng, 4, 8, 3), 1) for _ in range(2)])


@lesson.check("pca_maps", points=6)
def several_components(student, rng):
    """Several components, the one of largest variance first."""
    sizes = [(*different(rng, 5, 9, 3), n) for n in different(rng, 2, 4, 2)]
    judge_all_maps(student, rng, sizes)


@lesson.check("pca_maps", points=3)
def few_patches_many_features(student, rng):
    """Fewer patches than features, as in a small image."""
    h, w = different(rng, 2, 4, 2)
    judge_all_maps(student, rng, [(h, w, int(rng.integers(25, 35)), 3), (w, h + 2, int(rng.integers(25, 35)), 2)])
    expect.inputs_unchanged(student)


def axes_of(x):
    """Axes of the rows of x as columns, the largest variance first, and the lengths along them."""
    _, lengths, rows = np.linalg.svd(x, full_matrices=False)
    return rows.T, lengths


def mapped(features, n, prepare, project=lambda x, axes, lengths: x @ axes):
    """PCA with one thing changed: how x is prepared, or how it is multiplied."""
    h, w, d = features.shape
    x = prepare(features.reshape(-1, d))
    return project(x, *axes_of(x))[:, :n].reshape(h, w, -1)


def around_mean(x):
    return x - x.mean(axis=0)


@lesson.mistake(
    "pca_maps",
    "the mean is not subtracted: the first component shows the mean",
    see="pca_maps(features + 100, n) must be pca_maps(features, n), up to signs",
)
def not_centered(features, n):
    return mapped(features, n, lambda x: x)


@lesson.mistake(
    "pca_maps",
    "the mean of each patch over its features is subtracted, not the mean of each feature over the patches",
    see="print(pca_maps(features, n).mean(axis=(0, 1))): each must be 0",
)
def patches_centered(features, n):
    return mapped(features, n, lambda x: x - x.mean(axis=1, keepdims=True))


@lesson.mistake(
    "pca_maps",
    "one mean of all numbers is subtracted, not one for each feature",
    see="print(pca_maps(features, n).mean(axis=(0, 1))): each must be 0",
)
def one_mean(features, n):
    return mapped(features, n, lambda x: x - x.mean())


@lesson.mistake(
    "pca_maps",
    "the axes are right, but the mean is not subtracted before the features are multiplied by them",
    see="print(pca_maps(features, n).mean(axis=(0, 1))): each must be 0",
)
def projected_without_mean(features, n):
    h, w, d = features.shape
    x = features.reshape(-1, d)
    return (x @ axes_of(around_mean(x))[0])[:, :n].reshape(h, w, n)


@lesson.mistake(
    "pca_maps",
    "the components of smallest variance: np.linalg.eigh gives the smallest first",
    see="print(maps.var(axis=(0, 1))): the first must be the largest possible",
)
def smallest_variance(features, n):
    h, w, d = features.shape
    x = around_mean(features.reshape(-1, d))
    return (x @ np.linalg.eigh(x.T @ x)[1][:, :n]).reshape(h, w, n)


@lesson.mistake(
    "pca_maps",
    "the right components, but the one of largest variance comes last",
    see="print(maps.var(axis=(0, 1))): the numbers must fall",
)
def largest_last(features, n):
    return principal(features, n)[..., ::-1]


@lesson.mistake(
    "pca_maps",
    "the first component is skipped",
    see="print(maps.var(axis=(0, 1))): the first must be the largest possible",
)
def first_skipped(features, n):
    return principal(features, n + 1)[..., 1:]


@lesson.mistake(
    "pca_maps",
    "the axes are the columns of Vt; they are its rows: np.linalg.svd gives V transposed",
    see="x @ Vt.T must have columns at right angles: print(maps.reshape(-1, n).T @ maps.reshape(-1, n))",
)
def columns_of_vt(features, n):
    def project(x, axes, lengths):
        full = np.linalg.svd(x)[2]
        return x @ full

    return mapped(features, n, around_mean, project)


@lesson.mistake(
    "pca_maps",
    "the columns of U are returned without the singular values: all maps have the same variance",
    see="print(maps.var(axis=(0, 1))): the variances must be those of the features along the axes",
)
def same_variance(features, n):
    return mapped(features, n, around_mean, lambda x, axes, lengths: x @ axes / lengths)


@lesson.mistake(
    "pca_maps",
    "the features are divided by their standard deviations; asked is the PCA of the features as they are",
    see="a feature with a tiny variance must hardly change the first map",
)
def standardized(features, n):
    return mapped(features, n, lambda x: around_mean(x) / x.std(axis=0))


@lesson.mistake(
    "pca_maps",
    "the maps are scaled to 0..1; asked are the coordinates, the scaling is for the picture only",
    see="print(maps.mean(axis=(0, 1))): each must be 0",
)
def scaled_maps(features, n):
    maps = principal(features, n)
    low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
    return (maps - low) / (high - low)


@lesson.mistake(
    "pca_maps",
    "right numbers, wrong places: reshaped to (w, h) and then transposed",
    see="show one map: it must not look like woven stripes",
)
def woven_maps(features, n):
    h, w, _ = features.shape
    return principal(features, n).reshape(w, h, n).transpose(1, 0, 2)


@lesson.mistake(
    "pca_maps",
    "the maps are not laid out on the grid: (h * w, n) instead of (h, w, n)",
    see="print(pca_maps(features, n).shape): it must be (h, w, n)",
)
def flat_maps(features, n):
    return principal(features, n).reshape(-1, n)


@lesson.mistake(
    "pca_maps",
    "the number of the component comes first: (n, h, w) instead of (h, w, n)",
    see="print(pca_maps(features, n).shape): it must be (h, w, n)",
)
def components_first(features, n):
    return principal(features, n).transpose(2, 0, 1)


# --- dino_loss ---

LOSS_HINT = (
    "-(t * log_s).sum(axis=-1).mean() with t = softmax((teacher[i] - center) / tau_teacher) and "
    "log_s = log_softmax(student[j] / tau_student), averaged over all pairs with i != j"
)


def heads_outputs(rng, views, b, k):
    """What the two networks put out, a center that matters, and two temperatures: arguments of dino_loss."""
    student, teacher = 0.2 * rng.normal(size=(views, b, k)), 0.15 * rng.normal(size=(2, b, k))
    center = 0.15 * rng.normal(size=k)
    return student, teacher + center, center + 0.05 * rng.normal(size=k), rng.uniform(0.1, 0.2), rng.uniform(0.04, 0.07)


def judge_losses(student, cases, hint=LOSS_HINT):
    values = [student.dino_loss(*case) for case in cases]
    for case, value in zip(cases, values, strict=True):
        views, b, k = case[0].shape
        name = f"the loss for {views} views, b={b}, k={k}"
        expect.scalar(value, name=name)
        expect.close(np.reshape(value, ()), loss(*case), rtol=2e-3, name=name, hint=hint)


@lesson.check("dino_loss", points=5)
def two_views(student, rng):
    """Each of two views of the student is compared with the other one of the teacher."""
    judge_losses(student, [heads_outputs(rng, 2, *different(rng, 3, 8, 2)) for _ in range(3)])


@lesson.check("dino_loss", points=5)
def small_views_too(student, rng):
    """The student sees small views as well: all pairs of different views count the same."""
    cases = [heads_outputs(rng, views, *different(rng, 2, 8, 2)) for views in different(rng, 3, 6, 2)]
    judge_losses(student, cases, f"{LOSS_HINT}: with v views of the student there are 2 (v - 1) of them")


@lesson.check("dino_loss", points=4)
def far_apart(student, rng):
    """Outputs of hundreds, where probabilities underflow to 0, still give the right loss."""
    # exp(-746) is 0. Divided by 0.04 to 0.2, outputs of +-200 give differences of thousands.
    cases = []
    for views in different(rng, 2, 5, 2):
        outputs_s, outputs_t, center, *taus = heads_outputs(rng, views, *different(rng, 3, 7, 2))
        levels = rng.uniform(100, 300, size=(views, outputs_s.shape[1], 1)) * rng.choice([-1, 1], size=(views, 1, 1))
        far = np.where(rng.random(outputs_s.shape) < 0.3, -rng.uniform(150, 250, size=outputs_s.shape), 0)
        far[:, :, 0], far[:, 0, 1] = 0, -200  # one that stays, one that is far
        cases.append((outputs_s + levels + far, outputs_t + levels[:2], center, *taus))
    hint = "subtract the largest entry before exp, and take log_softmax as a - log(sum(exp(a))), not as log(softmax)"
    judge_losses(student, cases, hint)
    expect.inputs_unchanged(student)


def loss_with(
    student,
    teacher,
    center,
    tau_student,
    tau_teacher,
    *,
    target=lambda t, c, tau: softmax((t - c) / tau),
    guess=lambda s, tau: log_softmax(s / tau),
    reduce=lambda table: other_views(table).mean(),
):
    """The loss with one of its parts changed."""
    return reduce(cross_entropies(target(teacher, center, tau_teacher), guess(student, tau_student)))


@lesson.mistake(
    "dino_loss",
    "each view is also compared with itself: pairs with i = j count, too",
    see="with two views there are two pairs: teacher[0] with student[1], teacher[1] with student[0]",
)
def same_views_too(*args):
    return loss_with(*args, reduce=np.mean)


@lesson.mistake(
    "dino_loss",
    "only the pairs with i = j are compared",
    see="with two views there are two pairs: teacher[0] with student[1], teacher[1] with student[0]",
)
def same_views_only(*args):
    return loss_with(*args, reduce=lambda table: np.diag(table).mean())


@lesson.mistake(
    "dino_loss",
    "the small views are forgotten: only the first two views of the student are compared",
    see="the loss must change when student[2] changes",
)
def large_views_only(*args):
    return loss_with(*args, reduce=lambda table: other_views(table[:, :2]).mean())


@lesson.mistake(
    "dino_loss",
    "only the first view of the teacher is used",
    see="the loss must change when teacher[1] changes",
)
def one_view_of_the_teacher(*args):
    return loss_with(*args, reduce=lambda table: table[0, 1:].mean())


@lesson.mistake(
    "dino_loss",
    "the pairs are summed up; asked is their mean",
    see="all outputs equal: the loss must be log(k), whatever the number of views",
)
def pairs_summed(*args):
    return loss_with(*args, reduce=lambda table: other_views(table).sum())


@lesson.mistake(
    "dino_loss",
    "the sum over the pairs of different views is divided by the number of all pairs",
    see="all outputs equal: the loss must be log(k), whatever the number of views",
)
def divided_by_all_pairs(*args):
    return loss_with(*args, reduce=lambda table: other_views(table).sum() / table.size)


@lesson.mistake(
    "dino_loss",
    "the images are summed up; asked is their mean",
    see="the same images twice must give the same loss",
)
def images_summed(student, *args):
    return loss(student, *args) * student.shape[1]


@lesson.mistake(
    "dino_loss",
    "the mean over the k outputs is taken; the cross-entropy is their sum",
    see="all outputs equal: the loss must be log(k)",
)
def mean_over_outputs(student, *args):
    return loss(student, *args) / student.shape[2]


@lesson.mistake(
    "dino_loss",
    "the minus sign is missing",
    see="the loss must never be negative",
)
def no_minus(*args):
    return -loss(*args)


@lesson.mistake(
    "dino_loss",
    "the center is not subtracted from the teacher's outputs",
    see="dino_loss(s, t + c, c, 0.1, 0.04) must be dino_loss(s, t, 0 * c, 0.1, 0.04)",
)
def no_center(*args):
    return loss_with(*args, target=lambda t, c, tau: softmax(t / tau))


@lesson.mistake(
    "dino_loss",
    "the center is added to the teacher's outputs",
    see="dino_loss(s, t + c, c, 0.1, 0.04) must be dino_loss(s, t, 0 * c, 0.1, 0.04)",
)
def center_added(*args):
    return loss_with(*args, target=lambda t, c, tau: softmax((t + c) / tau))


@lesson.mistake(
    "dino_loss",
    "the center is subtracted after the outputs are divided by the temperature",
    see="dino_loss(s, t + c, c, 0.1, 0.04) must be dino_loss(s, t, 0 * c, 0.1, 0.04)",
)
def center_after_tau(*args):
    return loss_with(*args, target=lambda t, c, tau: softmax(t / tau - c))


@lesson.mistake(
    "dino_loss",
    "the center is subtracted from the student's outputs as well; only the teacher's are centered",
    see="dino_loss(s, t + c, c, 0.1, 0.04) must be dino_loss(s, t, 0 * c, 0.1, 0.04)",
)
def student_centered(student, teacher, center, *taus):
    return loss(student - center, teacher, center, *taus)


@lesson.mistake(
    "dino_loss",
    "the two temperatures are exchanged",
    see="a small tau_teacher must make the teacher's probabilities sharp: print them",
)
def taus_exchanged(student, teacher, center, tau_student, tau_teacher):
    return loss(student, teacher, center, tau_teacher, tau_student)


@lesson.mistake(
    "dino_loss",
    "the outputs are multiplied by the temperatures instead of divided",
    see="a small tau_teacher must make the teacher's probabilities sharp: print them",
)
def multiplied_by_tau(student, teacher, center, tau_student, tau_teacher):
    return loss(student, teacher, center, 1 / tau_student, 1 / tau_teacher)


@lesson.mistake(
    "dino_loss",
    "the teacher is not sharpened: its temperature is not used",
    see="a small tau_teacher must make the teacher's probabilities sharp: print them",
)
def not_sharpened(*args):
    return loss_with(*args, target=lambda t, c, tau: softmax(t - c))


@lesson.mistake(
    "dino_loss",
    "the student's temperature is not used",
    see="the loss must change with tau_student",
)
def student_without_tau(*args):
    return loss_with(*args, guess=lambda s, tau: log_softmax(s))


@lesson.mistake(
    "dino_loss",
    "the softmax runs over the images, not over the k outputs",
    see="the loss of one image alone must not be 0",
)
def softmax_over_images(*args):
    return loss_with(
        *args,
        target=lambda t, c, tau: softmax((t - c) / tau, axis=1),
        guess=lambda s, tau: log_softmax(s / tau, axis=1),
    )


@lesson.mistake(
    "dino_loss",
    "teacher and student are exchanged: the log is taken of the teacher's probabilities",
    see="a sharp teacher and an even student must give log(k): dino_loss(0 * s, t, c, 0.1, 0.04)",
)
def roles_exchanged(*args):
    return loss_with(
        *args,
        target=lambda t, c, tau: log_softmax((t - c) / tau),
        guess=lambda s, tau: softmax(s / tau),
    )


@lesson.mistake(
    "dino_loss",
    "the entropy of the teacher is subtracted: that is the Kullback-Leibler divergence, not the cross-entropy",
    see="all outputs equal: the loss must be log(k), not 0",
)
def divergence(student, teacher, center, tau_student, tau_teacher):
    log_target = log_softmax((teacher - center) / tau_teacher)
    entropy = -(np.exp(log_target) * log_target).sum(axis=2).mean()
    return loss(student, teacher, center, tau_student, tau_teacher) - entropy


@lesson.mistake(
    "dino_loss",
    "the log is taken of the softmax: a probability that is 0 as a float has the log -inf",
    see="dino_loss(1000 * s, 0 * t, 0 * c, 0.1, 0.04) must be a large number, not inf or NaN",
)
def log_of_softmax(*args):
    return loss_with(*args, guess=lambda s, tau: np.log(softmax(s / tau)))


@lesson.mistake(
    "dino_loss",
    "exp is taken of the outputs as they are: large ones give infinity, and infinity / infinity is NaN",
    see="dino_loss(s + 1000, t, c, 0.1, 0.04) must be dino_loss(s, t, c, 0.1, 0.04)",
)
def naive_loss(*args):
    def naive(a):
        return np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)

    return loss_with(*args, target=lambda t, c, tau: naive((t - c) / tau), guess=lambda s, tau: np.log(naive(s / tau)))


@lesson.mistake(
    "dino_loss",
    "a small number is added before the log: a student that is very wrong pays too little",
    see="dino_loss(1000 * s, 0 * t, 0 * c, 0.1, 0.04) must grow with the 1000",
)
def small_number_added(*args):
    return loss_with(*args, guess=lambda s, tau: np.log(softmax(s / tau) + 1e-8))


# --- update ---


def followed(student, rng, count=3):
    """Calls of update, with what should have come out."""
    cases = []
    for _ in range(count):
        size, b, k = different(rng, 3, 9, 3)
        old, new = rng.normal(size=(2, size))
        center, batch = rng.normal(size=k), rng.normal(size=(2, b, k)) + 2 * rng.normal(size=k)
        args = (old, new, center, batch, float(rng.uniform(0.6, 0.99)), float(rng.uniform(0.6, 0.95)))
        result = pair(student.update(*args), name="the result of update", hint="return new_teacher, new_center")
        cases.append((f"for {size} weights, b={b}, k={k}", result, updated(*args)))
    return cases


@lesson.check("update", points=4)
def teacher_follows(student, rng):
    """The teacher moves a little towards the student."""
    hint = "momentum * teacher + (1 - momentum) * student"
    for name, (got, _), (expected, _) in followed(student, rng):
        expect.shape(got, expected.shape, name=f"the teacher {name}", hint="as many weights as before")
        expect.close(got, expected, rtol=1e-4, atol=1e-4, name=f"the teacher {name}", hint=hint)


@lesson.check("update", points=4)
def center_follows(student, rng):
    """The center moves a little towards the mean of the teacher's outputs."""
    hint = "center_momentum * center + (1 - center_momentum) * outputs.mean(axis=(0, 1))"
    for name, (_, got), (_, expected) in followed(student, rng):
        expect.shape(got, expected.shape, name=f"the center {name}", hint="k numbers: mean over views and images")
        expect.close(got, expected, rtol=1e-4, atol=1e-4, name=f"the center {name}", hint=hint)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "update",
    "the teacher's momentum is on the wrong side: the teacher becomes nearly the student at once",
    see="momentum 0.99 must change the teacher by one hundredth of the way to the student",
)
def teacher_jumps(teacher, student, center, outputs, momentum, center_momentum):
    return updated(teacher, student, center, outputs, 1 - momentum, center_momentum)


@lesson.mistake(
    "update",
    "the center's momentum is on the wrong side: the center becomes nearly the mean of the batch at once",
    see="center_momentum 0.9 must change the center by a tenth of the way to the mean",
)
def center_jumps(teacher, student, center, outputs, momentum, center_momentum):
    return updated(teacher, student, center, outputs, momentum, 1 - center_momentum)


@lesson.mistake(
    "update",
    "both momenta are on the wrong side",
    see="momentum 0.99 must change the teacher by one hundredth of the way to the student",
)
def both_jump(teacher, student, center, outputs, momentum, center_momentum):
    return updated(teacher, student, center, outputs, 1 - momentum, 1 - center_momentum)


@lesson.mistake(
    "update",
    "the two momenta are exchanged",
    see="update(..., momentum=1.0, center_momentum=0.0) must leave the teacher as it is",
)
def momenta_exchanged(teacher, student, center, outputs, momentum, center_momentum):
    return updated(teacher, student, center, outputs, center_momentum, momentum)


@lesson.mistake(
    "update",
    "one momentum is used for both",
    see="update(..., momentum=1.0, center_momentum=0.0) must return the mean of the outputs as center",
)
def one_momentum(teacher, student, center, outputs, momentum, center_momentum):
    return updated(teacher, student, center, outputs, momentum, momentum)


@lesson.mistake(
    "update",
    "the teacher is replaced by the student",
    see="momentum 1.0 must leave the teacher as it is",
)
def teacher_replaced(teacher, student, center, outputs, momentum, center_momentum):
    return student, updated(teacher, student, center, outputs, momentum, center_momentum)[1]


@lesson.mistake(
    "update",
    "the center is replaced by the mean of the batch",
    see="center_momentum 1.0 must leave the center as it is",
)
def center_replaced(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), outputs.mean(axis=(0, 1))


@lesson.mistake(
    "update",
    "the factor 1 - momentum is missing: the weights grow with each step",
    see="a teacher equal to the student must stay as it is",
)
def teacher_grows(teacher, student, center, outputs, momentum, center_momentum):
    return momentum * teacher + student, updated(teacher, student, center, outputs, momentum, center_momentum)[1]


@lesson.mistake(
    "update",
    "the mean for the center is taken over the images only, not over the views",
    see="print(new_center.shape): it must be (k,)",
)
def center_of_each_view(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), moved(center, outputs.mean(axis=1), center_momentum)


@lesson.mistake(
    "update",
    "the mean for the center is taken over everything: one number for all k",
    see="print(outputs.mean(axis=(0, 1)).shape): it must be (k,)",
)
def one_number_for_the_center(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), moved(center, outputs.mean(), center_momentum)


@lesson.mistake(
    "update",
    "the outputs are summed up for the center, not averaged",
    see="the same images twice must give the same center",
)
def center_of_the_sum(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), moved(center, outputs.sum(axis=(0, 1)), center_momentum)


@lesson.mistake(
    "update",
    "only the first view counts for the center",
    see="the center must change when outputs[1] changes",
)
def center_of_one_view(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), moved(center, outputs[0].mean(axis=0), center_momentum)


@lesson.mistake(
    "update",
    "the center follows the teacher's probabilities; it must follow the outputs before the softmax",
    see="outputs of 100 everywhere and center_momentum 0.0: the new center must be 100",
)
def center_of_probabilities(teacher, student, center, outputs, momentum, center_momentum):
    return moved(teacher, student, momentum), moved(center, softmax(outputs).mean(axis=(0, 1)), center_momentum)


# --- knn ---


def surroundings(rng, k):
    """A bank of labeled features, queries between the classes and a temperature: arguments of knn.

    Drawn again until no query has two neighbors of nearly the same cosine where the k nearest end, so that rounding
    cannot choose another one.
    """
    while True:
        d, classes, count, asked_for = *different(rng, 3, 8, 2), int(rng.integers(30, 40)), int(rng.integers(10, 16))
        middles = rng.normal(size=(classes, d))
        labels = rng.permutation(np.minimum(np.arange(count) % (classes + 2), classes - 1))  # one class is larger
        bank = (middles[labels] + rng.normal(size=(count, d))) * rng.uniform(0.3, 3, size=(count, 1))
        queries = middles[rng.integers(classes, size=asked_for)] + 0.7 * rng.normal(size=(asked_for, d))
        queries *= rng.uniform(1.5, 3, size=(asked_for, 1)) / np.linalg.norm(queries, axis=1, keepdims=True)
        ranked = -np.sort(-unit(queries) @ unit(bank).T, axis=1)
        if (ranked[:, k - 1] - ranked[:, k]).min() > 1e-5:
            return bank, labels, queries, k, float(rng.uniform(0.07, 0.3))


def judge_votes(student, cases):
    results = [student.knn(*case) for case in cases]
    hint = "weights exp(cosine / tau) of the k nearest, summed up for each class, divided by the sum of all classes"
    for case, got in zip(cases, results, strict=True):
        bank, labels, queries, k, _ = case
        name = f"the shares for {len(queries)} queries, k={k}, {labels.max() + 1} classes, {len(bank)} in the bank"
        expected = voted(*case)
        expect.shape(got, expected.shape, name=name, hint="one row for each query, one column for each class")
        expect.finite(got, name=name)
        expect.close(got, expected, rtol=0, atol=2e-3, name=name, hint=hint)


@lesson.check("knn", points=5)
def neighbors_vote(student, rng):
    """The nearest neighbors vote, the nearer the more."""
    judge_votes(student, [surroundings(rng, k) for k in different(rng, 5, 9, 2)])


@lesson.check("knn", points=3)
def one_and_many(student, rng):
    """One neighbor, a few, and many."""
    judge_votes(student, [surroundings(rng, k) for k in (1, *different(rng, 3, 5, 1), *different(rng, 15, 25, 1))])
    expect.inputs_unchanged(student)


def voted_by(
    bank,
    labels,
    queries,
    k,
    tau,
    *,
    compare=lambda bank, queries: unit(queries) @ unit(bank).T,
    weight=lambda s, tau: np.exp(s / tau),
    near=nearest,
    end=share_of_each,
):
    """The vote with one of its parts changed."""
    return end(ballots(compare(bank, queries), labels, k, lambda s: weight(s, tau), near))


@lesson.mistake(
    "knn",
    "all k neighbors count the same: the weights exp(cosine / tau) are missing",
    see="one neighbor with cosine 1.0 must outweigh two with cosine 0.5, for tau = 0.07",
)
def equal_votes(*args):
    return voted_by(*args, weight=lambda s, tau: np.ones_like(s))


@lesson.mistake(
    "knn",
    "the weights are the cosines; asked is exp(cosine / tau)",
    see="one neighbor with cosine 1.0 must outweigh two with cosine 0.6, for tau = 0.07",
)
def cosine_votes(*args):
    return voted_by(*args, weight=lambda s, tau: s)


@lesson.mistake(
    "knn",
    "the cosines are multiplied by tau instead of divided",
    see="one neighbor with cosine 1.0 must outweigh two with cosine 0.5, for tau = 0.07",
)
def tau_multiplied(*args):
    return voted_by(*args, weight=lambda s, tau: np.exp(s * tau))


@lesson.mistake(
    "knn",
    "tau is not used: the weights are exp(cosine)",
    see="one neighbor with cosine 1.0 must outweigh two with cosine 0.5, for tau = 0.07",
)
def no_tau(*args):
    return voted_by(*args, weight=lambda s, tau: np.exp(s))


@lesson.mistake(
    "knn",
    "the weights are exp(distance / tau): far neighbors count more than near ones",
    see="a neighbor with cosine 1.0 must outweigh one with cosine 0.5",
)
def far_count_more(*args):
    return voted_by(*args, weight=lambda s, tau: np.exp((1 - s) / tau))


@lesson.mistake(
    "knn",
    "only the nearest neighbor counts",
    see="print the labels of all k neighbors of one query: all of them vote",
)
def nearest_decides(bank, labels, queries, k, tau):
    return voted(bank, labels, queries, 1, tau)


@lesson.mistake(
    "knn",
    "k is not used: the whole bank votes",
    see="knn(bank, labels, bank, 1, tau) must be 1 for the labels of the bank and 0 elsewhere",
)
def all_vote(bank, labels, queries, k, tau):
    return voted(bank, labels, queries, len(bank), tau)


@lesson.mistake(
    "knn",
    "the vectors are not divided by their lengths: long vectors of the bank always win",
    see="knn(5 * bank, labels, queries, k, tau) must be knn(bank, labels, queries, k, tau)",
)
def not_divided(*args):
    return voted_by(*args, compare=lambda bank, queries: queries @ bank.T)


@lesson.mistake(
    "knn",
    "only the queries are divided by their lengths, the bank is not",
    see="knn(5 * bank, labels, queries, k, tau) must be knn(bank, labels, queries, k, tau)",
)
def bank_not_divided(*args):
    return voted_by(*args, compare=lambda bank, queries: unit(queries) @ bank.T)


@lesson.mistake(
    "knn",
    "only the bank is divided by the lengths, the queries are not: their length sharpens the vote",
    see="knn(bank, labels, 5 * queries, k, tau) must be knn(bank, labels, queries, k, tau)",
)
def queries_not_divided(*args):
    return voted_by(*args, compare=lambda bank, queries: queries @ unit(bank).T)


@lesson.mistake(
    "knn",
    "the length is taken of each feature over the bank, not of each vector",
    see="print(np.linalg.norm(bank, axis=1)) after the division: each must be 1",
)
def lengths_of_columns(*args):
    return voted_by(*args, compare=lambda bank, queries: unit(queries.T).T @ unit(bank.T))


@lesson.mistake(
    "knn",
    "the farthest vectors vote: np.argsort gives the smallest cosine first",
    see="knn(bank, labels, bank, 1, tau) must be 1 for the labels of the bank and 0 elsewhere",
)
def farthest_vote(*args):
    return voted_by(*args, near=lambda similarity, k: nearest(-similarity, k))


@lesson.mistake(
    "knn",
    "the sums are not divided by their total",
    see="print(knn(bank, labels, queries, k, tau).sum(axis=1)): each must be 1",
)
def sums_returned(*args):
    return voted_by(*args, end=lambda table: table)


@lesson.mistake(
    "knn",
    "the sums are divided by k, not by their total",
    see="print(knn(bank, labels, queries, k, tau).sum(axis=1)): each must be 1",
)
def divided_by_k(*args):
    return voted_by(*args, end=lambda table: table / args[3])


@lesson.mistake(
    "knn",
    "the sums are divided along the wrong axis: over the queries",
    see="print(knn(bank, labels, queries, k, tau).sum(axis=1)): each must be 1",
)
def divided_over_queries(*args):
    return voted_by(*args, end=lambda table: table / np.maximum(table.sum(axis=0), 1e-12))


@lesson.mistake(
    "knn",
    "the label with the largest share is returned, not the shares",
    see="print(knn(bank, labels, queries, k, tau).shape): (number of queries, number of classes)",
)
def label_returned(*args):
    return voted(*args).argmax(axis=1)
