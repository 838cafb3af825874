# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 1: grouping and how to score it
#
# A method without labels may call the sky 0 or 7, and may cut it in three. How good is its answer? You write the
# scores that this course uses, nine small functions, and rank segmentations of a photo with them.
#
# After this exercise you can
#
# - count how two label maps overlap, in one pass over the pixels,
# - match clusters to classes, and say what happens to those that are left over,
# - explain why one image can score .9 with one measure and .4 with another,
# - score a segmentation against several people who do not agree with each other.
#
# About 1 hour 30 minutes, 100 points. Read chapter 1 of the book first. `check("grouping.confusion")` tells you at once
# whether `confusion` is right, and if not, where to look. Run it as often as you like.
#
# Letters: $S$ true segments, $K$ clusters, $N$ pixels; $n_{sk}$ pixels that lie in true segment $s$ and in cluster $k$.
# Label maps have shape (h, w) and hold integers from 0.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment
from skimage.segmentation import felzenszwalb, slic

from autograder import check
from unseg_helpers import datasets, metrics, plots

# %% [markdown]
# The photo that we score on, what a person drew, and a very simple method: brightness in four steps.

# %%
photo = datasets.photo("china")
image, truth = photo.image[::4, ::4], photo.truth[::4, ::4]
steps = np.digitize(image.mean(axis=2), [60, 120, 180])  # 0 dark ... 3 bright
plots.panels({"photo": image, "drawn by a person": truth, "four steps of brightness": steps})
plt.show()

# %% [markdown]
# ## Task 1 · Count the pairs (10 points)
#
# **Goal:** the (S, K) table of counts: entry (s, k) is the number of pixels with true label s and cluster k. The sizes
# are the largest labels plus one; a label that does not occur has a row (or column) of zeros.
#
# **About 5 minutes. You need:** one key for each pixel, `true * K + pred`; `np.bincount(keys, minlength=...)` counts
# keys; `reshape` makes a table of them. Label maps are 2-D, `bincount` wants 1-D: `.ravel()`.
#
# **The last 2 points:** label maps from PNG files are `uint8`, and `np.uint8(20) * 25` is not 500. Convert with
# `.astype(int)` before you multiply.


# %% tags=["exercise"] grade_id="grouping.confusion"
def confusion(true, pred):
    """Pixels of every pair of labels: (h, w), (h, w) integers from 0 -> (S, K) integers."""
    # BEGIN SOLUTION
    n_true, n_pred = int(true.max()) + 1, int(pred.max()) + 1
    keys = true.astype(int) * n_pred + pred  # (h, w), one number for each pair
    return np.bincount(keys.ravel(), minlength=n_true * n_pred).reshape(n_true, n_pred)
    # END SOLUTION


# %%
confusion(np.array([[0, 0], [1, 1]]), np.array([[2, 2], [2, 0]])).tolist()  # expect: [[0, 0, 2], [1, 0, 1]]

# %% [markdown]
# Look: the table of the photo. Which region do the steps of brightness find, and which do they mix?


# %%
def show_table(table, title, form):
    """A table as a picture, with its numbers."""
    fig, ax = plt.subplots(figsize=(6, 3.5))
    ax.imshow(table, cmap="Blues", vmax=1.5 * np.max(table), aspect="auto")
    for (s, k), value in np.ndenumerate(table):
        ax.text(k, s, format(value, form), ha="center", va="center")
    ax.set_xticks(range(table.shape[1]))
    ax.set_yticks(range(table.shape[0]), photo.labels)
    ax.set_xlabel("cluster")
    ax.set_title(title)
    plt.show()


table = confusion(truth, steps)
show_table(table, "pixels", "d")

# %%
check("grouping.confusion")

# %% [markdown]
# ## Task 2 · Intersection over union (10 points)
#
# **Goal:** from the table, for every pair,
#
# $$\mathrm{IoU}_{sk} = \frac{|A_s \cap B_k|}{|A_s \cup B_k|}, \qquad |A \cup B| = |A| + |B| - |A \cap B| .$$
#
# It is 1 when segment and cluster are the same pixels, and 0 when they have no pixel in common. For a label that does
# not occur the union can be empty: its IoU is 0, not NaN.
#
# **About 5 minutes. You need:** the table holds the intersections; the sums of its rows are the sizes of the true
# segments, those of its columns the sizes of the clusters. `keepdims=True` keeps the sums of the rows as (S, 1).


