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
# # Exercise 2: k-means
#
# You write k-means from nothing but NumPy, and it splits a photograph into regions. Nine small functions; most
# of them use those before.
#
# After this exercise you can
#
# - compute all distances between points and centers in one line,
# - write Lloyd's iteration and its k-means++ seeding, empty clusters included,
# - choose the number of clusters with the elbow rule,
# - segment a photo by color and position, and say how well that worked.
#
# About 2 hours, 100 points. Read chapter 2 of the book first. `check("kmeans.assign")` tells you at once whether
# `assign` is right, and if not, where to look. Run it as often as you like; grading asks the same on other data.
#
# Letters: $n$ points with $d$ features each, $k$ clusters. `x` has shape (n, d), `centers` (k, d), `labels` (n,).

# %%
import matplotlib.pyplot as plt
import numpy as np

from autograder import check
from unseg_helpers import datasets, metrics, plots

# %% [markdown]
# Three blobs of 60 points each, to try things on:

# %%
toy_rng = np.random.default_rng(7)
blobs = np.concatenate([toy_rng.normal(mean, 0.6, size=(60, 2)) for mean in [(0, 0), (4, 1), (1.5, 4)]])
corners = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]])  # three rough guesses for their centers

plt.figure(figsize=(4, 4))
plt.scatter(*blobs.T, s=12)
plt.scatter(*corners.T, s=120, c="black", marker="x")
plt.title("180 points, 3 guesses")
plt.show()

# %% [markdown]
# ## Task 1 · Squared distances (10 points)
#
# **Goal:** the squared distance of every point to every center, as one (n, k) array.
#
# **About 5 minutes.** Without a Python loop it is one line of NumPy for each term of
#
# $$\|x - c\|^2 = \|x\|^2 - 2\,x \cdot c + \|c\|^2 .$$
#
# **You need:** `(a**2).sum(axis=1)`, `x @ centers.T` for all products $x \cdot c$, and broadcasting: an (n, 1) array
# plus a (k,) array is an (n, k) array. Another way is fine, too: no (n, k, d) array is needed, but none is forbidden.
#
# **The last 3 points:** `float32` keeps about 7 digits. Far from the origin $\|x\|^2$ and $2\,x \cdot c$ are huge and
# almost equal, so their difference is mostly rounding, and may even be negative. Distances do not change when
# you move points and centers together: first subtract the mean of `x` from both (in new arrays, not in place).


# %% tags=["exercise"] grade_id="kmeans.squared_distances"
def squared_distances(x, centers):
    """Squared Euclidean distance of each point to each center: (n, d), (k, d) -> (n, k), never negative."""
    # BEGIN SOLUTION
    shift = x.mean(axis=0)  # distances stay the same, numbers become small
    x, centers = x - shift, centers - shift
    x_sq = (x**2).sum(axis=1, keepdims=True)  # (n, 1)
    c_sq = (centers**2).sum(axis=1)  # (k,)
    return np.maximum(x_sq - 2 * x @ centers.T + c_sq, 0)  # (n, k)
    # END SOLUTION


# %%
squared_distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0]])).tolist()  # expect: [[0.0], [25.0]]

# %% [markdown]
# Look: the squared distance to one center is a bowl around it. The lines are circles of equal distance.

# %%
grid = np.stack(np.meshgrid(np.linspace(-2, 6, 81), np.linspace(-2, 6, 81)), axis=-1)  # (81, 81, 2)
bowl = squared_distances(grid.reshape(-1, 2), corners[1:2]).reshape(81, 81)
plt.figure(figsize=(4, 4))
plt.contour(grid[..., 0], grid[..., 1], bowl, levels=[1, 4, 9, 16])
plt.scatter(*corners[1], s=120, c="black", marker="x")
plt.gca().set_aspect("equal")
plt.show()

# %%
check("kmeans.squared_distances")

# %% [markdown]
# ## Task 2 · Assign (8 points)
#
# **Goal:** for each point the number of its nearest center, 0 to k-1.
#
# **About 5 minutes. You need:** your `squared_distances` and `argmin` along the right axis.


# %% tags=["exercise"] grade_id="kmeans.assign"
def assign(x, centers):
    """Index of the nearest center for each point: (n, d), (k, d) -> (n,) integers."""
    # BEGIN SOLUTION
    return squared_distances(x, centers).argmin(axis=1)
    # END SOLUTION


# %%
assign(np.array([[0.0], [5.0], [1.0]]), np.array([[0.0], [4.0]])).tolist()  # expect: [0, 1, 0]

# %% [markdown]
# Look: the plane falls into one cell for each center, with straight borders half-way between two centers.

