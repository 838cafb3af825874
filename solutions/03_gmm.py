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
# # Exercise 3: Gaussian mixtures
#
# You write the EM algorithm from nothing but NumPy. Then you use it on photos whose segments k-means cannot find: their
# colors form long clouds that cross one another. Nine small functions; most of them use those before.
#
# After this exercise you can
#
# - compute Gaussian densities that never underflow, with a Cholesky factor and in logs,
# - write the E step and the M step, and say what each of them does,
# - start EM from k-means, stop it, and read its history,
# - choose the number of components with the BIC, and segment a photo with full covariances.
#
# About 2 hours, 100 points. Read chapter 3 of the book first. `check("gmm.e_step")` tells you at once whether
# `e_step` is right, and if not, where to look. Run it as often as you like; grading asks the same on other data.
#
# Letters: $n$ points with $d$ features each, $k$ components. `x` has shape (n, d), `weights` (k,), `means` (k, d),
# `covs` (k, d, d), and `resp`, the responsibilities, (n, k).

# %%
import matplotlib.pyplot as plt
import numpy as np

from autograder import check
from unseg_helpers import datasets, metrics, plots

# %% [markdown]
# Three long clouds of points to try things on, and two functions that draw: `ellipses` shows each component of a
# mixture as the line of two standard deviations, `scatter` mixes the colors of the components by responsibility.

# %%
toy_rng = np.random.default_rng(3)
toy_weights = np.array([0.5, 0.3, 0.2])
toy_means = np.array([[0.0, 0.0], [3.0, 0.5], [0.5, 3.5]])
toy_covs = np.array([[[1.0, 0.9], [0.9, 1.0]], [[0.3, -0.4], [-0.4, 1.4]], [[1.5, 0.3], [0.3, 0.1]]])
toy_labels = toy_rng.choice(3, p=toy_weights, size=300)
toy = np.array([toy_rng.multivariate_normal(toy_means[j], toy_covs[j]) for j in toy_labels])


def ellipses(means, covs):
    """Draw two standard deviations around each mean."""
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = 2 * np.stack([np.cos(turn), np.sin(turn)])  # (2, 100)
    for j, (mean, cov) in enumerate(zip(means, covs, strict=True)):
        plt.plot(*(mean[:, None] + np.linalg.cholesky(cov) @ circle), c=plots.PALETTE[j] / 255, lw=2.5)


def scatter(points, resp):
    """Draw points; the color of each is a mixture of the components' colors."""
    plt.scatter(*points.T, s=10, c=resp @ plots.PALETTE[: resp.shape[1]] / 255)
    plt.gca().set_aspect("equal")


plt.figure(figsize=(4, 4))
scatter(toy, np.eye(3)[toy_labels])
ellipses(toy_means, toy_covs)
plt.title("300 points, and where they come from")
plt.show()

# %% [markdown]
# ## Task 1 · Log density (14 points)
#
# **Goal:** the log of the Gaussian density of each point. With $L$ the Cholesky factor of the covariance,
# $L L^\top = \Sigma$, and $z$ the solution of $L z = x - \mu$,
#
# $$\log N(x; \mu, \Sigma) = -\tfrac{d}{2} \log 2\pi \;-\; \tfrac12 \|z\|^2 \;-\; \sum_i \log L_{ii} .$$
#
# (Since $\|z\|^2 = (x - \mu)^\top \Sigma^{-1} (x - \mu)$ and $|\Sigma| = \prod_i L_{ii}^2$; Bishop 2006, section 2.3.)
#
# **About 15 minutes. You need:** `np.linalg.cholesky(cov)` gives $L$, `np.linalg.solve(L, (x - mean).T)` gives all $z$
# at once, one in each *column*. (`scipy.linalg.solve_triangular(..., lower=True)` does it faster.)
#
# **The last 5 points:** 60 standard deviations away the density is $e^{-1800}$, and the determinant of 90 small
# variances is $10^{-450}$. As floats both are 0. So take the log early: never a log of a density or of a determinant.


# %% tags=["exercise"] grade_id="gmm.log_density"
def log_density(x, mean, cov):
    """Log of the Gaussian density of each point: (n, d), (d,), (d, d) -> (n,)."""
    # BEGIN SOLUTION
    factor = np.linalg.cholesky(cov)  # (d, d), lower triangle
    z = np.linalg.solve(factor, (x - mean).T)  # (d, n)
    return -0.5 * (len(mean) * np.log(2 * np.pi) + (z**2).sum(axis=0)) - np.log(np.diag(factor)).sum()
    # END SOLUTION


