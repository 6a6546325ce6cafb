"""Networks: layers, and for those who must remember a gated recurrent unit (Cho et al. 2014) between them.

A network takes any leading axes and carries a memory, of width 0 where it does not remember, so that both kinds are
used alike.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray


class Network(eqx.Module):
    """Layers with tanh or ReLU between them, the last one linear.

    Attributes:
        layers: of weights [input, output] and biases.
        cell: the recurrent unit before the last layer.
        activation: `tanh` or `relu`.
    """

    layers: tuple[tuple[Float[Array, "input output"], Float[Array, " output"]], ...]
    cell: eqx.nn.GRUCell | None
    activation: str = eqx.field(static=True)

    @property
    def memory_size(self) -> int:
        """Width of the memory."""
        return 0 if self.cell is None else self.cell.hidden_size

    def __call__(
        self, x: Float[Array, "*batch input"], memory: Float[Array, "*batch memory"]
    ) -> tuple[Float[Array, "*batch output"], Float[Array, "*batch memory"]]:
        """One step: outputs, and the memory after it."""
        lead = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])
        for weight, bias in self.layers[:-1]:
            x = getattr(jax.nn, self.activation)(x @ weight + bias)
        if self.cell is not None:
            x = jax.vmap(self.cell)(x, memory.reshape(-1, memory.shape[-1]))
            memory = x.reshape(*lead, -1)
        weight, bias = self.layers[-1]
        return (x @ weight + bias).reshape(*lead, -1), memory

    def over_time(
        self,
        x: Float[Array, "time *batch input"],
        begins: Bool[Array, "time *batch"],
        memory: Float[Array, "*batch memory"],
    ) -> tuple[Float[Array, "time *batch output"], Float[Array, "time *batch memory"]]:
        """A sequence of steps, the memory wiped where an episode begins; memories are those after each step."""
        if self.cell is None:
            return self(x, jnp.zeros((*x.shape[:-1], 0)))

        def advance(memory: Array, step: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
            seen, begin = step
            out, memory = self(seen, jnp.where(begin[..., None], 0.0, memory))
            return memory, (out, memory)

        return jax.lax.scan(advance, memory, (x, begins))[1]


def network(
    key: PRNGKeyArray,
    inputs: int,
    outputs: int,
    hidden: Sequence[int],
    *,
    last: float,
    activation: str = "tanh",
    recurrent: bool = False,
) -> Network:
    """A network with biases of zero and normal weights, their variance the gain squared over the inputs.

    He et al. 2015. Not orthogonal ones: a batch of QR decompositions hangs in XLA on CPUs with few cores.

    Arguments:
        key: of the weights.
        inputs, outputs: sizes.
        hidden: sizes between them; the last is that of the memory as well.
        last: gain of the last layer; small ones begin with an even policy (Andrychowicz et al. 2021).
        activation: between layers.
        recurrent: whether there is a recurrent unit before the last layer.
    """
    keys, sizes = jax.random.split(key, len(hidden) + 2), (inputs, *hidden, outputs)
    gains = [2.0**0.5] * len(hidden) + [last]
    layers = tuple(
        (gain / before**0.5 * jax.random.normal(own, (before, after)), jnp.zeros(after))
        for own, before, after, gain in zip(keys, sizes, sizes[1:], gains, strict=False)
    )
    cell = eqx.nn.GRUCell(sizes[-2], sizes[-2], key=keys[-1]) if recurrent else None
    return Network(layers, cell, activation)