# %% tags=["exercise"] grade_id="grouping.iou_matrix"
def iou_matrix(table):
    """Intersection over union of every segment with every cluster: (S, K) counts -> (S, K) floats in [0, 1]."""
    # BEGIN SOLUTION
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table  # (S, K)
    return table / np.maximum(union, 1)
    # END SOLUTION


# %%
iou_matrix(np.array([[3, 0], [3, 9]])).tolist()  # expect: [[0.5, 0.0], [0.2, 0.75]]

# %% [markdown]
# Look: the same table as IoU. Large regions no longer win just because they are large.

# %%
iou = iou_matrix(table)
show_table(iou, "intersection over union", ".2f")

# %%
check("grouping.iou_matrix")

# %% [markdown]
# ## Task 3 · One cluster for one class (12 points)
#
# **Goal:** the mean IoU after the best renaming of the clusters. Each class gets at most one cluster, each cluster at
# most one class, such that the sum of the IoU is largest. Then the mean over the true classes:
#
# - a class that got no cluster (there are fewer clusters than classes) counts as 0,
# - a cluster that got no class is not counted,
# - a class without a single pixel in the table (a row of zeros) is left out of the mean.
#
# **About 10 minutes. You need:** your `iou_matrix`, and `rows, cols = linear_sum_assignment(weights, maximize=True)`
# from scipy, the Hungarian method. It pairs `rows[i]` with `cols[i]`, for tables that are not square, too.


# %% tags=["exercise"] grade_id="grouping.matched_miou"
def matched_miou(table):
    """Mean IoU over the true classes after one-to-one matching by IoU: (S, K) counts -> float in [0, 1]."""
    # BEGIN SOLUTION
    iou = iou_matrix(table)
    rows, cols = linear_sum_assignment(iou, maximize=True)
    return iou[rows, cols].sum() / np.count_nonzero(table.sum(axis=1))
    # END SOLUTION


# %%
float(matched_miou(np.array([[0, 6], [6, 0], [2, 0]])))  # expect: 0.5833333333333334

# %% [markdown]
# Look: by hand, that is (1 + 6/8 + 0) / 3. On the photo, clusters now wear the color of the class that they are matched
# with. Six classes, four clusters: at least two classes are lost.

# %%
renamed = metrics.relabel(truth, steps)
title = f"matched: mean IoU {matched_miou(table):.2f}"
plots.panels({"photo": image, "drawn by a person": truth, title: renamed})
plt.show()

# %%
check("grouping.matched_miou")

# %% [markdown]
# ## Task 4 · The table of the paper (12 points)
#
# *Scene segmentation using unsupervised learning* (Shukla, Mehta and Boinpally), where this course starts from, scores
# differently: each cluster takes the true segment that it fits best. Several clusters may take the same one.
#
# **Goal:** three arrays with one entry for each of the K clusters:
#
# - `size`: its number of pixels,
# - `segment`: the true segment with the largest IoU,
# - `iou`: that IoU.
#
# **About 10 minutes. You need:** your `iou_matrix`, `argmax` and `max` along the right axis.


# %% tags=["exercise"] grade_id="grouping.best_match_table"
def best_match_table(table):
    """Best true segment of each cluster: (S, K) counts -> size (K,), segment (K,), iou (K,)."""
    # BEGIN SOLUTION
    iou = iou_matrix(table)
    return table.sum(axis=0), iou.argmax(axis=0), iou.max(axis=0)
    # END SOLUTION


# %%
[part.tolist() for part in best_match_table(np.array([[3, 0], [3, 9]]))]  # expect: [[6, 9], [0, 1], [0.5, 0.75]]

# %% [markdown]
# Look: the table of the photo, and the two ways to make one number of it. The paper's text allows both, and its
# columns seem to mix them. How far apart are they here?

