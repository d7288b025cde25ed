"""The hyperparameters that a search may vary, their values and their conditions."""

from search.space.space import SearchSpace as SearchSpace
from search.space.space import Value as Value