# %%
log_density(np.array([[0.0], [2.0]]), np.array([0.0]), np.array([[4.0]])).round(3).tolist()  # expect: [-1.612, -2.112]

# %% [markdown]
# Look: lines of equal density are ellipses. k-means knows circles only.

# %%
side = np.linspace(-4, 6, 101)
grid = np.stack(np.meshgrid(side, side), axis=-1)  # (101, 101, 2)
height = log_density(grid.reshape(-1, 2), toy_means[0], toy_covs[0]).reshape(101, 101)
plt.figure(figsize=(4, 4))
scatter(toy, np.eye(3)[toy_labels])
plt.contour(side, side, height, levels=[-12, -8, -4, -2], colors="black", linewidths=1)
plt.show()

# %%
check("gmm.log_density")

# %% [markdown]
# ## Task 2 · Log-sum-exp (8 points)
#
# **Goal:** for each row of a table of logs, the log of the sum: $\log \sum_j e^{a_j}$. That is how densities are added
# when only their logs fit into floats. With $m$ the largest entry of the row,
#
# $$\log \sum_j e^{a_j} = m + \log \sum_j e^{a_j - m} .$$
#
# Now the largest exponential is $e^0 = 1$: nothing overflows, and what underflows was too small to count.
#
# **About 5 minutes. You need:** `a.max(axis=1, keepdims=True)`. An entry may be `-inf`, the log of 0; each row has
# at least one that is not. (SciPy and NumPy have this function, too. Write it once, and you know why it is there.)


# %% tags=["exercise"] grade_id="gmm.log_sum_exp"
def log_sum_exp(a):
    """Log of the sum of the exponentials of each row, without overflow: (n, k) -> (n,)."""
    # BEGIN SOLUTION
    largest = a.max(axis=1, keepdims=True)  # (n, 1)
    return largest[:, 0] + np.log(np.exp(a - largest).sum(axis=1))
    # END SOLUTION


# %%
log_sum_exp(np.array([[0.0, 0.0], [-1000.0, -1000.0]])).round(3).tolist()  # expect: [0.693, -999.307]

# %%
check("gmm.log_sum_exp")

# %% [markdown]
# ## Task 3 · E step (14 points)
#
# **Goal:** who made this point? The *responsibility* of component $j$ for point $i$ is its share of the density there:
#
# $$r_{ij} = \frac{w_j \, N(x_i; \mu_j, \Sigma_j)}{\sum_l w_l \, N(x_i; \mu_l, \Sigma_l)} .$$
#
# In logs: build the (n, k) table $a_{ij} = \log w_j + \log N(x_i; \mu_j, \Sigma_j)$, and let $s_i$ be the log-sum-exp
# of its row $i$. Then $r_{ij} = \exp(a_{ij} - s_i)$. And $s_i$ is the log of the density of the whole mixture at point
# $i$: its mean over all points is the *log-likelihood* (a mean, so that it does not grow with $n$). Return both.
#
# **About 15 minutes. You need:** `log_density` for each component, `np.column_stack`, and `log_sum_exp(a)[:, None]`.
#
# **The last 5 points** are for points that are far from everything. Whoever takes `exp` too early divides 0 by 0 there.


# %% tags=["exercise"] grade_id="gmm.e_step"
def e_step(x, weights, means, covs):
    """Responsibilities (n, k), and the mean log-likelihood of the points."""
    # BEGIN SOLUTION
    a = np.column_stack([np.log(w) + log_density(x, m, c) for w, m, c in zip(weights, means, covs, strict=True)])
    total = log_sum_exp(a)  # (n,)
    return np.exp(a - total[:, None]), total.mean()
    # END SOLUTION


# %%
two = (np.array([0.5, 0.5]), np.array([[0.0], [2.0]]), np.ones((2, 1, 1)))
e_step(np.array([[1.0], [101.0]]), *two)[0].round(3).tolist()  # expect: [[0.5, 0.5], [0.0, 1.0]]

# %% [markdown]
# Look: where two components overlap, the points have colors in between.

