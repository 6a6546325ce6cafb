"""A community as an environment: random bids on a hundred communities at once in JAX, then one day through PettingZoo.

Run: `python examples/environment.py` (the second part needs `pip install 'prosumax[rl]'`)
"""

import importlib.util

import jax

import prosumax
from prosumax.rl import wrappers

env = prosumax.make("street", {"environment.control": "bid", "environment.observations": "marlem"})


def day(key):
    """One episode of random bids; the return of every home."""
    keys = jax.random.split(key, env.config.steps + 1)

    def act(state, key):
        choose, move = jax.random.split(key)
        ts = env.step(move, state, env.sample_action(choose))
        return ts.state, ts.reward

    _, state = env.reset(keys[0])
    return jax.lax.scan(act, state, keys[1:])[1].sum(0)


def through_pettingzoo():
    """The same with NumPy and dictionaries, home by home."""
    face = wrappers.to_pettingzoo(env)
    face.reset(seed=0)
    total = dict.fromkeys(face.agents, 0.0)
    for agent in face.agents:
        face.action_space(agent).seed(0)
    while face.agents:
        actions = {agent: face.action_space(agent).sample() for agent in face.agents}
        _, rewards, _, _, _ = face.step(actions)
        total = {agent: total[agent] + rewards[agent] for agent in total}
    return total


if __name__ == "__main__":
    returns = jax.jit(jax.vmap(day))(jax.random.split(jax.random.key(0), 100))
    print("EUR a day with random bids, mean and spread over 100 communities:")
    for home, mean, spread in zip(env.agents, returns.mean(0), returns.std(0), strict=True):
        print(f"  {home:<12}{mean:8.2f} +- {spread:.2f}")
    if importlib.util.find_spec("pettingzoo"):
        print(
            "One day through PettingZoo:",
            {home: round(value, 2) for home, value in through_pettingzoo().items()},
        )
