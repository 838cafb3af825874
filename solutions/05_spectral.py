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
# # Exercise 5: Spectral clustering
#
# Patches become the nodes of a graph, and one eigenvector of that graph cuts the object out of the photo: no label, no
# training, some forty lines. Nine small functions; the last one is the method of *Deep Spectral Methods*
# (Melas-Kyriazi et al. 2022).
#
# After this exercise you can
#
# - build a graph of patches from features and from colors,
# - write its Laplacian, and solve the generalized eigenproblem of normalized cuts,
# - turn an eigenvector into an object mask, a box, and a mask of pixels, whatever its sign,
# - cluster several eigenvectors into segments.
#
# About 2 hours, 100 points. Read chapter 5 of the book first. `check("spectral.laplacian")` tells you at once whether
# `laplacian` is right, and if not, where to look. Run it as often as you like; grading asks the same on other data.
#
# Letters: a grid of $h$ rows and $w$ columns of patches, each `patch` pixels wide and high; $n = hw$ patches in
# reading order, $d$ features each. `w` is also the (n, n) affinity $W$ of the formulas, `d` the vector of degrees. The
# image has `height` x `width` pixels, and is *not* always a multiple of the patch: what is left at the right and at
# the bottom has no patch of its own.

# %%
import matplotlib.pyplot as plt
import numpy as np
import scipy.linalg
import scipy.ndimage
from skimage.color import rgb2hsv

from autograder import check
from unseg_helpers import datasets, plots, plots_spectral
from unseg_helpers.minidino import numpy_vit

# %% [markdown]
# Two photos, made smaller, with the features of our mini-DINO for each patch of 8 x 8 pixels (chapter 4); and a toy
# with an affinity that you can read: six patches, two groups of three, one weak edge between them.


# %%
def shrink(image, step):
    """Mean of each square of step x step pixels: (H, W, 3) uint8 -> (H // step, W // step, 3) uint8."""
    h, w = image.shape[0] // step, image.shape[1] // step
    squares = image[: h * step, : w * step].reshape(h, step, w, step, 3)
    return squares.mean(axis=(1, 3)).round().astype(np.uint8)


flower = shrink(datasets.photo("flower").image, 3)
camera = shrink(datasets.photo("camera").image, 4)
flower_features, camera_features = (numpy_vit.forward(image).key for image in (flower, camera))  # (h, w, 192)
print(flower.shape, flower_features.shape)

toy = np.kron(np.eye(2), np.ones((3, 3)))
toy[2, 3] = toy[3, 2] = 0.1
plots.panels({"flower": flower, "camera": camera, "affinity of the toy": toy})
plt.show()

# %% [markdown]
# ## Task 1 · Affinity of features (10 points)
#
# **Goal:** how alike are two patches? With $f_i$ the features of patch $i$, the weight of the edge between two patches
# is the cosine of the angle between their features, and 0 where that is negative:
#
# $$W_{ij} = \max\!\left(0, \; \frac{f_i \cdot f_j}{\|f_i\| \, \|f_j\|}\right) .$$
#
# A weight must not be negative: the eigenvectors below minimize a sum of weights times squares.
#
# **About 5 minutes. You need:** `np.linalg.norm(features, axis=1, keepdims=True)`, `f @ f.T`, `np.maximum`.


# %% tags=["exercise"] grade_id="spectral.feature_affinity"
def feature_affinity(features):
    """Cosine of each pair of patches, 0 where it is negative: (n, d) -> (n, n)."""
    # BEGIN SOLUTION
    f = features / np.linalg.norm(features, axis=1, keepdims=True)
    return np.maximum(f @ f.T, 0)
    # END SOLUTION


# %%
feature_affinity(np.array([[3.0, 4.0], [6.0, 8.0], [-1.0, 0.0]])).round(
    3
).tolist()  # expect: [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]

# %% [markdown]
# Look: one row of $W$ is a map. How much does each patch resemble the one in the middle of the flower, and one beside?