# %%
cells = assign(grid.reshape(-1, 2), corners).reshape(81, 81)
plt.figure(figsize=(4, 4))
plt.imshow(plots.colorize(cells), origin="lower", extent=(-2, 6, -2, 6), alpha=0.5)
plt.scatter(*blobs.T, s=12, c=plots.PALETTE[assign(blobs, corners)] / 255, edgecolors="black", linewidths=0.3)
plt.scatter(*corners.T, s=120, c="black", marker="x")
plt.show()

# %%
check("kmeans.assign")

# %% [markdown]
# ## Task 3 · Inertia (8 points)
#
# **Goal:** one number that says how bad a clustering is: the sum, over all points, of the squared distance to the
# center of the point's own label. This is what k-means makes small.
#
# **About 5 minutes. You need:** indexing with an array: `centers[labels]` has shape (n, d). Use the labels that you
# are given, even where another center is nearer.


# %% tags=["exercise"] grade_id="kmeans.inertia"
def inertia(x, centers, labels):
    """Sum of the squared distances of the points to the centers of their labels: (n, d), (k, d), (n,) -> float."""
    # BEGIN SOLUTION
    return float(((x - centers[labels]) ** 2).sum())
    # END SOLUTION


# %%
inertia(np.array([[0.0], [5.0], [1.0]]), np.array([[0.0], [4.0]]), np.array([0, 1, 0]))  # expect: 2.0

# %% [markdown]
# Look: move one center to the right and watch the inertia with the best labels for it.

# %%
steps = np.linspace(-2, 6, 60)
moved = [np.array([[step, 0.0], [4.0, 1.0], [1.5, 4.0]]) for step in steps]
plt.figure(figsize=(5, 3))
plt.plot(steps, [inertia(blobs, centers, assign(blobs, centers)) for centers in moved])
plt.xlabel("first center at (x, 0)")
plt.ylabel("inertia")
plt.show()

# %%
check("kmeans.inertia")

# %% [markdown]
# ## Task 4 · Update (14 points)
#
# **Goal:** move each center to the mean of its points. And when a cluster has no points? Then a mean does not
# exist, and its center takes a point that is badly served:
#
# 1. Compute the means of all clusters that have points.
# 2. Sort the points by the distance to the mean of *their own* cluster, farthest first.
# 3. The first empty cluster takes the farthest point, the second empty cluster the next one, and so on.
#    The means of step 1 stay as they are.
#
# **About 15 minutes. You need:** `x[labels == j].mean(axis=0)`; for the empty ones
# `np.setdiff1d(np.arange(k), labels)` and `np.argsort`. A loop over the clusters is fine (over the points is slow).


# %% tags=["exercise"] grade_id="kmeans.update"
def update(x, labels, k):
    """Mean of each cluster; an empty cluster takes the point farthest from its own mean: (n, d), (n,) -> (k, d)."""
    # BEGIN SOLUTION
    centers = np.zeros((k, x.shape[1]))
    for j in np.unique(labels):
        centers[j] = x[labels == j].mean(axis=0)
    empty = np.setdiff1d(np.arange(k), labels)
    if len(empty) > 0:
        sq_dist = ((x - centers[labels]) ** 2).sum(axis=1)  # (n,), to the mean of the own cluster
        farthest_first = np.argsort(-sq_dist, kind="stable")
        centers[empty] = x[farthest_first[: len(empty)]]
    return centers
    # END SOLUTION


# %%
update(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 1]), 2).tolist()  # expect: [[1.0], [9.0]]

# %% [markdown]
# Two clusters used, the one in the middle is empty. Point 7 is farthest from the mean of its cluster, which is 3:

# %%
update(np.array([[0.0], [2.0], [7.0], [9.0]]), np.array([0, 0, 0, 2]), 3).tolist()  # expect: [[3.0], [7.0], [9.0]]

# %% [markdown]
# Look: the arrows go from the guesses to the means of their cells. This is half a step of k-means.

# %%
labels = assign(blobs, corners)
plots.kmeans_steps(blobs, [(labels, corners), (labels, update(blobs, labels, 3))])
plt.show()

# %%
check("kmeans.update")

# %% [markdown]
# ## Task 5 · k-means++ (14 points)
#
# **Goal:** start centers ("seeds") that are spread out. The first seed is a row of `x`, all rows equally likely. Each
# further seed is a row of `x` drawn with probability proportional to $D^2$, the squared distance to the *nearest*
# seed so far.
#
# **About 15 minutes. You need:** `rng.integers(n)`, `rng.choice(n, p=probabilities)` with probabilities that sum
# to 1, and `np.minimum` to keep $D^2$ up to date. Draw from the `rng` that you are given, so that the same `rng` gives
# the same seeds.


