"""The same key gives the same trajectory on one device and on two."""

import os
import subprocess
import sys

SCRIPT = """
import jax
import prosumax

env = prosumax.make("marlem-battery-strategic")

def episode(key):
    def advance(state, key):
        ts = env.step(key, state, env.sample_action(key))
        return ts.state, (ts.obs, ts.reward, ts.info["record"].bill.total)
    return jax.lax.scan(advance, env.reset(key)[1], jax.random.split(key, 6))[1]

keys = jax.random.split(jax.random.key(0), 4)
mesh, part = jax.make_mesh((2,), ("batch",)), jax.sharding.PartitionSpec("batch")
for mapped in (jax.vmap(episode), prosumax.vmap(episode)):
    one = jax.jit(mapped)(keys)
    two = jax.jit(jax.shard_map(mapped, mesh=mesh, in_specs=part, out_specs=part, check_vma=False))(
        jax.device_put(keys, jax.sharding.NamedSharding(mesh, part))
    )
    assert len(jax.tree.leaves(two)[0].devices()) == 2
    # Programs for batches of two and of four may round differently in the last digit.
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(abs(a - b).max() <= 1e-5 * (1 + abs(b).max())), one, two))
print("same")
"""


def test_one_device_or_two():
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | {"XLA_FLAGS": flags}, capture_output=True
    )
    assert done.stdout.strip() == b"same", done.stderr.decode()[-2000:]