# %%
for k, (size, segment, value) in enumerate(zip(*best_match_table(table), strict=True)):
    print(f"cluster {k}: {size:5d} pixels, best match {photo.labels[segment]:8s} IoU {value:.2f}")
best_ious = best_match_table(table)[2]
print(f"best cluster {best_ious.max():.2f}, mean over clusters {best_ious.mean():.2f}")

# %%
check("grouping.best_match_table")

# %% [markdown]
# ## Task 5 · Covering (10 points)
#
# The best cluster says nothing about the rest of the image. The *covering* looks at every pixel: each true segment
# takes the cluster that fits it best, and counts as much as it has pixels,
#
# $$C = \sum_s \frac{|A_s|}{N} \max_k \mathrm{IoU}_{sk} .$$
#
# **Goal:** this number. This course sets its goals on it.
#
# **About 5 minutes. You need:** your `iou_matrix`. Which axis is it this time?


# %% tags=["exercise"] grade_id="grouping.covering"
def covering(table):
    """Covering of the true segments by the clusters: (S, K) counts -> float in (0, 1]."""
    # BEGIN SOLUTION
    best = iou_matrix(table).max(axis=1)  # (S,)
    return (table.sum(axis=1) * best).sum() / table.sum()
    # END SOLUTION


# %%
float(covering(np.array([[3], [1]])))  # expect: 0.625

# %% [markdown]
# Look: cut the photo into more and more pieces. The best cluster (it is the sky) hardly notices; the covering does.

# %%
scales = [4000, 2000, 1000, 500, 250, 120, 60, 30, 15]
pieces = [np.zeros_like(steps)] + [felzenszwalb(image, scale=scale, sigma=0.8, min_size=20) for scale in scales]
tables = [confusion(truth, labels) for labels in pieces]
n_pieces = [len(np.unique(labels)) for labels in pieces]


def plot_over_pieces(curves, title):
    """One line for each score over the number of pieces."""
    plt.figure(figsize=(6, 3.5))
    for (name, values), style in zip(curves.items(), ["o-", "s-", "^-"], strict=False):
        plt.plot(n_pieces, values, style, label=name)
    plt.xscale("log")
    plt.xticks([1, 10, 100], ["1", "10", "100"])
    plt.ylim(0, 1.25 * np.max(list(curves.values())))
    plt.xlabel("number of pieces")
    plt.title(title)
    plt.legend(loc="upper left", ncols=3)
    plt.show()


curves = {
    "best cluster": [best_match_table(t)[2].max() for t in tables],
    "covering": [covering(t) for t in tables],
    "mean over clusters": [best_match_table(t)[2].mean() for t in tables],
}
plot_over_pieces(curves, "the same segmentations, three scores")
plots.panels({f"{n_pieces[i]} pieces": pieces[i] for i in (2, 5, 8)}, borders=True)
plt.show()

# %%
check("grouping.covering")

# %% [markdown]
# ## Task 6 · Variation of information (14 points)
#
# How many bits do I lack about the one label of a pixel when I know the other? With $p_{sk} = n_{sk} / N$ and the
# entropy $H(p) = -\sum p \log_2 p$ over all entries,
#
# $$\mathrm{VI} = H(\text{true} \mid \text{pred}) + H(\text{pred} \mid \text{true})
# = 2 H(p_{sk}) - H(p_{s\cdot}) - H(p_{\cdot k}) ,$$
#
# where $p_{s\cdot}$ are the sums of the rows and $p_{\cdot k}$ those of the columns. The first term is the price of
# merging true segments, the second that of splitting them. 0 is perfect, and smaller is better.
#
# **Goal:** VI in bits. Empty entries add nothing: $0 \log 0$ counts as 0, although NumPy makes NaN of it.
#
# **About 15 minutes. You need:** `np.log2`, and `p[p > 0]` to leave out the zeros. A helper `entropy(p)` is welcome:
# functions that you define in the same cell, or in any other, are found.


# %% tags=["exercise"] grade_id="grouping.variation_of_information"
def variation_of_information(table):
    """Variation of information of two partitions in bits: (S, K) counts -> float, 0 or more."""

    # BEGIN SOLUTION
    def entropy(p):
        p = p[p > 0]
        return -(p * np.log2(p)).sum()

    p = table / table.sum()
    return 2 * entropy(p) - entropy(p.sum(axis=1)) - entropy(p.sum(axis=0))
    # END SOLUTION


