"""Attacks on the autograder, each of which must fail: see `harness` for what counts as success."""