# %%
resp, value = e_step(toy, toy_weights, toy_means, toy_covs)
plt.figure(figsize=(4, 4))
scatter(toy, resp)
ellipses(toy_means, toy_covs)
plt.title(f"log-likelihood {value:.3f}")
plt.show()

# %%
check("gmm.e_step")

# %% [markdown]
# ## Task 4 · M step (16 points)
#
# **Goal:** the other way round: given the responsibilities, the best weights, means and covariances. Each point counts
# for component $j$ as much as $r_{ij}$ says, and $n_j = \sum_i r_{ij}$ is how many points it has in all:
#
# $$w_j = \frac{n_j}{n}, \qquad \mu_j = \frac{1}{n_j} \sum_i r_{ij}\, x_i, \qquad
# \Sigma_j = \frac{1}{n_j} \sum_i r_{ij}\, (x_i - \mu_j)(x_i - \mu_j)^\top + 10^{-6} I .$$
#
# (Dempster, Laird and Rubin 1977; Bishop 2006, section 9.2.) The means in the last formula are the new ones. The tiny
# multiple of the identity matrix keeps the covariance of a component with very few points invertible.
#
# **About 15 minutes. You need:** `resp.T @ x`. For one covariance, with `gap = x - means[j]`, all sums at once are
# `(resp[:, j, None] * gap).T @ gap`. A loop over the components is fine. `np.eye(d)` is the identity matrix.


# %% tags=["exercise"] grade_id="gmm.m_step"
def m_step(x, resp):
    """Weights (k,), means (k, d) and full covariances (k, d, d) that fit the responsibilities: (n, d), (n, k)."""
    # BEGIN SOLUTION
    n, d = x.shape
    counts = resp.sum(axis=0)  # (k,)
    means = resp.T @ x / counts[:, None]  # (k, d)
    covs = np.zeros((len(counts), d, d))
    for j in range(len(counts)):
        gap = x - means[j]  # (n, d)
        covs[j] = (resp[:, j, None] * gap).T @ gap / counts[j] + 1e-6 * np.eye(d)
    return counts / n, means, covs
    # END SOLUTION


# %%
m_step(np.array([[0.0, 0.0], [2.0, 2.0]]), np.ones((2, 1)))[2].round(3).tolist()  # expect: [[[1.0, 1.0], [1.0, 1.0]]]

# %% [markdown]
# Look: from bad responsibilities, one E step and one M step at a time.