# %% tags=["exercise"] grade_id="kmeans.plus_plus"
def plus_plus(x, k, rng):
    """Draw k rows of x as start centers by k-means++, in the order drawn: (n, d) -> (k, d)."""
    # BEGIN SOLUTION
    n = len(x)
    picked = [rng.integers(n)]
    nearest = squared_distances(x, x[picked])[:, 0]  # (n,), to the nearest seed so far
    for _ in range(1, k):
        picked.append(rng.choice(n, p=nearest / nearest.sum()))
        nearest = np.minimum(nearest, squared_distances(x, x[picked[-1:]])[:, 0])
    return x[picked]
    # END SOLUTION


# %%
sorted(plus_plus(np.array([[1.0], [1.0], [8.0]]), 2, np.random.default_rng(0)).ravel().tolist())  # expect: [1.0, 8.0]

# %% [markdown]
# Look: six draws. On average five of six have one seed in each blob; of rows drawn blindly only two in nine have.

# %%
fig, axes = plt.subplots(1, 6, figsize=(12, 2.2), sharex=True, sharey=True)
for i, ax in enumerate(axes):
    seeds = plus_plus(blobs, 3, np.random.default_rng(i))
    ax.scatter(*blobs.T, s=3, c="lightgray")
    ax.scatter(*seeds.T, s=60, c="black", marker="x")
    ax.set_title(f"rng {i}")
plt.show()

# %%
check("kmeans.plus_plus")

# %% [markdown]
# ## Task 6 · The loop (16 points)
#
# **Goal:** k-means itself, from given start centers:
#
# 1. Assign all points, and write the inertia into a list, `history`.
# 2. Repeat at most `max_iter` times: update the centers, assign again, append the inertia; stop as soon as
#    no label has changed.
# 3. Return `labels, centers, history`.
#
# So the labels always belong to the centers that you return, and the last number of `history` to both.
#
# **About 15 minutes. You need:** your `assign`, `update` and `inertia`, and `np.array_equal`.


# %% tags=["exercise"] grade_id="kmeans.kmeans"
def kmeans(x, centers, max_iter=100):
    """Lloyd's iteration from start centers: (n, d), (k, d) -> labels (n,), centers (k, d), history (list of float)."""
    # BEGIN SOLUTION
    labels = assign(x, centers)
    history = [inertia(x, centers, labels)]
    for _ in range(max_iter):
        centers = update(x, labels, len(centers))
        old, labels = labels, assign(x, centers)
        history.append(inertia(x, centers, labels))
        if np.array_equal(labels, old):
            break
    return labels, centers, history
    # END SOLUTION


# %%
kmeans(np.array([[0.0], [2.0], [7.0], [9.0]]), np.array([[0.0], [2.0]]))[2]  # expect: [74.0, 14.0, 4.0]

# %% [markdown]
# Look: the first steps from a bad start, all three centers in one corner.

# %%
bad_start = np.array([[-1.0, -1.0], [-0.5, -1.0], [-1.0, -0.5]])
runs = [kmeans(blobs, bad_start, max_iter=m) for m in range(4)]
plots.kmeans_steps(
    blobs, [(labels, centers) for labels, centers, _ in runs], inertias=[history[-1] for *_, history in runs], cols=4
)
plt.show()

# %%
check("kmeans.kmeans")

# %% [markdown]
# ## Task 7 · Elbow (10 points)
#
# **Goal:** choose k. More clusters always give a smaller inertia, but at some k the gain becomes small: the curve
# has an elbow. Draw the chord, the straight line from the first to the last point of the curve. The elbow is
# the point of the curve that is farthest from the chord.
#
# **About 10 minutes. You need:** the chord's height at each k (`np.interp` or the two-point formula; the `ks` need not
# be evenly spaced). How far a point lies below the chord, measured straight down, is enough: the distance at a right
# angle is that times a constant, so the same point wins. (For the same reason scaling the axes changes nothing.)


# %% tags=["exercise"] grade_id="kmeans.elbow"
def elbow(inertias, ks):
    """The k whose point (k, inertia) is farthest from the chord: (m,), (m,) rising -> one of ks."""
    # BEGIN SOLUTION
    chord = np.interp(ks, [ks[0], ks[-1]], [inertias[0], inertias[-1]])  # (m,)
    return int(ks[np.argmax(chord - inertias)])
    # END SOLUTION


# %%
elbow(np.array([100.0, 50.0, 20.0, 15.0, 12.0, 10.0]), np.array([1, 2, 3, 4, 5, 6]))  # expect: 3

