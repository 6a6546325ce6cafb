"""Action and observation spaces of the environment, without a dependency on any RL library.

`CommunityEnv.action_space` and `CommunityEnv.observation_space` describe the stacked arrays of all
agents; the wrappers convert the spaces of one home to those of their libraries.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree
from numpy.typing import NDArray


class Space(ABC):
    """Set of valid actions or observations."""

    @abstractmethod
    def sample(self, key: PRNGKeyArray) -> PyTree:
        """Draw a random element.

        Args:
            key: PRNG key.
        """

    @abstractmethod
    def contains(self, value: PyTree) -> Bool[Array, ""]:
        """Return True if a value belongs to the space.

        Args:
            value: Array, or tuple of arrays for a `Product`.
        """

    @abstractmethod
    def batch(self, size: int) -> "Space":
        """Build the space of stacked elements [size, ...].

        Args:
            size: Number of stacked elements, the new leading axis.
        """


@dataclass(frozen=True)
class Discrete(Space):
    """Integers from 0 to `n - 1`.

    Attributes:
        n: Number of elements.
    """

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an element."""
        return ()

    def sample(self, key: PRNGKeyArray) -> Int[Array, ""]:
        """Draw an integer uniformly.

        Args:
            key: PRNG key.
        """
        return jax.random.randint(key, (), 0, self.n)

    def contains(self, value: PyTree) -> Bool[Array, ""]:
        """Return True for a single integer in the range.

        Args:
            value: Value to test.
        """
        return MultiDiscrete(self.n, ()).contains(value)

    def batch(self, size: int) -> "MultiDiscrete":
        """Build the space of stacked elements [size].

        Args:
            size: Number of stacked elements.
        """
        return MultiDiscrete(self.n, (size,))


@dataclass(frozen=True)
class MultiDiscrete(Space):
    """Arrays of integers from 0 to `n - 1`.

    Attributes:
        n: Number of values of every entry.
        shape: Shape of an element.
    """

    n: int
    shape: tuple[int, ...]

    def sample(self, key: PRNGKeyArray) -> Int[Array, "..."]:
        """Draw every entry uniformly.

        Args:
            key: PRNG key.
        """
        return jax.random.randint(key, self.shape, 0, self.n)

    def contains(self, value: PyTree) -> Bool[Array, ""]:
        """Return True for an array of this shape with integers in the range.

        Args:
            value: Value to test.
        """
        array = jnp.asarray(value)
        if array.shape != self.shape or not jnp.issubdtype(array.dtype, jnp.integer):
            return jnp.asarray(False)
        return ((array >= 0) & (array < self.n)).all()

    def batch(self, size: int) -> "MultiDiscrete":
        """Build the space of stacked elements [size, ...].

        Args:
            size: Number of stacked elements.
        """
        return MultiDiscrete(self.n, (size, *self.shape))


@dataclass(frozen=True, eq=False)
class Box(Space):
    """Real arrays within bounds.

    Attributes:
        low: Lower bound of each entry; -inf for an unbounded one.
        high: Upper bound of each entry; inf for an unbounded one.
    """

    low: Float[NDArray[np.float64], "..."]
    high: Float[NDArray[np.float64], "..."]

    @classmethod
    def with_bounds(cls, low: float, high: float, shape: tuple[int, ...]) -> "Box":
        """Build a box with the same bounds for every entry.

        Args:
            low: Lower bound.
            high: Upper bound.
            shape: Shape of an element.
        """
        return cls(np.full(shape, low, np.float32), np.full(shape, high, np.float32))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an element."""
        return self.low.shape

    def sample(self, key: PRNGKeyArray) -> Float[Array, "..."]:
        """Draw every entry uniformly, or from a standard normal where it is not bounded.

        Args:
            key: PRNG key.
        """
        bounded = np.isfinite(self.low) & np.isfinite(self.high)
        low = np.where(bounded, self.low, 0.0).astype(np.float32)
        high = np.where(bounded, self.high, 1.0).astype(np.float32)
        uniform = jax.random.uniform(key, self.shape, minval=low, maxval=high)
        if bounded.all():
            return uniform
        normal = jax.random.normal(jax.random.fold_in(key, 1), self.shape)
        return jnp.where(bounded, uniform, jnp.clip(normal, self.low, self.high))

    def contains(self, value: PyTree) -> Bool[Array, ""]:
        """Return True for an array of this shape within the bounds.

        Args:
            value: Value to test.
        """
        array = jnp.asarray(value)
        if array.shape != self.shape:
            return jnp.asarray(False)
        return ((array >= self.low) & (array <= self.high)).all()

    def batch(self, size: int) -> "Box":
        """Build the space of stacked elements [size, ...].

        Args:
            size: Number of stacked elements.
        """
        shape = (size, *self.shape)
        return Box(np.broadcast_to(self.low, shape), np.broadcast_to(self.high, shape))


@dataclass(frozen=True)
class Product(Space):
    """Named tuples of elements of several spaces.

    Attributes:
        spaces: NamedTuple with the space of each field.
    """

    spaces: PyTree

    def sample(self, key: PRNGKeyArray) -> PyTree:
        """Draw every field independently.

        Args:
            key: PRNG key.
        """
        keys = jax.random.split(key, len(self.spaces))
        samples = [space.sample(own) for space, own in zip(self.spaces, keys, strict=True)]
        return type(self.spaces)(*samples)

    def contains(self, value: PyTree) -> Bool[Array, ""]:
        """Return True if every field belongs to its space.

        Args:
            value: Tuple to test.
        """
        results = [space.contains(part) for space, part in zip(self.spaces, value, strict=True)]
        return jnp.stack(results).all()

    def batch(self, size: int) -> "Product":
        """Build the space of named tuples of stacked elements.

        Args:
            size: Number of stacked elements.
        """
        return Product(type(self.spaces)(*(space.batch(size) for space in self.spaces)))
