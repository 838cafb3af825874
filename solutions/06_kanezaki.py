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
# # Exercise 6: A CNN that trains on one image
#
# You write a network that learns its features from the one photo it segments: no labels, no other photos, no weights
# from anywhere. It makes up its own labels and trains on them (Kanezaki 2018; Kim, Kanezaki and Tanaka 2020).
#
# After this exercise you can
#
# - write a small CNN, and say why its responses must be normalized,
# - write a loss whose targets come from the network itself, and one that wants neighbors to agree,
# - write a training step with gradients from PyTorch, and a loop that stops in time,
# - clean up a label map, and segment images in noise without being told how many regions there are.
#
# About 2 hours, 100 points. Read chapter 6 of the book first. `check("kanezaki.normalize")` tells you at once whether
# `normalize` is right, and if not, where to look. Run it as often as you like; grading asks the same on other data.
#
# Letters: an image has $h$ rows and $w$ columns and is (h, w, 3), with values from 0 to 1. A network has $c$ channels
# everywhere, and $c$ is also the largest number of labels that it may use. Its *response* is (c, h, w), channels first.
#
# You need PyTorch: `pip install torch`. A CPU is enough for everything here; if there is a GPU, `train` uses it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

from autograder import check
from unseg_helpers import datasets, metrics, plots

# %% [markdown]
# Checks call your functions with NumPy arrays, your own functions with tensors. So each function begins with
# `torch.as_tensor`, which makes a tensor of an array and leaves a tensor, with its gradients, as it is. Return tensors.
#
# ## Task 1 · Normalize (10 points)
#
# **Goal:** give each channel of a response mean 0 and variance 1, over all pixels of the image:
#
# $$ \hat r_{kyx} = \frac{r_{kyx} - \mu_k}{\sqrt{\sigma_k^2 + 10^{-5}}} . $$
#
# This is *batch norm* in train mode, with a batch of one image and without learned scale and shift. It is what keeps
# this method alive: every channel gets its turn to be large somewhere. Without it one channel soon wins everywhere. The
# $10^{-5}$ saves a channel that is the same everywhere from 0 / 0.
#
# **About 5 minutes. You need:** `mean(dim=(1, 2), keepdim=True)` and `var` with the same arguments. `var` divides by
# $n - 1$ unless you say `unbiased=False`.


# %% tags=["exercise"] grade_id="kanezaki.normalize"
def normalize(response):
    """Each channel with mean 0 and variance 1 over the pixels: (c, h, w) -> (c, h, w)."""
    response = torch.as_tensor(response)
    # BEGIN SOLUTION
    mean = response.mean(dim=(1, 2), keepdim=True)  # (c, 1, 1)
    variance = response.var(dim=(1, 2), keepdim=True, unbiased=False)
    return (response - mean) / torch.sqrt(variance + 1e-5)
    # END SOLUTION


# %%
normalize(np.array([[[1.0, 3.0]], [[8.0, 8.0]]])).numpy().round(3).tolist()  # expect: [[[-1.0, 1.0]], [[0.0, 0.0]]]

# %%
check("kanezaki.normalize")

# %% [markdown]
# ## Task 2 · The network (14 points)
#
# The weights of a network stand in one long row of numbers, so that a training step is one subtraction. This function
# cuts the row into kernels: the first 3x3 kernel takes 3 colors, each hidden one $c$ channels; the last kernel is 1x1.


# %%
def split(weights, channels):
    """Kernels of all layers: (p,) -> (c, 3, 3, 3), then any number of (c, c, 3, 3), then (c, c, 1, 1)."""
    c = channels
    hidden = (len(weights) - 27 * c - c * c) // (9 * c * c)
    sizes = [(c, 3, 3, 3)] + [(c, c, 3, 3)] * hidden + [(c, c, 1, 1)]
    parts = torch.split(weights, [int(np.prod(size)) for size in sizes])
    return [part.reshape(size) for part, size in zip(parts, sizes, strict=True)]


