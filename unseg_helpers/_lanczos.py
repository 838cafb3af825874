"""What makes `unseg_helpers.spectral` fast. Private: read `spectral.py` first.

The eigenvectors with the smallest mu of (D - W) v = mu D v are v = D^-1/2 u, where u are those with the largest
theta = 1 - mu of S = D^-1/2 W D^-1/2. Lanczos' iteration finds them from products S x alone. Why it is quick here:

1.  The first one is known: u_0 = D^1/2 1, theta = 1. All else is kept orthogonal to it, so only the others are looked
    for, and v^T D 1 = 0 holds to rounding.
2.  All vectors are kept (a Krylov space of some ten dimensions) and made orthogonal twice, instead of restarting from
    a few: a product with W reads 52 MB at 3,600 patches, so products are what costs.
3.  S is never made: S x = s * (W (s * x)) with s = D^-1/2. W stays in float32, which halves the bytes to read.
4.  It stops when the residual is small beside the gap to the next value. By Davis and Kahan [1]_ the ratio bounds the
    sine of the angle to the true vector. Where gaps are too small for float32, float64 is asked.

A Krylov space sees one vector of each eigenspace only. When more than one vector is wanted besides the known one, a
second run, orthogonal to what was found, looks whether another one like it was missed.

`largest_batch` does the same with PyTorch for several graphs at once.

Notation: n nodes, k wanted vectors besides the known one, m vectors of the Krylov space, b graphs.

References
----------
.. [1] C. Davis, W. M. Kahan, "The rotation of eigenvectors by a perturbation", SIAM Journal on Numerical Analysis 7,
   1970.
.. [2] B. N. Parlett, "The symmetric eigenvalue problem", SIAM 1998, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

SINE = 1e-3  # of the angle to the true vector, at most; the cosine is then above 1 - 5e-7
FLOOR = {"float32": 2e-7, "float64": 1e-12}  # what is asked of a residual at most: rounding
CLOSED = {"float32": 1e-6, "float64": 1e-13}  # a next vector shorter than this is nothing but rounding
CEILING = 1e-5  # a residual above this may hide a value that has not shown yet
SAFE_GAP = {"float32": 5e-5, "float64": -1.0}  # rounding turns vectors by about 1e-7 / gap in float32
MISSED = 1e-6  # two values closer than this are equal


def largest(
    multiply: Callable[[NDArray], NDArray],
    known: NDArray,
    k: int,
    *,
    seed: int = 0,
    max_steps: int | None = None,
) -> tuple[NDArray, NDArray, bool]:
    """The k largest eigenvalues of a symmetric matrix on the space orthogonal to known vectors.

    Parameters
    ----------
    multiply : function
        The product of the matrix with a vector (n,), in the type of ``known``.
    known : array of shape (c, n), float32 or float64
        Orthonormal eigenvectors to leave out.
    k : int
        At most n - c.
    seed : int
        Draws the first vector.

    Returns
    -------
    values : array of shape (k,), float64
        Falling.
    vectors : array of shape (k, n)
    trusted : bool
        Whether it converged and no gap, that to the value after the last one included, is too small for the type.
    """
    rng = np.random.default_rng(seed)
    n, dtype = known.shape[1], known.dtype
    max_steps = min(n - len(known), max_steps or max(200, 8 * k))
    values, vectors, following, converged = _run(multiply, known, k, rng, max_steps)
    if converged and k > 1 and len(known) + k < n:
        for _ in range(k):
            # quick look: a copy of a value shows sooner than the values below it
            steps = min(n - len(known) - k, max(8, k))
            more, more_vectors, _, _ = _run(multiply, np.vstack([known, vectors]), 1, rng, steps, stop=False)
            if more[0] <= values[-1] + MISSED:
                following = max(following, float(more[0]))
                break
            more, more_vectors, next_one, converged = _run(multiply, np.vstack([known, vectors]), 1, rng, max_steps)
            following = max(values[-1], next_one)
            values, vectors = np.append(values, more), np.vstack([vectors, more_vectors])
            order = np.argsort(-values, kind="stable")[:k]
            values, vectors = values[order], vectors[order]
    gaps = values - np.append(values[1:], following)
    return values, vectors, bool(converged and gaps.min() > SAFE_GAP[dtype.name])


def _run(multiply, known, k, rng, max_steps, *, stop=True):
    """Lanczos' iteration from a random vector: values (k,), vectors (k, n), the value after them, whether converged."""
    n, dtype = known.shape[1], known.dtype
    c, floor, closed = len(known), FLOOR[dtype.name], CLOSED[dtype.name]
    basis = np.empty((c + min(max_steps, 40) + 1, n), dtype)
    basis[:c] = known
    basis[c] = _fresh(basis[:c], rng)
    alpha, beta = np.empty(max_steps), np.empty(max_steps)  # diagonal and side diagonal
    converged, check = False, min(k + 3, max_steps)
    for m in range(1, max_steps + 1):
        x = basis[c + m - 1]
        y = multiply(x)
        alpha[m - 1] = x @ y
        done = basis[: c + m]
        for _ in range(2):  # once leaves what rounding let in
            y -= (done @ y) @ done
        beta[m - 1] = np.linalg.norm(y)
        if m >= check or m == max_steps:
            theta, weights = eigh_tridiagonal(alpha[:m], beta[: m - 1])
            theta, weights = theta[::-1], weights[:, ::-1]  # falling
            if stop:
                converged = _converged(theta, beta[m - 1] * np.abs(weights[-1]), k, floor) or m == n - c
            if converged or m == max_steps:
                break
            check = m + max(2, m // 8)
        if c + m + 1 > len(basis):
            basis = np.vstack([basis, np.empty((len(basis), n), dtype)])
        if beta[m - 1] < closed:  # the space is closed: the next vector has to come from outside of it
            beta[m - 1] = 0
            basis[c + m] = _fresh(basis[: c + m], rng)
        else:
            basis[c + m] = y / dtype.type(beta[m - 1])
    vectors = weights[:, :k].T.astype(dtype) @ basis[c : c + m]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    following = theta[k] if m > k else -1.0
    return theta[:k].astype(np.float64), vectors, float(following), converged


def _converged(theta: NDArray, residuals: NDArray, k: int, floor: float) -> bool:
    """Whether the first k vectors are at hand: each residual small beside the gaps to both neighbors."""
    if len(theta) < k:
        return False
    below = theta[:k] - np.append(theta[1:], -1.0)[:k] if len(theta) == k else theta[:k] - theta[1 : k + 1]
    gaps = np.minimum(below, np.append(np.inf, below[:-1]))
    return bool((residuals[:k] <= np.clip(SINE * gaps, floor, CEILING)).all())


def _fresh(basis: NDArray, rng: np.random.Generator) -> NDArray:
    """A random unit vector orthogonal to the rows of the basis."""
    for _ in range(5):
        x = rng.standard_normal(basis.shape[1]).astype(basis.dtype)
        for _ in range(3):
            x -= (basis @ x) @ basis
            x /= max(np.linalg.norm(x), np.finfo(x.dtype).tiny)
        if np.abs(basis @ x).max(initial=0) < 1e-3:
            break
    return x


# ---- several graphs at once, with PyTorch -----------------------------------------------------------------------


def largest_batch(W, scale, known, k: int, *, seed: int = 0, max_steps: int | None = None):
    """`largest` for b graphs of one size, on the device that their tensors are on.

    Parameters
    ----------
    W : tensor of shape (b, n, n)
    scale : tensor of shape (b, n)
        D^-1/2 of each graph.
    known : tensor of shape (b, n)
        The one known unit vector of each graph.
    k : int
        At most n - 1.

    Returns
    -------
    values (b, k), vectors (b, k, n) : tensors
    trusted : list of bool
        As in `largest`, and no equal values were seen. What is not trusted is best solved anew, one by one.
    """
    n = W.shape[1]
    max_steps = min(n - 1, max_steps or max(200, 8 * k))
    values, vectors, following, trusted = _run_batch(W, scale, known[:, None], k, seed, max_steps)
    if k > 1 and k + 1 < n:
        found = _cat(known[:, None], vectors)
        more = _run_batch(W, scale, found, 1, seed + 1, min(n - 1 - k, max(8, k)), stop=False)[0]
        trusted &= (more[:, 0] <= values[:, -1] + MISSED).cpu().numpy()
    gaps = (values - _cat(values[:, 1:], following[:, None])).amin(dim=1)
    safe = SAFE_GAP[str(W.dtype).removeprefix("torch.")]
    return values, vectors, [bool(t) for t in trusted & (gaps > safe).cpu().numpy()]


def _run_batch(W, scale, known, k, seed, max_steps, *, stop=True):
    """As `_run`; known is (b, c, n)."""
    import torch

    b, c, n = known.shape
    floor, closed = (bounds[str(W.dtype).removeprefix("torch.")] for bounds in (FLOOR, CLOSED))
    generator = torch.Generator().manual_seed(seed)

    noise = torch.randn(b, n, generator=generator, dtype=W.dtype).to(W.device)

    def fresh(x, basis):
        for _ in range(2):
            x = torch.nn.functional.normalize(_without(x, basis), dim=1)
        return x

    basis = torch.empty(b, c + max_steps + 1, n, dtype=W.dtype, device=W.device)
    basis[:, :c] = known
    basis[:, c] = fresh(noise, basis[:, :c])
    alphas, betas = [], []
    converged, check = np.zeros(b, bool), min(k + 3, max_steps)
    for m in range(1, max_steps + 1):
        x = basis[:, c + m - 1]
        y = scale * torch.bmm(W, (scale * x)[:, :, None])[:, :, 0]
        alphas.append((x * y).sum(dim=1))
        for _ in range(2):
            y = _without(y, basis[:, : c + m])
        beta = torch.linalg.vector_norm(y, dim=1)  # (b,)
        betas.append(torch.where(beta < closed, 0, beta))
        if m >= check or m == max_steps:
            a, s = torch.stack(alphas, dim=1).cpu().double(), torch.stack(betas, dim=1).cpu().double()
            T = torch.diag_embed(a) + torch.diag_embed(s[:, :-1], 1) + torch.diag_embed(s[:, :-1], -1)
            theta, weights = torch.linalg.eigh(T)  # tiny, so on the CPU
            theta, weights = theta.flip(1), weights.flip(2)  # (b, m), (b, m, m)
            residuals = (s[:, -1:] * weights[:, -1].abs()).numpy()
            if stop:
                converged = np.array(
                    [_converged(t, r, k, floor) or m == n - c for t, r in zip(theta.numpy(), residuals, strict=True)]
                )
            if converged.all() or m == max_steps:
                break
            check = m + max(2, m // 8)
        # Where the space is closed the next vector comes from outside of it. To ask always needs no wait for the GPU.
        y = torch.where(beta[:, None] < closed, noise.roll(m, dims=1), y / beta.clamp_min(closed)[:, None])
        basis[:, c + m] = fresh(y, basis[:, : c + m])
    vectors = torch.bmm(weights[:, :, :k].transpose(1, 2).to(W), basis[:, c : c + m])
    vectors = torch.nn.functional.normalize(vectors, dim=2)
    following = theta[:, k] if m > k else torch.full((b,), -1.0, dtype=torch.float64)
    return theta[:, :k].to(W), vectors, following.to(W), converged


def _without(x, basis):
    """(b, n) minus its part in the space of the rows of (b, m, n)."""
    import torch

    return x - torch.bmm(torch.bmm(basis, x[:, :, None]).transpose(1, 2), basis)[:, 0]


def _cat(one, other):
    import torch

    return torch.cat([one, other], dim=1)
