"""Regions of a label map that are merged: which of them touch, and where each ends up. Private."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def touching(place: NDArray[np.integer]) -> NDArray[np.intp]:
    """Pairs of regions that share an edge of a pixel: (h, w) -> (p, 2), the smaller number first."""
    across = np.stack([place[:, :-1].ravel(), place[:, 1:].ravel()], axis=1)
    down = np.stack([place[:-1].ravel(), place[1:].ravel()], axis=1)
    pairs = np.sort(np.concatenate([across, down]), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def neighbors_of(pairs: NDArray[np.intp], n: int) -> list[set[int]]:
    """For each of n regions those that it touches."""
    neighbors: list[set[int]] = [set() for _ in range(n)]
    for a, b in pairs.tolist():
        neighbors[a].add(b)
        neighbors[b].add(a)
    return neighbors


def roots(parent: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each region ends up, if each has gone into its parent, and a root is its own."""
    while (parent != parent[parent]).any():
        parent = parent[parent]
    return parent