# %%
resp = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])[toy_rng.integers(3, size=len(toy))]
plt.figure(figsize=(12, 3))
for step in range(16):
    weights, means, covs = m_step(toy, resp)
    if step % 5 == 0:
        plt.subplot(1, 4, step // 5 + 1)
        scatter(toy, resp)
        ellipses(means, covs)
        plt.title(f"after {step} steps")
    resp, _ = e_step(toy, weights, means, covs)
plt.show()

# %%
check("gmm.m_step")

# %% [markdown]
# ## Task 5 · A start from labels (8 points)
#
# **Goal:** EM needs a start. A good one comes from k-means: the weight, mean and covariance of each of its clusters.
#
# **About 5 minutes. You need:** a label is a responsibility of 1 for one component and 0 for all others.
# `np.eye(k)[labels]` is the (n, k) table of these. So what do you have already that makes parameters of them?


# %% tags=["exercise"] grade_id="gmm.start_from_labels"
def start_from_labels(x, labels, k):
    """Weights, means and covariances of k clusters: (n, d), (n,) integers; each label occurs."""
    # BEGIN SOLUTION
    return m_step(x, np.eye(k)[labels])
    # END SOLUTION


# %%
start_from_labels(np.array([[0.0], [2.0], [7.0], [9.0]]), np.array([0, 0, 0, 1]), 2)[0].tolist()  # expect: [0.75, 0.25]

# %% [markdown]
# Here is a short k-means, so that you need not bring your own from exercise 2 (you may):


# %%
def kmeans_labels(x, k, rng, steps=20):
    """Labels (n,) of k-means with one k-means++ seeding."""
    centers = x[rng.integers(len(x), size=1)]
    while len(centers) < k:
        square = ((x[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
        centers = np.vstack([centers, x[rng.choice(len(x), p=square / square.sum())]])
    for _ in range(steps):
        labels = ((centers**2).sum(axis=1) - 2 * x @ centers.T).argmin(axis=1)
        centers = np.array([x[labels == j].mean(axis=0) if (labels == j).any() else centers[j] for j in range(k)])
    return labels


rough = kmeans_labels(toy, 3, np.random.default_rng(0))
_, means, covs = start_from_labels(toy, rough, 3)
plt.figure(figsize=(4, 4))
scatter(toy, np.eye(3)[rough])
ellipses(means, covs)
plt.title("k-means, as a start")
plt.show()

# %%
check("gmm.start_from_labels")

# %% [markdown]
# ## Task 6 · The loop (14 points)
#
# **Goal:** EM itself, from given parameters:
#
# 1. E step; write the log-likelihood into a list, `history`.
# 2. Repeat at most `max_iter` times: M step, E step, append the log-likelihood; stop as soon as it has risen by less
#    than `tol`.
# 3. Return `weights, means, covs, history`.
#
# So the last number of `history` belongs to the parameters that you return. The history never falls: if yours does,
# there is a mistake.
#
# **About 15 minutes. You need:** your `e_step` and `m_step`.


# %% tags=["exercise"] grade_id="gmm.em"
def em(x, weights, means, covs, max_iter=100, tol=1e-4):
    """EM from given parameters: weights (k,), means (k, d), covs (k, d, d), history (list of float)."""
    # BEGIN SOLUTION
    resp, value = e_step(x, weights, means, covs)
    history = [value]
    for _ in range(max_iter):
        weights, means, covs = m_step(x, resp)
        resp, value = e_step(x, weights, means, covs)
        history.append(value)
        if history[-1] - history[-2] < tol:
            break
    return weights, means, covs, history
    # END SOLUTION


# %%
len(em(np.array([[0.0], [1.0], [4.0]]), np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))[3])  # expect: 3

# %% [markdown]
# Look: the start from k-means, what EM makes of it, and its history.

# %%
weights, means, covs, history = em(toy, *start_from_labels(toy, rough, 3))
plt.figure(figsize=(9, 4))
plt.subplot(1, 2, 1)
scatter(toy, e_step(toy, weights, means, covs)[0])
ellipses(means, covs)
plt.subplot(1, 2, 2)
plt.plot(history, marker=".")
plt.xlabel("step")
plt.ylabel("mean log-likelihood")
plt.show()

# %%
check("gmm.em")

# %% [markdown]
# ## Task 7 · BIC (8 points)
#
# **Goal:** more components always fit better, so the likelihood cannot choose $k$. Schwarz's criterion asks a price of
# $\log n$ for each free parameter (Schwarz 1978). With $p$ free parameters, and $\bar\ell$ the *mean* log-likelihood,
#
# $$\text{BIC} = p \log n - 2\, n\, \bar\ell , \qquad \text{the less the better.}$$
#
# **About 10 minutes. You need:** your `e_step`. Count what is free: each mean has $d$ numbers; each covariance is
# symmetric, so not all of its $d^2$ numbers are free; and the weights sum to 1.


# %% tags=["exercise"] grade_id="gmm.bic"
def bic(x, weights, means, covs):
    """Bayesian information criterion of a mixture with full covariances, the less the better: a float."""
    # BEGIN SOLUTION
    n, (k, d) = len(x), means.shape
    free = (k - 1) + k * d + k * d * (d + 1) // 2
    _, value = e_step(x, weights, means, covs)
    return free * np.log(n) - 2 * n * value
    # END SOLUTION


# %%
round(float(bic(np.array([[0.0], [2.0]]), np.ones(1), np.ones((1, 1)), np.ones((1, 1, 1)))), 3)  # expect: 7.062

# %%
check("gmm.bic")

# %% [markdown]
# ## Task 8 · Choose k (8 points)
#
# EM can get stuck like k-means. So run it several times and keep the result with the largest log-likelihood. This
# function does that with what you wrote:


# %%
def fit(x, k, rng, runs=4):
    """The best of some EM runs, each from a k-means of its own: weights, means, covs, history."""
    results = [em(x, *start_from_labels(x, kmeans_labels(x, k, rng), k)) for _ in range(runs)]
    return max(results, key=lambda result: result[3][-1])


# %% [markdown]
# **Goal:** fit a mixture for each of `ks`, and choose the k with the smallest BIC. Return it and the BICs, in the
# order of `ks` (which need not be sorted).
#
# **About 10 minutes. You need:** `fit` and `bic`, and `np.argmin`.


# %% tags=["exercise"] grade_id="gmm.choose_k"
def choose_k(x, ks, rng):
    """The k of the smallest BIC, and the BIC for each of ks: (n, d), (m,) -> one of ks, (m,)."""
    # BEGIN SOLUTION
    bics = []
    for k in ks:
        weights, means, covs, _ = fit(x, k, rng)
        bics.append(bic(x, weights, means, covs))
    return ks[np.argmin(bics)], np.array(bics)
    # END SOLUTION


# %%
int(choose_k(toy, np.array([4, 3, 2]), np.random.default_rng(0))[0])  # expect: 3

# %% [markdown]
# Look: the likelihood rises with each component, the BIC has a bottom.

# %%
ks = np.arange(1, 7)
k, bics = choose_k(toy, ks, np.random.default_rng(0))
likelihoods = [len(toy) * fit(toy, j, np.random.default_rng(0))[3][-1] for j in ks]
plt.figure(figsize=(5, 3.5))
plt.plot(ks, bics, marker="o", label="BIC")
plt.plot(ks, -2 * np.array(likelihoods), marker=".", label="-2 log-likelihood")
plt.axvline(k, c="black", lw=0.8)
plt.xlabel("k")
plt.legend()
plt.show()

# %%
check("gmm.choose_k")

# %% [markdown]
# ## Task 9 · Segment a photo (10 points)
#
# **Goal:** split a photo into k segments: fit a mixture to its colors and give each pixel the number of its most
# responsible component, between 0 and k-1, as an (h, w) array. (This is the *MAP* label, for maximum a posteriori.)
#
# **About 20 minutes. You need:** `image.reshape(-1, 3) / 255`, everything above, and `labels.reshape(h, w)`. The images
# in the check are small (about 2000 pixels) and your answer may take a few seconds.
#
# **How it is scored:** on images printed in several inks, in scattered pieces, under colored light or with the light
# and shade of a photo. The colors of one ink form a long thin cloud, and the clouds come close to one another or cross.
# k-means earns next to nothing here, and so do circles and upright ellipses. Use the three colors without the position:
# the pieces are everywhere. The better your segments cover the inks, the more points.


# %% tags=["exercise"] grade_id="gmm.segment"
def segment(image, k, rng):
    """Segment a photo by a mixture of k colors: (h, w, 3) uint8 -> (h, w) integer labels 0..k-1."""
    # BEGIN SOLUTION
    x = image.reshape(-1, 3) / 255
    weights, means, covs, _ = fit(x, k, rng)
    resp, _ = e_step(x, weights, means, covs)
    return resp.argmax(axis=1).reshape(image.shape[:2])
    # END SOLUTION


# %%
stripes = np.repeat(np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8), 3, axis=0)
np.unique(segment(stripes, 2, np.random.default_rng(0))[:, 0]).size  # expect: 1

# %% [markdown]
# Look: a flower by k-means and by your mixture, in colors that match the regions that a person drew. Light and shade
# make the colors of the petals a long cloud. Try other photos (`datasets.PHOTO_NAMES`) and another k: where does the
# mixture win, and where not?

# %%
flower = datasets.photo("flower")
small, truth = flower.image[::5, ::5], flower.truth[::5, ::5]
h, w = truth.shape
rough = kmeans_labels(small.reshape(-1, 3) / 255, 3, np.random.default_rng(0)).reshape(h, w)
mine = segment(small, 3, np.random.default_rng(0))
pictures = {"photo": small, "drawn by hand": truth}
for name, labels in {"k-means": rough, "mixture": mine}.items():
    pictures[f"{name}: covering {metrics.covering(truth, labels):.2f}"] = metrics.relabel(truth, labels)
plots.panels(pictures)
plt.show()

# %% [markdown]
# Look: the responsibilities of each component as a gray image, white for 1. Gray pixels are those in doubt.

# %%
x = small.reshape(-1, 3) / 255
weights, means, covs, _ = fit(x, 3, np.random.default_rng(0))
resp, _ = e_step(x, weights, means, covs)
plots.panels({f"component {j}": resp[:, j].reshape(h, w) for j in range(3)})
plt.show()

# %%
check("gmm.segment")

# %% [markdown]
# ## Done?
#
# Run all cells from the top once more (*Kernel → Restart & Run All*), save, and submit. Then read on: a mixture knows
# colors, but not which pixels are neighbors. The next chapters ask what belongs together *in the image*.
