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
# # Exercise 4: Self-supervised features
#
# You build the parts of a vision transformer that turn a photo into features, and those of DINO, the method that
# trained it without a label. Three tasks in, your functions run a real network on a photo, in nothing but NumPy.
#
# After this exercise you can
#
# - cut a photo into patches, and tell a network where each patch lies, for any size of photo,
# - write self-attention, and take the keys of all patches out of it,
# - make visible what the features know: similarity to one patch, maps of principal components,
# - write DINO's loss and the update of its teacher, and say why nothing collapses,
# - measure features with a k-nearest-neighbor vote.
#
# About 2 hours, 100 points. Read chapter 4 of the book first. `check("dino.patchify")` tells you at once whether
# `patchify` is right, and if not, where to look. Run it as often as you like; grading asks the same on other data.
#
# Letters: a grid has $h$ rows and $w$ columns of patches; there are $n = 1 + hw$ *tokens*, the CLS token first, then
# the patches in reading order; each has $d$ features. All nine tasks need NumPy only: no GPU, no PyTorch.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ndtr

from autograder import check
from unseg_helpers import datasets, plots
from unseg_helpers.minidino import numpy_vit

# %% [markdown]
# The network is our *mini-DINO*: 6 blocks, $d = 192$, 3 heads, patches of 8 pixels. It was trained on photos without
# labels by the method of tasks 7 and 8. Its weights are a dictionary of arrays. Here are the first and the last few:

# %%
weights = numpy_vit.load_weights()
print(f"{sum(w.size for w in weights.values()):,} numbers in {len(weights)} arrays")
for name in [*list(weights)[:4], *list(weights)[-4:]]:
    print(f"{name:25} {weights[name].shape}")

# %% [markdown]
# And two photos, made smaller, because the network knows objects of about a hundred pixels:


# %%
def shrink(image, step):
    """Mean of each square of step x step pixels: (H, W, 3) uint8 -> (H // step, W // step, 3) uint8."""
    h, w = image.shape[0] // step, image.shape[1] // step
    squares = image[: h * step, : w * step].reshape(h, step, w, step, 3)
    return squares.mean(axis=(1, 3)).round().astype(np.uint8)


flower = shrink(datasets.photo("flower").image, 3)
coffee = shrink(datasets.photo("coffee").image, 3)
plots.panels({"flower": flower, "coffee": coffee}, width=7)
plt.show()

# %% [markdown]
# ## Task 1 · Patches (10 points)
#
# **Goal:** cut an image into squares of `patch` x `patch` pixels and write each as one row. The rows are in reading
# order: along the first row of patches, then the second. What does not fill a patch, at the right and at the bottom,
# is left out.
#
# Within a row, the order must be the one that the network was trained with: **all red numbers of the patch, row by
# row, then all green ones, then all blue ones**. With any other order the network sees noise, and no error tells you.
#
# **About 15 minutes. You need:** a reshape that splits both sides, to `(h, patch, w, patch, 3)`; `transpose`, which
# brings the axes into the order *patch row, patch column, color, row in the patch, column in the patch*; and a second
# reshape.


# %% tags=["exercise"] grade_id="dino.patchify"
def patchify(image, patch):
    """Patches of an image, one in each row: (H, W, 3) floats, int -> (h * w, 3 * patch * patch)."""
    # BEGIN SOLUTION
    h, w = image.shape[0] // patch, image.shape[1] // patch
    squares = image[: h * patch, : w * patch].reshape(h, patch, w, patch, 3)
    return squares.transpose(0, 2, 4, 1, 3).reshape(h * w, -1)
    # END SOLUTION


# %%
patchify(np.arange(24).reshape(2, 4, 3), 2)[1].tolist()  # expect: [6, 9, 18, 21, 7, 10, 19, 22, 8, 11, 20, 23]

# %% [markdown]
# Look: the patches of the flower, with gaps between them.