# %% [markdown]
# Look: how many clusters have the three blobs? One run of k-means can get stuck, so each k takes the best of five.

# %%
ks = np.arange(1, 9)
inertias = np.array(
    [min(kmeans(blobs, plus_plus(blobs, k, np.random.default_rng(i)))[2][-1] for i in range(5)) for k in ks]
)
plots.elbow_plot(ks, inertias, chosen=elbow(inertias, ks))
plt.show()

# %%
check("kmeans.elbow")

# %% [markdown]
# ## Task 8 · Pixels as points (10 points)
#
# **Goal:** turn an (h, w, 3) photo into h·w points, in reading order (along the first row, then the second, ...):
#
# - columns 0 to 2: red, green, blue, divided by 255, so that they lie between 0 and 1;
# - columns 3 and 4: the pixel's row and its column, both divided by `max(h, w)` (a step down must count as much as
#   a step to the right), times `position`.
#
# With `position=0` the last two columns are all zero; you may also leave them out.
#
# **About 10 minutes. You need:** `image.reshape(-1, 3)`, `np.indices((h, w))` or `np.mgrid`, `np.column_stack`.


# %% tags=["exercise"] grade_id="kmeans.pixel_features"
def pixel_features(image, position):
    """Color and position of each pixel: (h, w, 3) uint8, weight -> (h*w, 5) float."""
    # BEGIN SOLUTION
    h, w = image.shape[:2]
    color = image.reshape(-1, 3) / 255  # (h*w, 3)
    row, column = np.indices((h, w)) / max(h, w)  # (h, w) each
    return np.column_stack([color, position * row.ravel(), position * column.ravel()])
    # END SOLUTION


# %%
pixel_features(np.full((1, 2, 3), 255, dtype=np.uint8), 1.0).tolist()
# expect: [[1.0, 1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.5]]

# %% [markdown]
# Look: the five features of a photo, each as a gray image.

# %%
small = datasets.photo("coffee").image[::4, ::4]
h, w = small.shape[:2]
names = ["red", "green", "blue", "row", "column"]
plots.panels({"photo": small} | dict(zip(names, pixel_features(small, 1.0).T.reshape(5, h, w), strict=True)))
plt.show()

# %%
check("kmeans.pixel_features")

# %% [markdown]
# ## Task 9 · Segment a photo (10 points)
#
# **Goal:** split a photo into k regions: a label between 0 and k-1 for each pixel, as an (h, w) array. Use color *and*
# position. All else is up to you.
#
# **About 20 minutes. You need:** everything above, and `labels.reshape(h, w)`. A single run can end in a poor
# place: run k-means from several k-means++ seeds and keep the result with the smallest final inertia. The images
# in the check are small (about 4000 pixels) and your answer may take a few seconds.
#
# **How it is scored:** on a noisy mosaic, where color alone is not enough, and on collages: things cut out of photos,
# in new colors and places on a new ground. The better your segments cover the regions, the more points. Which weight
# for the position works on both?


# %% tags=["exercise"] grade_id="kmeans.segment"
def segment(image, k, rng):
    """Segment a photo by color and position: (h, w, 3) uint8 -> (h, w) integer labels 0..k-1."""
    # BEGIN SOLUTION
    x = pixel_features(image, position=0.8)
    runs = [kmeans(x, plus_plus(x, k, rng)) for _ in range(4)]
    labels, _, _ = min(runs, key=lambda run: run[2][-1])  # smallest final inertia
    return labels.reshape(image.shape[:2])
    # END SOLUTION


# %%
segment(np.full((2, 3, 3), 255, dtype=np.uint8), 1, np.random.default_rng(0)).tolist()  # expect: [[0, 0, 0], [0, 0, 0]]

# %% [markdown]
# Look: your segments beside the regions that a person drew, in matching colors. The covering is 1 when they agree and
# smaller the less they do. Try other photos (`datasets.PHOTO_NAMES`), another k, another weight of the position.

# %%
portrait = datasets.photo("hopper")
small, truth = portrait.image[::6, ::6], portrait.truth[::6, ::6]
mine = segment(small, 4, np.random.default_rng(0))
score = metrics.covering(truth, mine)
plots.panels({"photo": small, f"mine: covering {score:.2f}": metrics.relabel(truth, mine), "drawn by hand": truth})
plt.show()

# %%
check("kmeans.segment")

# %% [markdown]
# ## Done?
#
# Run all cells from the top once more (*Kernel → Restart & Run All*), save, and submit. Then read on: k-means draws
# straight borders between its clusters and thinks that all of them are round. The next chapter lets go of that.
