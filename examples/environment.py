"""Random bids in a community: 100 episodes at once in JAX, and one episode through PettingZoo.

Run: `python examples/environment.py` (the second part requires `pip install 'prosumax[rl]'`)
"""

import importlib.util

import jax

import prosumax
from prosumax.rl import wrappers

SETTINGS = {"environment.action_mode": "bid", "environment.observations": "marlem"}
env = prosumax.make("street", SETTINGS)


def rollout(key):
    """Return of every home in an episode of random bids."""
    keys = jax.random.split(key, env.config.episode_steps + 1)

    def advance(state, key):
        action_key, step_key = jax.random.split(key)
        timestep = env.step(step_key, state, env.action_space.sample(action_key))
        return timestep.state, timestep.reward

    _, state = env.reset(keys[0])
    return jax.lax.scan(advance, state, keys[1:])[1].sum(0)


def rollout_pettingzoo():
    """Return of every home in an episode with NumPy arrays in dictionaries."""
    parallel_env = wrappers.to_pettingzoo(env)
    parallel_env.reset(seed=0)
    returns = dict.fromkeys(parallel_env.agents, 0.0)
    for agent in parallel_env.agents:
        parallel_env.action_space(agent).seed(0)
    while parallel_env.agents:
        actions = {
            agent: parallel_env.action_space(agent).sample() for agent in parallel_env.agents
        }
        _, rewards, _, _, _ = parallel_env.step(actions)
        returns = {agent: returns[agent] + rewards[agent] for agent in returns}
    return returns


if __name__ == "__main__":
    returns = jax.jit(jax.vmap(rollout))(jax.random.split(jax.random.key(0), 100))
    print("EUR per day with random bids, mean and standard deviation over 100 communities:")
    for home, mean, std in zip(env.agents, returns.mean(0), returns.std(0), strict=True):
        print(f"  {home:<12}{mean:8.2f} +- {std:.2f}")
    if importlib.util.find_spec("pettingzoo"):
        returns = {home: round(value, 2) for home, value in rollout_pettingzoo().items()}
        print("One day through PettingZoo:", returns)