# %%
h, w, d = flower_features.shape
maps = feature_affinity(flower_features.reshape(h * w, d)).reshape(h, w, h, w)
plots.panels({"photo": flower, "like the middle": maps[h // 2, w // 2], "like a corner": maps[1, 1]})
plt.show()

# %%
check("spectral.feature_affinity")

# %% [markdown]
# ## Task 2 · Affinity of colors (16 points)
#
# Features are coarse. Colors know where exactly an edge is, so a second graph may help: it connects each pixel (of a
# small image, one pixel for each patch) with those that are nearest in color and place (Chen, Li and Tang 2013).
#
# **Goal:** two things.
#
# 1. `psi`, six numbers for each pixel, in reading order: $\psi = (\cos H, \sin H, S, V, x, y)$. Hue is an angle: a red
#    of 1 degree and one of 359 degrees are neighbors, and cos and sin know that. $x$ is 0 in the first column and 1 in
#    the last, $y$ is 0 in the first row and 1 in the last.
# 2. `w`: let $A_{ij} = 1$ where $j$ is among the `neighbors` pixels nearest to $i$ (Euclidean distance of $\psi$, $i$
#    itself left out), and 0 elsewhere. Then $W = A + A^\top$: 2 where each is near to the other, 1 where only one is.
#
# **About 20 minutes. You need:** `rgb2hsv(image)`, whose H, S and V are all from 0 to 1, so a full turn is 1; for the
# position `np.linspace(0, 1, width)` and `np.meshgrid` (here without `indexing`, so that the first result runs along
# the columns); the (n, n, 6) array `psi[:, None] - psi`; `np.fill_diagonal(sq, np.inf)`, `np.argsort`, and
# `a[np.arange(n)[:, None], nearest] = 1`.
#
# (The library's `knn_affinity` counts a pixel as one of its own neighbors, as the published code does.)


# %% tags=["exercise"] grade_id="spectral.color_affinity"
def color_affinity(image, neighbors):
    """psi (n, 6) and the k-nearest-neighbor affinity (n, n) of all n = h * w pixels: (h, w, 3) uint8, int."""
    # BEGIN SOLUTION
    h, w = image.shape[:2]
    hue, saturation, value = np.moveaxis(rgb2hsv(image), 2, 0)
    x, y = np.meshgrid(np.linspace(0, 1, w), np.linspace(0, 1, h))
    turn = 2 * np.pi * hue
    psi = np.stack([np.cos(turn), np.sin(turn), saturation, value, x, y], axis=-1).reshape(-1, 6)
    sq = ((psi[:, None] - psi) ** 2).sum(axis=2)  # (n, n)
    np.fill_diagonal(sq, np.inf)
    nearest = np.argsort(sq, axis=1)[:, :neighbors]
    a = np.zeros((h * w, h * w))
    a[np.arange(h * w)[:, None], nearest] = 1
    return psi, a + a.T
    # END SOLUTION


# %%
green_and_blue = np.array([[[0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
color_affinity(green_and_blue, 1)[0].round(
    2
).tolist()  # expect: [[-0.5, 0.87, 1.0, 1.0, 0.0, 0.0], [-0.5, -0.87, 1.0, 1.0, 1.0, 0.0]]

# %% [markdown]
# Look: the neighbors of one patch of the flower, by color and place.

# %%
small = shrink(flower, 8)
psi, by_color = color_affinity(small, 20)
plots.panels({"one pixel a patch": small, "near to the middle": by_color.reshape(h, w, h, w)[h // 2, w // 2]})
plt.show()

# %%
check("spectral.color_affinity")

# %% [markdown]
# ## Task 3 · Degrees and Laplacian (8 points)
#
# **Goal:** the degree of a patch is the sum of its weights, $d_i = \sum_j W_{ij}$ (its weight to itself included). With
# $D$ the diagonal matrix of the degrees, the Laplacian is $L = D - W$. Return `d`, a vector, and `L`, a matrix.
#
# Why this matrix? For each vector $v$, $\; v^\top L v = \tfrac12 \sum_{ij} W_{ij} (v_i - v_j)^2$: small where patches
# that are alike have nearly the same value.
#
# **About 5 minutes. You need:** `w.sum(axis=1)` and `np.diag`.


# %% tags=["exercise"] grade_id="spectral.laplacian"
def laplacian(w):
    """Degrees (n,) and Laplacian D - W (n, n) of a symmetric affinity: (n, n)."""
    # BEGIN SOLUTION
    d = w.sum(axis=1)
    return d, np.diag(d) - w
    # END SOLUTION


# %%
laplacian(np.array([[1.0, 2.0], [2.0, 0.0]]))[1].tolist()  # expect: [[2.0, -2.0], [-2.0, 2.0]]

# %%
check("spectral.laplacian")

# %% [markdown]
# ## Task 4 · Eigenvectors (16 points)
#
# **Goal:** the best cut into two groups of large weight is too hard to find among all cuts. If the values of $v$ may be
# any numbers instead of just two, it becomes an eigenproblem (Shi and Malik 2000):
#
# $$(D - W)\, v = \mu\, D\, v .$$
#
# Return the `k` smallest $\mu$, the smallest first, and their vectors as the columns of an (n, k) array. The first one
# is always $\mu = 0$ with a constant vector. It belongs to the k, though it cuts nothing: the second one cuts. The $D$
# on the right side is what keeps the cut from splitting off a single patch.
#
# **About 20 minutes. You need:** `scipy.linalg.eigh(L, np.diag(d), subset_by_index=[0, k - 1])` solves just that. Or,
# faster for large graphs: the *largest* eigenvectors $u$ of $D^{-1/2} W D^{-1/2}$ (`scipy.sparse.linalg.eigsh(...,
# which="LA")`, which may give them in another order); then $v = D^{-1/2} u$ and $\mu = 1 - \lambda$. Sign and length
# of a vector are free, and where a value comes twice, any two vectors that span the same plane are right.


# %% tags=["exercise"] grade_id="spectral.eigenvectors"
def eigenvectors(w, k):
    """The k smallest values (k,) and vectors (n, k) of (D - W) v = mu D v: (n, n), int."""
    # BEGIN SOLUTION
    d, matrix = laplacian(w)
    return scipy.linalg.eigh(matrix, np.diag(d), subset_by_index=[0, k - 1])
    # END SOLUTION


# %%
np.abs(eigenvectors(toy, 3)[0]).round(3).tolist()  # expect: [0.0, 0.021, 0.978]

# %% [markdown]
# Look: the second vector of the toy has one sign for each group. Below, the second, third and fourth one of the flower:
# blue is negative, vermilion positive, white 0.

# %%
print(eigenvectors(toy, 2)[1][:, 1].round(2))
values, vectors = eigenvectors(feature_affinity(flower_features.reshape(h * w, d)), 4)
print("values:", values.round(3))
pictures = {f"vector {j + 1}": plots_spectral.signed_colors(vectors[:, j].reshape(h, w)) for j in (1, 2, 3)}
plots.panels({"photo": flower, **pictures})
plt.show()

# %%
check("spectral.eigenvectors")

# %% [markdown]
# ## Task 5 · Which side is the object? (10 points)
#
# If $v$ is an eigenvector, $-v$ is one, too, and the solver gives either. So a rule must say which side is the object.
#
# **Goal:** the published rule: the object is the smaller side. If more than half of the entries of `v` are positive,
# but not all of them, negate `v`. Then the mask is True where `v` is above 0. (Not above the mean or the median: 0 is
# where the cut changes sides.)
#
# **About 10 minutes. You need:** `(v > 0).mean()` is the share of positive entries.


# %% tags=["exercise"] grade_id="spectral.foreground"
def foreground(v):
    """The patches of the object: (h, w) floats, an eigenvector -> (h, w) bool."""
    # BEGIN SOLUTION
    if 0.5 < (v > 0).mean() < 1:
        v = -v
    return v > 0
    # END SOLUTION


# %%
foreground(
    np.array([[0.2, 0.3, -0.9], [0.1, 0.4, -0.8]])
).tolist()  # expect: [[False, False, True], [False, False, True]]

# %%
check("spectral.foreground")

# %% [markdown]
# ## Task 6 · From patches to pixels (8 points)
#
# **Goal:** a mask of the size of the image. Patch (0, 0) covers the pixels 0 to `patch - 1` in both directions, the
# next one begins at `patch`, and so on. The image may go on behind the last full patch: rows and columns there get the
# value of the nearest patch. Do not stretch the mask, or everything in it moves a little.
#
# **About 10 minutes. You need:** `np.repeat(mask, patch, axis=0)`, and `np.pad(..., mode="edge")`. Or indices:
# `np.minimum(np.arange(height) // patch, h - 1)`.


# %% tags=["exercise"] grade_id="spectral.upsample"
def upsample(mask, patch, height, width):
    """Each pixel gets the value of its patch: (h, w), int, int, int -> (height, width)."""
    # BEGIN SOLUTION
    h, w = mask.shape
    rows = np.minimum(np.arange(height) // patch, h - 1)
    columns = np.minimum(np.arange(width) // patch, w - 1)
    return mask[rows[:, None], columns]
    # END SOLUTION


# %%
upsample(np.array([[1, 2]]), 2, 3, 5).tolist()  # expect: [[1, 1, 2, 2, 2], [1, 1, 2, 2, 2], [1, 1, 2, 2, 2]]

# %%
check("spectral.upsample")

# %% [markdown]
# ## Task 7 · The box of the object (10 points)
#
# **Goal:** a box around the object, in pixels: `(x0, y0, x1, y1)`. Only the largest connected part of the mask counts
# (patches are connected if they share a *side*). `x0` and `y0` are its first column and row, `x1` and `y1` the first
# ones that do not belong to it any more, so that `image[y0:y1, x0:x1]` is the object. If the mask is empty, the box is
# that of the whole grid.
#
# **About 15 minutes. You need:** `labels, count = scipy.ndimage.label(mask)`, which numbers the parts from 1 (0 is what
# is not in the mask), `np.bincount(labels.ravel())`, `part.any(axis=0)`, `np.flatnonzero`.


# %% tags=["exercise"] grade_id="spectral.object_box"
def object_box(mask, patch):
    """Box (x0, y0, x1, y1) in pixels around the largest part, x1 and y1 exclusive: (h, w) bool, int."""
    # BEGIN SOLUTION
    part = np.ones_like(mask)
    if mask.any():
        labels, _ = scipy.ndimage.label(mask)
        part = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
    return patch * columns[0], patch * rows[0], patch * (columns[-1] + 1), patch * (rows[-1] + 1)
    # END SOLUTION


# %%
[int(v) for v in object_box(np.array([[1, 0, 0, 0], [0, 0, 1, 1]], dtype=bool), 8)]  # expect: [16, 8, 32, 16]

# %% [markdown]
# Look: the box in the flower, from the second eigenvector.

# %%
mask = foreground(vectors[:, 1].reshape(h, w))
inside = plots_spectral.cut_out(flower, upsample(mask, 8, *flower.shape[:2]))
plots.panels({"mask": inside, "box": plots_spectral.draw_box(flower, object_box(mask, 8))})
plt.show()

# %%
check("spectral.object_box")

# %% [markdown]
# ## Task 8 · Several segments (12 points)
#
# The second vector cuts once. The next ones make further cuts, so the values of several vectors, put side by side, are
# a good description of a patch: a new feature space, in which k-means is easy. Here is one, with several starts, so
# that you need not bring your own from exercise 2 (you may):


# %%
def kmeans_labels(x, k, rng, runs=10, steps=20):
    """Labels (n,) of the best of some k-means runs, each with k-means++ seeds."""
    results = []
    for _ in range(runs):
        centers = x[rng.integers(len(x), size=1)]
        while len(centers) < k:
            square = ((x[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
            centers = np.vstack([centers, x[rng.choice(len(x), p=square / square.sum())]])
        for _ in range(steps):
            labels = ((centers**2).sum(axis=1) - 2 * x @ centers.T).argmin(axis=1)
            centers = np.array([x[labels == j].mean(axis=0) if (labels == j).any() else centers[j] for j in range(k)])
        results.append((((x - centers[labels]) ** 2).sum(), labels))
    return min(results, key=lambda result: result[0])[1]


# %% [markdown]
# **Goal:** cluster the patches by their vectors into `n` segments, numbered 0 to n-1 in an (h, w) array. The first
# vector is constant: leave it out. One segment is special: the one that has the most patches on the *border* of the
# grid gets the number 0, for it is most likely the background. Which of the others has which number does not matter.
#
# **About 20 minutes. You need:** `kmeans_labels(x, n, rng)`; for the border `labels[0]`, `labels[-1]`,
# `labels[1:-1, 0]` and `labels[1:-1, -1]`; `np.bincount(...).argmax()`; and two numbers that change places.


# %% tags=["exercise"] grade_id="spectral.segments"
def segments(vectors, n, rng):
    """Segments of a grid, 0 the background: (h, w, k) eigenvectors, the first constant -> (h, w) integers 0..n-1."""
    # BEGIN SOLUTION
    h, w, k = vectors.shape
    labels = kmeans_labels(vectors[..., 1:].reshape(h * w, k - 1), n, rng).reshape(h, w)
    border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    numbers = np.arange(n)
    background = np.bincount(border).argmax()
    numbers[[0, background]] = background, 0
    return numbers[labels]
    # END SOLUTION


# %%
ring = np.ones((4, 5))
ring[1:3, 1:4] = -1
segments(np.stack([np.ones((4, 5)), ring], axis=2), 2, np.random.default_rng(0))[1].tolist()  # expect: [0, 1, 1, 1, 0]

# %% [markdown]
# Look: five vectors of the man with the camera, and three, four and five segments.

# %%
h, w, d = camera_features.shape
_, vectors = eigenvectors(feature_affinity(camera_features.reshape(h * w, d)), 5)
pictures = {"photo": camera}
for n in (3, 4, 5):
    labels = segments(vectors.reshape(h, w, 5), n, np.random.default_rng(0))
    pictures[f"{n} segments"] = upsample(labels, 8, *camera.shape[:2])
plots.panels(pictures)
plt.show()

# %%
check("spectral.segments")

# %% [markdown]
# ## Task 9 · Find the object (10 points)
#
# **Goal:** all of it together. From the features of the patches (h, w, d), the image (height, width, 3) and the side of
# a patch in pixels, the mask of the object, (height, width) bool.
#
# **About 15 minutes. You need:** tasks 1, 4, 5 and 6. The features are enough. If you add colors, then with a small
# weight, $W + \lambda W_\text{color}$ with $\lambda$ up to 0.1: in the photos of the check colors mislead.
#
# **How it is scored:** rectangles must be found to the pixel. Then come drawn scenes and pieces of photos with
# features as of a network that knows objects, noise included; each gives points by the mean IoU of your masks with the
# true ones. One ellipse in the middle, or groups of colors, earn nothing there.


# %% tags=["exercise"] grade_id="spectral.find_object"
def find_object(features, image, patch):
    """Mask of the object: (h, w, d) features of the patches, (height, width, 3) uint8, int -> (height, width) bool."""
    # BEGIN SOLUTION
    h, w, d = features.shape
    _, vectors = eigenvectors(feature_affinity(features.reshape(h * w, d)), 2)
    mask = foreground(vectors[:, 1].reshape(h, w))
    return upsample(mask, patch, *image.shape[:2])
    # END SOLUTION


# %%
two = np.array([[[1.0, 0.1], [1.0, 0.0], [0.1, 1.0]]])
find_object(two, np.zeros((2, 7, 3), dtype=np.uint8), 2)[
    0
].tolist()  # expect: [False, False, False, False, True, True, True]

# %% [markdown]
# Look: real features, those of mini-DINO, for some photos. Where does the cut find the object, and where something
# else? The cat covers more than half of its photo: what does the rule of the smaller side do there? Try other photos
# (`datasets.PHOTO_NAMES`), other sizes, and $\lambda$ above 0.

# %%
pictures = {}
for name, step in {"flower": 3, "camera": 4, "coffee": 3, "chelsea": 2}.items():
    photo = shrink(datasets.photo(name).image, step)
    pictures[name] = plots_spectral.cut_out(photo, find_object(numpy_vit.forward(photo).key, photo, 8))
plots.panels(pictures)
plt.show()

# %%
check("spectral.find_object")

# %% [markdown]
# ## Done?
#
# Run all cells from the top once more (*Kernel → Restart & Run All*), save, and submit. Then read on: what makes one
# cut better than another, which objects the second eigenvector misses, and what a network can learn from such masks.