def start(rng, channels, hidden):
    """Random weights to begin with, after Xavier Glorot: Generator, int, int -> (p,) array."""
    c = channels
    sizes = [(c, 3, 9)] + [(c, c, 9)] * hidden + [(c, c, 1)]
    return np.concatenate([rng.normal(size=a * b * n) * np.sqrt(2 / ((a + b) * n)) for a, b, n in sizes])


weights = torch.as_tensor(start(np.random.default_rng(0), 8, 1))
[tuple(kernel.shape) for kernel in split(weights, 8)]

# %% [markdown]
# **Goal:** the response of the network to an image. First put the channels first, (3, h, w), and normalize. Then, for
# each 3x3 kernel: convolution with zeros around the image (`padding=1`), ReLU, normalize, *in this order*. Last, the
# 1x1 convolution and normalize; *no* ReLU here. As each convolution follows a normalization, it needs no bias.
#
# **About 15 minutes. You need:** `permute(2, 0, 1)`. (`reshape(3, h, w)` gives the same shape and nonsense.)
# `F.conv2d` wants a batch: `F.conv2d(x[None], kernel, padding=1)[0]`; and `F.relu`.


# %% tags=["exercise"] grade_id="kanezaki.network"
def network(image, weights, channels):
    """Normalized response to an image: (h, w, 3), (p,), int -> (c, h, w)."""
    weights = torch.as_tensor(weights)
    x = torch.as_tensor(image, dtype=weights.dtype, device=weights.device)
    # BEGIN SOLUTION
    *three, last = split(weights, channels)
    x = normalize(x.permute(2, 0, 1))
    for kernel in three:
        x = normalize(F.relu(F.conv2d(x[None], kernel, padding=1)[0]))
    return normalize(F.conv2d(x[None], last)[0])
    # END SOLUTION


# %%
tuple(network(np.random.default_rng(0).random((5, 7, 3)), weights, 8).shape)  # expect: (8, 5, 7)

# %% [markdown]
# Look: what four of eight channels of an untrained network say about a photo.

# %%
flower = datasets.photo("flower")
small, truth = flower.image[::5, ::5], flower.truth[::5, ::5]
print(f"{small.shape[0]} x {small.shape[1]} pixels")
response = network(small / 255, weights, 8).numpy()
plots.panels({"photo": small, **{f"channel {k}": response[k] for k in range(4)}}, width=9)
plt.show()

# %%
check("kanezaki.network")

# %% [markdown]
# ## Task 3 · Targets (8 points)
#
# **Goal:** who teaches this network? It does so itself: the *target* of a pixel is the number of the channel that
# responds most there. Return these numbers, from 0 to $c - 1$, as they are: (h, w).
#
# **About 5 minutes. You need:** `argmax`, along the right dimension.


# %% tags=["exercise"] grade_id="kanezaki.targets"
def targets(response):
    """Number of the channel with the largest response: (c, h, w) -> (h, w) integers."""
    response = torch.as_tensor(response)
    # BEGIN SOLUTION
    return response.argmax(dim=0)
    # END SOLUTION


# %%
targets(np.array([[[-1.0, 5.0]], [[-2.0, 6.0]], [[-3.0, 0.0]]])).tolist()  # expect: [[0, 1]]

# %%
check("kanezaki.targets")

# %% [markdown]
# ## Task 4 · Pixels of one label become alike (12 points)
#
# **Goal:** the *similarity loss*: the cross-entropy between the responses, after a softmax over the channels, and the
# targets $t$, as a mean over the pixels:
#
# $$ L_\text{sim} = -\frac{1}{hw} \sum_{y,x} \log \frac{e^{r_{t_{yx} y x}}}{\sum_k e^{r_{k y x}}} . $$
#
# It makes the winner of each pixel win more clearly. Pixels with similar neighborhoods share the kernels, so they go
# the same way, and labels that win in few places lose those too.
#
# **About 10 minutes. You need:** `F.cross_entropy`, which takes the softmax itself and means over pixels; it wants a
# batch, (1, c, h, w) and (1, h, w). **The last 4 points:** responses of hundreds. Somebody who takes the log of a
# softmax gets infinity.