# %%
h, w = flower.shape[0] // 8, flower.shape[1] // 8
gaps = np.ones((h, 9, w, 9, 3))
gaps[:, :8, :, :8] = patchify(flower / 255, 8).reshape(h, w, 3, 8, 8).transpose(0, 3, 1, 4, 2)
plots.panels({f"{h} x {w} patches": (255 * gaps.reshape(9 * h, 9 * w, 3)).astype(np.uint8)}, width=6)
plt.show()

# %%
check("dino.patchify")

# %% [markdown]
# ## Task 2 · Where each patch lies (12 points)
#
# A transformer does not know where a patch comes from. So each token gets a *position embedding* added, a vector that
# was learned for its place. The network was trained with $s \times s$ patches; your photo has $h \times w$.
#
# **Goal:** interpolate the embeddings of the patches linearly, in both directions. Row 0 belongs to the CLS token,
# which lies nowhere: it stays as it is, and stays first. The exact rule: the old patches and the new ones cover the
# same area. So the center of the new row $i$ (of $h$) lies among the $s$ old rows at
#
# $$ y_i = \left(i + \tfrac12\right) \frac{s}{h} - \tfrac12 , \qquad \text{kept between } 0 \text{ and } s - 1 , $$
#
# where old row 3 lies at 3.0. At 3.25 the embedding is 0.75 times that of old row 3 plus 0.25 times that of row 4. The
# same for columns, with $w$.
#
# **About 20 minutes. You need:** `positions[1:].reshape(s, s, d)`. One way: a table of shares, (h, s), with
# $\max(0, 1 - |y_i - r|)$ for old row $r$; then the rows of the table times the old rows, and the same for columns.
# `np.einsum("hr,wc,rcd->hwd", ...)` does both. (Libraries take a cubic rule. Here the difference is small.)


# %% tags=["exercise"] grade_id="dino.resize_positions"
def resize_positions(positions, h, w):
    """Position embeddings for a grid of h x w patches: (1 + s * s, d) -> (1 + h * w, d), row 0 unchanged."""
    # BEGIN SOLUTION
    s, d = round((len(positions) - 1) ** 0.5), positions.shape[1]
    y = np.clip((np.arange(h) + 0.5) * s / h - 0.5, 0, s - 1)
    x = np.clip((np.arange(w) + 0.5) * s / w - 0.5, 0, s - 1)
    rows = np.maximum(0, 1 - np.abs(y[:, None] - np.arange(s)))  # (h, s)
    columns = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(s)))  # (w, s)
    grid = np.einsum("hr,wc,rcd->hwd", rows, columns, positions[1:].reshape(s, s, d))
    return np.vstack([positions[:1], grid.reshape(h * w, d)])
    # END SOLUTION


# %%
two_by_two = np.array([[9.0], [0.0], [1.0], [2.0], [3.0]])
resize_positions(two_by_two, 1, 4).ravel().tolist()  # expect: [9.0, 1.0, 1.25, 1.75, 2.0]

# %% [markdown]
# Look: how similar the embedding of one place is to those of all others, before and after. The longer a network has
# learned, the more alike are neighbors: it finds out by itself what lies beside what.

# %%
learned = weights["pos_embed"][0]
side = round((len(learned) - 1) ** 0.5)
wide = resize_positions(learned, 16, 28)[1:]
plots.panels(
    {
        f"{side} x {side}, as learned": (learned[1:] @ learned[1 + 4 * side + 4]).reshape(side, side),
        "16 x 28, interpolated": (wide @ wide[6 * 28 + 10]).reshape(16, 28),
    },
    width=7,
)
plt.show()

# %%
check("dino.resize_positions")