# %%
float(variation_of_information(np.array([[2, 2, 0, 0], [0, 0, 2, 2]])))  # expect: 1.0

# %% [markdown]
# Look: every segment cut in halves costs one bit. On the photo, too few pieces merge and too many split, and VI charges
# for both.

# %%
plot_over_pieces(
    {"VI": [variation_of_information(t) for t in tables]}, "variation of information in bits: small is good"
)

# %%
check("grouping.variation_of_information")

# %% [markdown]
# ## Task 7 · Where are the boundaries? (8 points)
#
# **Goal:** a boolean (h, w) map that is True where a pixel has another label than its neighbor to the right, or below,
# or diagonally below right. A neighbor outside the image does not count.
#
# **About 10 minutes. You need:** `labels[:, :-1] != labels[:, 1:]` compares each pixel with the one to its right; it is
# one column narrower than the image. Start with a map of False, and fill in its parts with `|=`.


# %% tags=["exercise"] grade_id="grouping.boundary_map"
def boundary_map(labels):
    """Pixels whose label differs from the right, lower or lower right neighbor: (h, w) integers -> (h, w) bool."""
    # BEGIN SOLUTION
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    edges[:-1, :-1] |= labels[:-1, :-1] != labels[1:, 1:]
    return edges
    # END SOLUTION


# %%
boundary_map(np.array([[7, 7, 2], [7, 7, 2]])).astype(int).tolist()  # expect: [[0, 1, 0], [0, 1, 0]]

# %% [markdown]
# Look: the boundaries that the person drew, and those of a segmentation.

# %%
true_edges, pred_edges = boundary_map(truth), boundary_map(pieces[4])
plots.panels({"photo": image, "true boundaries": true_edges, f"{n_pieces[4]} pieces": pred_edges})
plt.show()

# %%
check("grouping.boundary_map")

# %% [markdown]
# ## Task 8 · Boundaries within a radius (12 points)
#
# Nobody draws the same line twice. So a predicted boundary pixel is right when *some* true boundary pixel is at most
# `radius` pixels away (straight distance), and the other way round:
#
# - precision $P$: the share of predicted boundary pixels that are right,
# - recall $R$: the share of true boundary pixels with a predicted one within the radius,
# - $F = 2 P R / (P + R)$.
#
# **Goal:** F. It is 1 when neither map has a boundary, 0 when only one of them has, and 0 when $P + R = 0$.
#
# **About 15 minutes. You need:** `distance_transform_edt(a)` gives, for each True pixel of `a`, the distance to the
# nearest False pixel. So `distance_transform_edt(~true_edges)` is the distance to the nearest true boundary pixel. A
# share is the `.mean()` of booleans.
#
# (The BSDS benchmark also demands that partners are one to one, so a line drawn twice cannot count twice. See
# `unseg_helpers.metrics.boundary_f`.)


# %% tags=["exercise"] grade_id="grouping.boundary_f"
def boundary_f(true_edges, pred_edges, radius):
    """F-measure of boundary pixels within a radius in pixels: (h, w) bool, (h, w) bool, number -> float in [0, 1]."""
    # BEGIN SOLUTION
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    precision = (distance_transform_edt(~true_edges)[pred_edges] <= radius).mean()
    recall = (distance_transform_edt(~pred_edges)[true_edges] <= radius).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    # END SOLUTION


# %%
float(boundary_f(np.eye(5, dtype=bool), np.eye(5, k=1, dtype=bool), 1))  # expect: 1.0

# %% [markdown]
# Look: how F grows with the radius. On an image of this size ten pixels are a lot: by then nearly anything is right.

# %%
radii = np.arange(11)
plt.figure(figsize=(6, 3.5))
for i, style in [(2, "^-"), (4, "o-"), (8, "s-")]:
    edges = boundary_map(pieces[i])
    plt.plot(radii, [boundary_f(true_edges, edges, r) for r in radii], style, label=f"{n_pieces[i]} pieces")