# %% tags=["exercise"] grade_id="kanezaki.similarity_loss"
def similarity_loss(response, target):
    """Mean cross-entropy to the targets: (c, h, w), (h, w) integers -> a number."""
    response, target = torch.as_tensor(response), torch.as_tensor(target)
    # BEGIN SOLUTION
    return F.cross_entropy(response[None], target[None])
    # END SOLUTION


# %%
round(float(similarity_loss(np.zeros((8, 2, 3)), np.zeros((2, 3), dtype=int))), 4)  # expect: 2.0794

# %%
check("kanezaki.similarity_loss")

# %% [markdown]
# ## Task 5 · Neighbors become alike (12 points)
#
# **Goal:** the *continuity loss*: how much the response changes from each pixel to the one below, and to the one on the
# right. Take the size of all differences, the mean over those in one direction (with all channels), the mean over those
# in the other, and add the two means.
#
# **About 10 minutes. You need:** slices such as `response[:, 1:] - response[:, :-1]`, and `abs`. Each direction has its
# own number of differences. The responses are compared, not the labels: a label map has no gradient.


# %% tags=["exercise"] grade_id="kanezaki.continuity_loss"
def continuity_loss(response):
    """Mean size of the differences down plus that of the differences to the right: (c, h, w) -> a number."""
    response = torch.as_tensor(response)
    # BEGIN SOLUTION
    down = (response[:, 1:] - response[:, :-1]).abs().mean()
    right = (response[:, :, 1:] - response[:, :, :-1]).abs().mean()
    return down + right
    # END SOLUTION


# %%
float(continuity_loss(np.array([[[0.0, 1.0, 2.0], [4.0, 5.0, 6.0]]])))  # expect: 5.0

# %%
check("kanezaki.continuity_loss")

# %% [markdown]
# ## Task 6 · One training step (14 points)
#
# **Goal:** one step of gradient descent with momentum, as `torch.optim.SGD` makes it. With $g$ the gradient of
#
# $$ L = L_\text{sim}(r, \text{targets}(r)) + \mu \, L_\text{con}(r) , \qquad
# v \leftarrow 0.9 \, v + g , \qquad \theta \leftarrow \theta - \text{lr} \cdot v , $$
#
# where $r$ is the response with the weights $\theta$ that came in. Return the new weights and the new velocity $v$. The
# arrays that came in stay as they are.
#
# **About 20 minutes. You need:** your five functions. The first line of the answer makes weights that PyTorch follows;
# `torch.autograd.grad(loss, weights)` gives a tuple with one gradient; call it once, on the sum of both losses. Only
# the targets may be without a gradient: a `.detach()`, `.item()` or `.numpy()` on the way from the weights to the loss
# cuts it off. Return `weights.detach() - ...`, so that the next step begins anew: else PyTorch carries all steps along.


# %% tags=["exercise"] grade_id="kanezaki.train_step"
def train_step(image, weights, velocity, channels, lr, mu):
    """New weights and velocity after one step: (h, w, 3), (p,), (p,), int, float, float -> (p,), (p,)."""
    weights = torch.as_tensor(weights).detach().clone().requires_grad_()
    velocity = torch.as_tensor(velocity, device=weights.device)
    # BEGIN SOLUTION
    response = network(image, weights, channels)
    loss = similarity_loss(response, targets(response)) + mu * continuity_loss(response)
    (gradient,) = torch.autograd.grad(loss, weights)
    velocity = 0.9 * velocity + gradient
    return weights.detach() - lr * velocity, velocity
    # END SOLUTION


