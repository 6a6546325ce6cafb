"""A key gives the same trajectory on one device and on two."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import jax

import prosumax

env = prosumax.make("marlem-battery-strategic")

def episode(key):
    def advance(state, key):
        timestep = env.step(key, state, env.action_space.sample(key))
        bill = timestep.info["record"].bill.total
        return timestep.state, (timestep.obs, timestep.reward, bill)
    return jax.lax.scan(advance, env.reset(key)[1], jax.random.split(key, 6))[1]

def is_close(a, b):
    # Programs for batches of two and of four may round differently in the last digit.
    return bool(abs(a - b).max() <= 1e-5 * (1 + abs(b).max()))

keys = jax.random.split(jax.random.key(0), 4)
mesh = jax.make_mesh((2,), ("batch",))
spec = jax.sharding.PartitionSpec("batch")
for mapped in (jax.vmap(episode), prosumax.vmap(episode)):
    sharded = jax.shard_map(mapped, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    one = jax.jit(mapped)(keys)
    two = jax.jit(sharded)(jax.device_put(keys, jax.sharding.NamedSharding(mesh, spec)))
    assert len(jax.tree.leaves(two)[0].devices()) == 2
    assert jax.tree.all(jax.tree.map(is_close, one, two))
print("same")
"""


@pytest.mark.slow
def test_trajectory_does_not_depend_on_the_number_of_devices():
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | {"XLA_FLAGS": flags}, capture_output=True
    )
    assert result.stdout.strip() == b"same", result.stderr.decode()[-2000:]