plt.ylim(0, 1)
plt.xlabel("radius (pixels)")
plt.ylabel("boundary F")
plt.legend()
plt.show()

# %%
check("grouping.boundary_f")

# %% [markdown]
# ## Task 9 · Which segmentation is best? (12 points)
#
# People disagree, and all are right: one draws a house, another its roof and its walls. So a segmentation is scored
# against each annotator, and the scores are averaged.
#
# **Goal:** for m candidates and a annotators of one photo,
#
# - `scores`: for each candidate its covering, averaged over the annotators, shape (m,),
# - `order`: indices of the candidates, best first, shape (m,).
#
# **About 15 minutes. You need:** your `confusion` (the truth first!) and `covering`, and `np.argsort`, which sorts from
# small to large.


# %% tags=["exercise"] grade_id="grouping.rank"
def rank(truths, candidates):
    """Mean covering of each candidate, and who is best: (a, h, w), (m, h, w) integers -> scores (m,), order (m,)."""
    # BEGIN SOLUTION
    scores = np.array([np.mean([covering(confusion(truth, one)) for truth in truths]) for one in candidates])
    return scores, np.argsort(-scores)
    # END SOLUTION


# %%
[part.tolist() for part in rank(np.array([[[0, 0, 1, 1]]]), np.array([[[0, 0, 0, 0]], [[5, 5, 2, 2]]]))]
# expect: [[0.5, 1.0], [1, 0]]

# %% [markdown]
# Look: eight segmentations of the photo, best first. One annotator has six regions, the other (made from the first) has
# three: sky, buildings, and the rest. Do you agree with the order? Try other settings, or sort by VI.

# %%
coarse = np.array([0, 1, 1, 2, 2, 2])[truth]  # roofs and walls are buildings; trees, lake and shore are the rest
truths = np.stack([truth, coarse])
h, w = truth.shape
rows, cols = np.indices((h, w))
candidates = {
    "one segment": np.zeros((h, w), dtype=int),
    "a grid": rows * 3 // h * 4 + cols * 4 // w,
    "brightness": steps,
    "colors": np.unique(image // 86 @ np.array([9, 3, 1]), return_inverse=True)[1].reshape(h, w),
    "SLIC, 12": slic(image, 12, start_label=0),
    "graph, few": pieces[2],
    "graph, some": pieces[5],
    "graph, many": pieces[8],
}
names, maps = list(candidates), np.stack(list(candidates.values()))
scores, order = rank(truths, maps)

plots.panels({"photo": image, "annotator 1": truths[0], "annotator 2": truths[1]})
plots.panels({f"{scores[i]:.2f}  {names[i]}": maps[i] for i in order}, cols=4)
plt.show()

# %% [markdown]
# And a drawn scene, where the truth is exact at three levels: foreground, objects, and parts of objects. Careful: the
# background is most of it, so one single segment covers a lot. Always compare a method with this trivial answer!

# %%
scene = datasets.scene(23, size=(120, 180), n_objects=4)
levels = np.stack([scene.foreground, scene.instances, scene.parts]).astype(int)
guesses = {
    "one segment": np.zeros((120, 180), dtype=int),
    "brightness": np.digitize(scene.image.mean(axis=2), [60, 120, 180]),
    "SLIC, 12": slic(scene.image, 12, start_label=0),
    "graph, few": felzenszwalb(scene.image, scale=800, sigma=0.8, min_size=40),
    "graph, many": felzenszwalb(scene.image, scale=60, sigma=0.8, min_size=10),
}
names, maps = list(guesses), np.stack(list(guesses.values()))
scores, order = rank(levels, maps)
plots.panels({"scene": scene.image, "foreground": levels[0], "objects": levels[1], "parts": levels[2]})
plots.panels({f"{scores[i]:.2f}  {names[i]}": maps[i] for i in order}, cols=5)
plt.show()

# %%
check("grouping.rank")

# %% [markdown]
# ## Done?
#
# Run all cells from the top once more (*Kernel → Restart & Run All*), save, and submit. You now own the measures with
# which every method of this course is judged. Next comes the first method: k-means.