# %% [markdown]
# Look: both losses, before and after ten steps.

# %%
moving, velocity = weights, torch.zeros_like(weights)
for step in range(11):
    response = network(small / 255, moving, 8)
    if step % 10 == 0:
        similarity = float(similarity_loss(response, targets(response)))
        print(f"after {step:2} steps: similarity {similarity:.2f}, continuity {float(continuity_loss(response)):.2f}")
    moving, velocity = train_step(small / 255, moving, velocity, 8, 0.1, 2.0)

# %%
check("kanezaki.train_step")

# %% [markdown]
# ## Task 7 · Train, and stop in time (12 points)
#
# Nothing in the loss asks for more than one label. Given enough time, all pixels get the same. So somebody must stop.
#
# **Goal:** train from a velocity of 0 for `steps` steps. Step 0, 1, 2, ... has the learning rate `lr`, divided by 10
# for every `decay` steps that are done: with `decay = 50` that of step 49 is `lr`, that of step 50 `lr / 10`, that of
# step 100 `lr / 100`. After each step take the targets of the network *with its new weights*, and count the different
# labels in them. Stop as soon as there are `least` or fewer. Nothing is counted before the first step, so that at least
# one step is made.
#
# Return three things: the labels (h, w) after the last step, the list of counts, one for each step made, and the
# weights.
#
# **About 15 minutes. You need:** `train_step`, and `len(torch.unique(labels))`.


# %%
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


