"""Multilayer perceptrons, optionally with a gated recurrent unit before the output layer."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray


class MLP(eqx.Module):
    """A multilayer perceptron with a linear output layer and an optional recurrent unit.

    It accepts any leading axes and always takes and returns a hidden state, of width 0 without a
    recurrent unit, so that feedforward and recurrent networks are called alike.

    Attributes:
        layers: Weights and biases of each layer.
        cell: Gated recurrent unit before the output layer; None for a feedforward network.
        activation: Activation function of the hidden layers, `tanh` or `relu`.
    """

    layers: tuple[tuple[Float[Array, "input output"], Float[Array, " output"]], ...]
    cell: eqx.nn.GRUCell | None
    activation: str = eqx.field(static=True)

    @property
    def hidden_state_size(self) -> int:
        """Width of the hidden state."""
        return 0 if self.cell is None else self.cell.hidden_size

    def __call__(
        self, x: Float[Array, "*batch input"], hidden_state: Float[Array, "*batch hidden"]
    ) -> tuple[Float[Array, "*batch output"], Float[Array, "*batch hidden"]]:
        """Apply the network to one step.

        Args:
            x: Inputs.
            hidden_state: Hidden state before the step.

        Returns:
            The outputs, and the hidden state after the step.
        """
        leading = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])
        for weight, bias in self.layers[:-1]:
            x = getattr(jax.nn, self.activation)(x @ weight + bias)
        if self.cell is not None:
            x = jax.vmap(self.cell)(x, hidden_state.reshape(-1, hidden_state.shape[-1]))
            hidden_state = x.reshape(*leading, -1)
        weight, bias = self.layers[-1]
        return (x @ weight + bias).reshape(*leading, -1), hidden_state

    def feedforward(self, x: Float[Array, "*batch input"]) -> Float[Array, "*batch output"]:
        """Apply a network that has no recurrent unit."""
        return self(x, jnp.zeros((*x.shape[:-1], 0)))[0]

    def unroll(
        self,
        x: Float[Array, "time *batch input"],
        is_first: Bool[Array, "time *batch"],
        hidden_state: Float[Array, "*batch hidden"],
    ) -> tuple[Float[Array, "time *batch output"], Float[Array, "time *batch hidden"]]:
        """Apply the network to a sequence, resetting the hidden state where an episode starts.

        Args:
            x: Inputs of each step.
            is_first: Whether an episode starts before the step.
            hidden_state: Hidden state before the first step.

        Returns:
            The outputs of each step, and the hidden state after each step.
        """
        if self.cell is None:
            return self(x, jnp.zeros((*x.shape[:-1], 0)))

        def step(
            hidden_state: Array, inputs: tuple[Array, Array]
        ) -> tuple[Array, tuple[Array, Array]]:
            x, is_first = inputs
            out, hidden_state = self(x, jnp.where(is_first[..., None], 0.0, hidden_state))
            return hidden_state, (out, hidden_state)

        return jax.lax.scan(step, hidden_state, (x, is_first))[1]


def make_mlp(
    key: PRNGKeyArray,
    in_size: int,
    out_size: int,
    hidden_sizes: Sequence[int],
    *,
    output_gain: float,
    activation: str = "tanh",
    recurrent: bool = False,
) -> MLP:
    """Initialize a network with zero biases and normal weights of variance gain^2 / inputs.

    Weights are not orthogonal, because a batch of QR decompositions hangs in XLA on CPUs with few
    cores.

    Args:
        key: Random key of the weights.
        in_size: Number of inputs.
        out_size: Number of outputs.
        hidden_sizes: Sizes of the hidden layers; the last one is also that of the hidden state.
        output_gain: Gain of the output layer; a small one makes the initial policy uniform.
        activation: Activation function of the hidden layers, `tanh` or `relu`.
        recurrent: Whether a gated recurrent unit precedes the output layer.

    References:
        He et al. (2015), Delving deep into rectifiers, for the gain of hidden layers.
        Andrychowicz et al. (2021), What matters in on-policy reinforcement learning, for the small
        gain of the output layer.
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, for the unit.
    """
    keys = jax.random.split(key, len(hidden_sizes) + 2)
    sizes = (in_size, *hidden_sizes, out_size)
    gains = [2.0**0.5] * len(hidden_sizes) + [output_gain]
    layers = tuple(
        (gain / fan_in**0.5 * jax.random.normal(layer_key, (fan_in, fan_out)), jnp.zeros(fan_out))
        for layer_key, fan_in, fan_out, gain in zip(keys, sizes, sizes[1:], gains, strict=False)
    )
    cell = eqx.nn.GRUCell(sizes[-2], sizes[-2], key=keys[-1]) if recurrent else None
    return MLP(layers, cell, activation)