# %% [markdown]
# ## Task 3 · Self-attention (16 points)
#
# **Goal:** the step in which tokens look at one another. One linear layer has made three vectors of each token: its
# *query* (what it looks for), its *key* (what it is found by) and its *value* (what it gives). They come side by side
# in `qkv`: columns $0 \ldots d-1$ are the queries, the next $d$ the keys, the last $d$ the values.
#
# Each of these is cut once more into `heads` equal parts, also side by side: the first head has the first $d /$ `heads`
# columns. In each head, by itself,
#
# $$ A = \text{softmax}\!\left(\frac{Q K^\top}{\sqrt{d / \text{heads}}}\right), \qquad \text{out} = A V , $$
#
# with the softmax over each row, so that $A_{ab}$ is how much token $a$ looks at token $b$ (Vaswani et al. 2017). The
# outputs of the heads are put side by side again. Return `out` (n, d) and the weights $A$ of all heads, (heads, n, n).
#
# **About 20 minutes. You need:** `qkv.reshape(n, 3, heads, d // heads)`, and a transpose that puts 3 and heads first.
# `@` multiplies all heads at once. **Where nearly everybody slips:** `A @ V` is (heads, n, d / heads). Reshaped at once
# to (n, d) it mixes heads and tokens, and again no error tells you. Move the axes first.
#
# **The last 4 points:** products may be in the thousands. So subtract the largest of each row before `exp`.