# %% tags=["exercise"] grade_id="kanezaki.train"
def train(image, weights, channels, lr, mu, steps, decay, least):
    """Labels (h, w) at the end, number of labels after each step, and weights (p,); image (h, w, 3), weights (p,)."""
    weights = torch.as_tensor(weights, device=DEVICE)
    velocity = torch.zeros_like(weights)
    # BEGIN SOLUTION
    counts = []
    for step in range(steps):
        rate = lr * 0.1 ** (step // decay)
        weights, velocity = train_step(image, weights, velocity, channels, rate, mu)
        labels = targets(network(image, weights, channels))
        counts.append(len(torch.unique(labels)))
        if counts[-1] <= least:
            break
    return labels, counts, weights
    # END SOLUTION


# %% [markdown]
# Look: how the labels of the flower become fewer. 16 channels, one hidden layer. The weights are of 32-bit floats here,
# twice as fast; your functions take the type of the weights.

# %%
begin = start(np.random.default_rng(0), 16, 1).astype(np.float32)
pictures, going, counts = {"photo": small}, begin, []
for _ in range(3):
    labels, more, going = train(small / 255, going, 16, 0.1, 2.0, 20, 1000, 3)
    counts += more
    pictures[f"{len(counts)} steps: {counts[-1]} labels"] = metrics.relabel(truth, labels.cpu().numpy())
plots.panels(pictures, cols=2)
plt.show()

# %%
check("kanezaki.train")

# %% [markdown]
# ## Task 8 · Clean up (8 points)
#
# Some labels are left with a few pixels each. They are no regions.
#
# **Goal:** take away each label that has fewer than `least` pixels. All its pixels go to one of the labels that are
# large enough: to that whose mean color is nearest to its own mean color, both taken in the label map that came in.
# The largest label always stays, even if it is too small. Number the labels that are left 0, 1, 2, ... without gaps.
# Arrays come in and go out: this task needs NumPy only.
#
# **About 10 minutes. You need:** `np.unique(labels, return_inverse=True, return_counts=True)`.


# %% tags=["exercise"] grade_id="kanezaki.clean_up"
def clean_up(labels, image, least):
    """Labels from 0 without small ones: (h, w) integers, (h, w, 3) floats, int -> (h, w) integers."""
    # BEGIN SOLUTION
    names, places, count = np.unique(labels, return_inverse=True, return_counts=True)
    places = places.reshape(labels.shape)
    colors = np.array([image[places == i].mean(axis=0) for i in range(len(names))])
    large = np.flatnonzero((count >= least) | (count == count.max()))
    nearest = ((colors[:, None] - colors[large]) ** 2).sum(axis=2).argmin(axis=1)  # a large one is nearest to itself
    return np.unique(nearest[places], return_inverse=True)[1].reshape(labels.shape)
    # END SOLUTION


# %%
row = np.array([[4, 4, 4, 7, 9, 9]])
clean_up(row, np.repeat(row[..., None], 3, axis=2) / 9.0, 2).tolist()  # expect: [[0, 0, 0, 1, 1, 1]]

# %%
check("kanezaki.clean_up")

# %% [markdown]
# ## Task 9 · Segment a photo (10 points)
#
# **Goal:** put it all together: an image of 8-bit numbers goes in, a label map of integers from 0 comes out.
#
# Channels, layers, learning rate, $\mu$, steps and the least size are yours to choose. A good beginning: 8 channels,
# one hidden layer, `lr = 0.1`, $\mu = 10$, 30 steps, labels of 8 % of the pixels or more. The images in the check are
# small (about 2000 pixels) and your answer may take a few seconds.
#
# **How it is scored:** on images of a few regions, in noise so strong that the colors of single pixels say little, and
# on regions that carry the light and shade of photos. Nobody tells you how many regions there are. The score is the
# mean IoU over the true regions, each with the label that fits it best, one label for one region. Some trainings fail,
# whoever writes them: of four images, the mean of the best three decides. Without training, or without the continuity
# loss, nothing is left of it.
#
# **About 20 minutes. You need:** `image / 255`, `start(rng, ...)`, `train`, `clean_up`. `labels.cpu().numpy()` makes an
# array of a tensor.


# %% tags=["exercise"] grade_id="kanezaki.segment"
def segment(image, rng):
    """Segment an image by a network of its own: (h, w, 3) uint8, Generator -> (h, w) integer labels."""
    # BEGIN SOLUTION
    x = image / 255
    labels, _, _ = train(x, start(rng, 8, 1), 8, 0.1, 10.0, 30, 50, 3)
    return clean_up(labels.cpu().numpy(), x, labels.numel() // 12)
    # END SOLUTION


# %%
halves = np.repeat(np.repeat(np.array([[[200, 40, 40], [40, 40, 200]]], dtype=np.uint8), 12, axis=0), 9, axis=1)
found = segment(halves, np.random.default_rng(0))
bool((found[:, 0] != found[:, -1]).all())  # expect: True

# %% [markdown]
# Look: two photos by k-means, told to find 3 regions, and by your network, with their coverings, in colors that match
# the regions that a person drew. Neither wins on both: where does each fail, and why? Then try other photos
# (`datasets.PHOTO_NAMES`), other seeds, other numbers of layers and another $\mu$. Nobody tells the network how many
# regions there are: which of its numbers decides it?

# %%
from scipy.cluster.vq import kmeans2

pictures = {}
for name in ["coffee", "flower"]:
    sample = datasets.photo(name)
    small, truth = sample.image[::5, ::5], sample.truth[::5, ::5]
    colors = kmeans2(small.reshape(-1, 3) / 255, 3, minit="++", seed=0)[1].reshape(truth.shape)
    pictures[name] = small
    for way, labels in {"k-means": colors, "network": segment(small, np.random.default_rng(0))}.items():
        pictures[f"{name}, {way}: {metrics.covering(truth, labels):.2f}"] = metrics.relabel(truth, labels)
plots.panels(pictures, cols=3, width=9)
plt.show()

# %%
check("kanezaki.segment")

# %% [markdown]
# ## Done?
#
# Run all cells from the top once more (*Kernel → Restart & Run All*), save, and submit. Then read on: this network
# forgets everything after each photo. The next chapters learn from many photos at once.
