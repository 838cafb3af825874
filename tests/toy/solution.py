# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Toy

# %%
import numpy as np

from autograder import check

FACTOR = 2


# %% tags=["exercise"] grade_id="toy.double"
def double(x):
    """Twice x."""
    # BEGIN SOLUTION
    return FACTOR * np.asarray(x)
    # END SOLUTION


# %%
double(np.arange(3))  # expect: array([0, 2, 4])

# %%
check("toy.double")


# %% tags=["exercise"] grade_id="toy.total"
def total(x, rng):
    """Sum of the doubled values plus noise."""
    # BEGIN SOLUTION
    doubled_values = double(x)
    return doubled_values.sum() + rng.random()
    # END SOLUTION


# %% [markdown] tags=["solution"]
# The noise keeps hard-coded answers out.

# %% tags=["solution"]
plot_that_fails_when_graded = double(None)