# %% tags=["exercise"] grade_id="dino.self_attention"
def self_attention(qkv, heads):
    """Output (n, d) and weights (heads, n, n) of self-attention: (n, 3 * d), int."""
    # BEGIN SOLUTION
    n, d = len(qkv), qkv.shape[1] // 3
    q, k, v = qkv.reshape(n, 3, heads, d // heads).transpose(1, 2, 0, 3)  # each (heads, n, d / heads)
    logits = q @ k.transpose(0, 2, 1) / np.sqrt(d // heads)  # (heads, n, n)
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    return (shares @ v).transpose(1, 0, 2).reshape(n, d), shares
    # END SOLUTION


# %%
even = np.array([[0.0, 0.0, 1.0, 5.0, 2.0, 4.0], [0.0, 0.0, 9.0, 7.0, 6.0, 8.0]])  # queries of 0 look at all alike
self_attention(even, 2)[0].tolist()  # expect: [[4.0, 6.0], [4.0, 6.0]]

# %%
check("dino.self_attention")

# %% [markdown]
# ## The network
#
# That was the hard part. Everything else in a vision transformer (Dosovitskiy et al. 2021) is done with each token
# alone. Here is the whole network, made of your three functions. `network` gives the output of the last `qkv` layer.

# %%
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of the photos that it was trained with


def linear(x, weights, name):
    """A linear layer."""
    weight = weights[f"{name}.weight"]
    return x @ weight.reshape(len(weight), -1).T + weights[f"{name}.bias"]


def norm(x, weights, name):
    """Layer norm: each token with mean 0 and variance 1, then scaled and shifted."""
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def network(image, weights, heads=3, blocks=6):
    """The last qkv (1 + h * w, 3 * d) of a photo (H, W, 3) uint8, and its grid h, w."""
    h, w = image.shape[0] // 8, image.shape[1] // 8
    x = linear(patchify((image / 255 - MEAN) / STD, 8), weights, "patch_embed.proj")  # (h * w, d)
    x = np.vstack([weights["cls_token"][0], x]) + resize_positions(weights["pos_embed"][0], h, w)
    for i in range(blocks):
        qkv = linear(norm(x, weights, f"blocks.{i}.norm1"), weights, f"blocks.{i}.attn.qkv")
        x = x + linear(self_attention(qkv, heads)[0], weights, f"blocks.{i}.attn.proj")
        hidden = linear(norm(x, weights, f"blocks.{i}.norm2"), weights, f"blocks.{i}.mlp.fc1")
        x = x + linear(hidden * ndtr(hidden), weights, f"blocks.{i}.mlp.fc2")  # z * ndtr(z) is GELU
    return qkv, h, w


qkv, h, w = network(flower, weights)
print(f"{h} x {w} patches and CLS: qkv has shape {qkv.shape}")

# %% [markdown]
# ## Task 4 · Keys, and what CLS looks at (10 points)
#
# **Goal:** two things from the last `qkv`, both on the grid of patches:
#
# - the **keys** of the patches as an (h, w, d) array, all heads side by side. These are the features that find objects
#   best (Siméoni et al. 2021; Melas-Kyriazi et al. 2022), and those of the next exercise.
# - the **maps** of what the CLS token looks at, (heads, h, w): its row of the attention weights in each head, without
#   what it looks at itself. Nothing is rescaled.
#
# **About 10 minutes. You need:** your `self_attention`. Look at its first reshape once more: which columns of `qkv` are
# the keys of all heads side by side? Token 0 is the CLS token; patches are in reading order.


# %% tags=["exercise"] grade_id="dino.keys_and_attention"
def keys_and_attention(qkv, heads, h, w):
    """Keys of the patches (h, w, d) and attention maps of the CLS token (heads, h, w): (1 + h * w, 3 * d), ints."""
    # BEGIN SOLUTION
    d = qkv.shape[1] // 3
    _, shares = self_attention(qkv, heads)
    return qkv[1:, d : 2 * d].reshape(h, w, d), shares[:, 0, 1:].reshape(heads, h, w)
    # END SOLUTION


# %%
keys_and_attention(np.arange(12.0).reshape(2, 6), 2, 1, 1)[0].tolist()  # expect: [[[8.0, 9.0]]]

# %% [markdown]
# Look: what the CLS token looks at, in each head. Nobody ever told the network what a flower is. And your keys are
# those of the library, whose position embeddings are interpolated by a cubic rule: the smallest cosine between one of
# yours and its counterpart is near 1.

# %%
keys, maps = keys_and_attention(qkv, 3, h, w)
plots.panels({"flower": flower, **{f"head {i}": maps[i] for i in range(3)}})
plt.show()
theirs = numpy_vit.forward(flower).key
cosines = (keys * theirs).sum(axis=2) / np.linalg.norm(keys, axis=2) / np.linalg.norm(theirs, axis=2)
print(f"smallest cosine: {cosines.min():.4f}")

# %%
check("dino.keys_and_attention")

# %% [markdown]
# ## Task 5 · Similar patches (8 points)
#
# **Goal:** for one patch, the *query*, the cosine of the angle between its features and those of each patch:
#
# $$ \cos(a, b) = \frac{a \cdot b}{\|a\| \, \|b\|} . $$
#
# Lengths do not count: a vector twice as long says the same, only louder.
#
# **About 5 minutes. You need:** `np.linalg.norm(features, axis=-1, keepdims=True)`, and `@`.


# %% tags=["exercise"] grade_id="dino.similarity"
def similarity(features, row, column):
    """Cosine between the patch at (row, column) and each patch: (h, w, d), ints -> (h, w)."""
    # BEGIN SOLUTION
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    return unit @ unit[row, column]
    # END SOLUTION


# %%
similarity(np.array([[[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]]), 0, 0).tolist()  # expect: [[1.0, 0.0, -1.0]]

# %% [markdown]
# Look: similarity by keys and by colors, for a patch on the flower (first row) and one beside it. Try other patches.

# %%
colors = (flower[: 8 * h, : 8 * w] / 255 - 0.5).reshape(h, 8, w, 8, 3).mean(axis=(1, 3))  # mean color of each patch
pictures = {}
for row, column in [(6, 12), (3, 3)]:
    marked = flower.copy()
    marked[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = [255, 0, 0]
    pictures[f"row {row}, column {column}"] = marked
    pictures[f"keys, row {row}"] = similarity(keys, row, column)
    pictures[f"colors, row {row}"] = similarity(colors, row, column)
plots.panels(pictures, cols=3)
plt.show()

# %%
check("dino.similarity")

# %% [markdown]
# ## Task 6 · Maps of principal components (14 points)
#
# **Goal:** 192 features in 3 colors. Each patch is a point in $d$ dimensions. Find the axes along which the points of
# the image differ most, and give the coordinates of all patches along the first `n` of these:
#
# 1. subtract the mean of all patches from each patch,
# 2. the axes are the eigenvectors of the covariance with the largest eigenvalues, the largest first,
# 3. multiply the centered features by them.
#
# The sign of an axis is free: turned round it is as good. Scale nothing; the cell below does that for the picture.
#
# **About 15 minutes. You need:** one of two: `np.linalg.svd(x, full_matrices=False)` gives U, s, Vt with the axes in
# the *rows* of Vt; `np.linalg.eigh(x.T @ x)` gives eigenvectors in *columns*, the smallest eigenvalue first.


# %% tags=["exercise"] grade_id="dino.pca_maps"
def pca_maps(features, n):
    """Coordinates of the patches along the first n principal axes: (h, w, d), int -> (h, w, n)."""
    # BEGIN SOLUTION
    h, w, d = features.shape
    x = features.reshape(-1, d)
    x = x - x.mean(axis=0)
    _, _, axes = np.linalg.svd(x, full_matrices=False)
    return (x @ axes[:n].T).reshape(h, w, n)
    # END SOLUTION


# %%
np.abs(pca_maps(np.array([[[1.0, 7.0], [5.0, 7.0]]]), 1)).ravel().round(6).tolist()  # expect: [2.0, 2.0]

# %% [markdown]
# Look: the first three components as red, green and blue. Patches of one color are alike for the network. Try other
# photos (`datasets.PHOTO_NAMES`), and queries or values instead of keys.


# %%
def in_colors(maps):
    """Three maps as a picture: (h, w, 3) -> (h, w, 3) uint8, the outermost 2 % cut off."""
    low, high = np.percentile(maps, [2, 98], axis=(0, 1))
    return (255 * np.clip((maps - low) / (high - low), 0, 1)).astype(np.uint8)


pictures = {}
for name, photo in {"flower": flower, "coffee": coffee}.items():
    qkv, h, w = network(photo, weights)
    pictures[name] = photo
    pictures[f"{name}: components 1 to 3"] = in_colors(pca_maps(keys_and_attention(qkv, 3, h, w)[0], 3))
plots.panels(pictures, cols=2, width=7)
plt.show()

# %%
check("dino.pca_maps")

# %% [markdown]
# ## Task 7 · DINO's loss (14 points)
#
# Where do these weights come from? A *student* sees several random views of a photo: two large ones, and then small
# ones. A *teacher* sees the two large ones only. Both networks end in $k$ numbers for each view, and the student must
# say what the teacher says about *another* view of the same photo (Caron et al. 2021). Nothing else is asked.
#
# **Goal:** the loss. With $c$ the *center*, and the teacher's temperature $\tau_t$ lower than the student's $\tau_s$,
#
# $$ p_i = \text{softmax}\!\left(\frac{t_i - c}{\tau_t}\right), \qquad
# \log q_j = \log \text{softmax}\!\left(\frac{s_j}{\tau_s}\right), \qquad
# L = \text{mean over } i \ne j \text{ and over the images of } \; -\sum_k p_{ik} \log q_{jk} . $$
#
# View $i$ is one of the two of the teacher, $j$ any of the $v$ of the student; the first two are the same views in
# both. So there are $2 (v - 1)$ pairs, and all count the same.
#
# Subtracting the center keeps one of the $k$ outputs from winning for all photos. The low temperature keeps the
# probabilities from becoming even. Each alone would let the network collapse; together they balance.
#
# **About 20 minutes. You need:** two loops over views, or `np.einsum`. **The last 4 points:** outputs of hundreds.
# `np.log(softmax)` is `-inf` there: take $\log \text{softmax}(a) = a - m - \log \sum e^{a - m}$ with $m$ the largest.


# %% tags=["exercise"] grade_id="dino.dino_loss"
def dino_loss(student, teacher, center, tau_student, tau_teacher):
    """DINO's loss, a float: outputs of the student (v, b, k) and teacher (2, b, k) for b images, center (k,)."""

    # BEGIN SOLUTION
    def log_softmax(a):
        a = a - a.max(axis=-1, keepdims=True)
        return a - np.log(np.exp(a).sum(axis=-1, keepdims=True))

    p = np.exp(log_softmax((teacher - center) / tau_teacher))  # (2, b, k)
    log_q = log_softmax(student / tau_student)  # (v, b, k)
    pairs = [-(p[i] * log_q[j]).sum(axis=-1).mean() for i in range(2) for j in range(len(student)) if i != j]
    return np.mean(pairs)
    # END SOLUTION


# %%
round(float(dino_loss(np.zeros((4, 3, 8)), np.zeros((2, 3, 8)), np.zeros(8), 0.1, 0.04)), 4)  # expect: 2.0794

# %% [markdown]
# Look: a network that says the same about all photos, and how it is found out. 64 photos, 8 outputs. With the first
# kind of collapse one output wins always; the center takes that away, and what is left is far from the student's
# answer. With the second kind all outputs are even: the loss is $\log 8 = 2.08$, and cannot be less. A network that
# tells the photos apart does better than both.

# %%
toy_rng = np.random.default_rng(0)
groups = np.eye(8)[toy_rng.integers(8, size=64)]  # (64, 8): what is in the photo
answers = {"one output wins": np.tile(np.eye(8)[0], (64, 1)), "all even": np.zeros((64, 8)), "tells apart": groups}
for name, answer in answers.items():
    both = np.stack([answer, answer])  # the same for both views, student and teacher
    print(f"{name:16} {dino_loss(both, both, answer.mean(axis=0), 0.1, 0.04):.2f}")

# %%
check("dino.dino_loss")

# %% [markdown]
# ## Task 8 · The teacher follows (8 points)
#
# **Goal:** nobody trains the teacher. After each step its weights move a little towards the student's, and the center a
# little towards the mean of what the teacher put out for this batch, over views and images, before any softmax:
#
# $$ \theta_t \leftarrow m \, \theta_t + (1 - m) \, \theta_s , \qquad
# c \leftarrow m_c \, c + (1 - m_c) \, \text{mean}(t) . $$
#
# So the teacher is a mean of the last thousand students or so, and better than each of them. Return the new weights and
# the new center. The old ones stay as they are: make new arrays.
#
# **About 5 minutes. You need:** `outputs.mean(axis=(0, 1))`. All weights of a network stand in one long vector here.


# %% tags=["exercise"] grade_id="dino.update"
def update(teacher, student, center, outputs, momentum, center_momentum):
    """New weights of the teacher (p,) and new center (k,): weights (p,), (p,), center (k,), outputs (2, b, k)."""
    # BEGIN SOLUTION
    new_teacher = momentum * teacher + (1 - momentum) * student
    new_center = center_momentum * center + (1 - center_momentum) * outputs.mean(axis=(0, 1))
    return new_teacher, new_center
    # END SOLUTION


# %%
new = update(np.array([1.0]), np.array([2.0]), np.zeros(1), np.ones((2, 3, 1)), 0.9, 0.8)
[part.round(6).tolist() for part in new]  # expect: [[1.1], [0.2]]

# %%
check("dino.update")

# %% [markdown]
# ## Task 9 · Ask the neighbors (8 points)
#
# How good are features that never saw a label? The usual test trains nothing. There is a *bank* of features with
# labels. For a query find the k vectors of the bank with the largest cosine; each votes for its label with the weight
# $e^{\cos / \tau}$ (Wu et al. 2018; the test of the DINO paper).
#
# **Goal:** the share of each label in the vote: the sum of the weights of its voters, divided by the sum of all k
# weights. One row for each query, one column for each label 0, 1, ... up to the largest in the bank. (The label with
# the largest share is the answer.)
#
# **About 15 minutes. You need:** vectors of length 1; `np.argsort(-cosines, axis=1)[:, :k]`; and
# `np.eye(classes)[labels]`, which is one row for each label, with a 1 in its column.


# %% tags=["exercise"] grade_id="dino.knn"
def knn(bank, labels, queries, k, tau):
    """Share of each label in a weighted vote of the k nearest: (n, d), (n,) integers, (m, d), int, float -> (m, c)."""
    # BEGIN SOLUTION
    bank = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    cosines = queries @ bank.T  # (m, n)
    nearest = np.argsort(-cosines, axis=1)[:, :k]  # (m, k)
    votes = np.exp(np.take_along_axis(cosines, nearest, axis=1) / tau)  # (m, k)
    ballots = np.eye(labels.max() + 1)[labels[nearest]]  # (m, k, c)
    return (votes[:, :, None] * ballots).sum(axis=1) / votes.sum(axis=1, keepdims=True)
    # END SOLUTION


# %%
tiny_bank, tiny_labels = np.array([[1.0, 0.0], [3.0, 4.0], [4.0, 3.0]]), np.array([0, 1, 1])
knn(tiny_bank, tiny_labels, np.array([[9.0, 1.0]]), 3, 0.07).round(2).tolist()  # expect: [[0.86, 0.14]]

# %% [markdown]
# Look: which region does a patch belong to? Somebody has drawn the regions of our photos. The left half of the patches
# is the bank, and the right half asks; once with mini-DINO's keys, once with the patches' mean colors. In which photos
# do colors win, and why?

# %%
for name in ["flower", "coffee", "rocket"]:
    sample = datasets.photo(name)
    photo, truth = shrink(sample.image, 3), sample.truth[1::3, 1::3]
    qkv, h, w = network(photo, weights)
    middle = truth[4 : 8 * h : 8, 4 : 8 * w : 8]  # the region in the middle of each patch
    shades = (photo[: 8 * h, : 8 * w] / 255 - 0.5).reshape(h, 8, w, 8, 3).mean(axis=(1, 3))
    scores = []
    for features in (keys_and_attention(qkv, 3, h, w)[0], shades):
        left, right = features[:, : w // 2], features[:, w // 2 :]
        left, right = (part.reshape(-1, part.shape[2]) for part in (left, right))
        voted = knn(left, middle[:, : w // 2].ravel(), right, 10, 0.1).argmax(axis=1)
        scores.append((voted == middle[:, w // 2 :].ravel()).mean())
    print(f"{name:8} keys {scores[0]:.2f}, colors {scores[1]:.2f}")

# %%
check("dino.knn")

# %% [markdown]
# ## If you like: train a DINO yourself (no points)
#
# On Colab with a GPU (*Runtime → Change runtime type*) some minutes are enough to see it learn. Here it learns from
# pieces of nine photos, so it will know little of the world; with a folder of your own photos it learns more. Needs
# PyTorch and timm: `pip install torch timm`. The cell below writes the pieces into an archive of JPEG files.


# %% tags=["nbval-skip"]
import io
import tarfile
from pathlib import Path

from PIL import Image


def write_pieces(path, rng, count=4000, side=168):
    """An archive of JPEG pieces of the bundled photos, side x side pixels each, at several scales."""
    photos = [shrink(sample.image, step) for sample in datasets.photos() for step in (1, 2)]
    photos = [photo for photo in photos if min(photo.shape[:2]) >= side]
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            photo = photos[rng.integers(len(photos))]
            top, left = (rng.integers(n - side + 1) for n in photo.shape[:2])
            data = io.BytesIO()
            Image.fromarray(photo[top : top + side, left : left + side]).save(data, "JPEG", quality=90)
            entry = tarfile.TarInfo(f"pieces/{number:05}.jpg")
            entry.size = data.tell()
            data.seek(0)
            archive.addfile(entry, data)


write_pieces(Path("pieces.tar"), np.random.default_rng(0))

# %% [markdown]
# Then train. Watch the two entropies of the teacher's answers, as in "entropy 3.10 of 6.50": of a single answer, and of
# the mean of all answers. If the second falls to 0, one output wins always; if the first rises to $\log k$, here 7.6,
# all outputs are even. Run the cell again with more minutes, and it goes on where it stopped.

# %% tags=["nbval-skip"]
from unseg_helpers.minidino import train

train.train(Path("pieces.tar"), Path("my_dino"), minutes=8, every=1)

# %% tags=["nbval-skip"]
from safetensors.numpy import load_file

mine = {name: array.astype(np.float32) for name, array in load_file("my_dino/weights.safetensors").items()}
pictures = {"flower": flower}
for name, some in {"ours": weights, "yours": mine}.items():
    qkv, h, w = network(flower, some)
    pictures[name] = in_colors(pca_maps(keys_and_attention(qkv, 3, h, w)[0], 3))
plots.panels(pictures)
plt.show()

# %% [markdown]
# ## Done?
#
# Run all cells from the top once more (*Kernel → Restart & Run All*; skip the training), save, and submit. Then read
# on: you have features that know objects. The next chapter cuts the graph of their similarities in two.
