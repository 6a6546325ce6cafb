"""Policy that runs pool pumps around noon, when the community has most PV generation."""

import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from prosumax.control import ControlContext, policies, truthful_dispatch
from prosumax.devices.home import devices_net_kwh, step_devices
from prosumax.types import Dispatch
from prosumax_example.pool_pump import PoolPump

_FIRST_HOUR = 11
_LAST_HOUR = 15


@policies.register(
    "midday-pool", "Pool pumps run from 11 to 16 h; the battery balances the meter of the home."
)
def run_at_midday(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Request full power of the pumps around noon, and the battery power that balances the meter.

    The pumps' safeguard runs what is left of the day's filtering before midnight. Other devices
    follow their default control.

    Args:
        context: Information available in the step.
        key: Not used.
    """
    homes = context.params
    is_midday = (context.hour >= _FIRST_HOUR) & (context.hour <= _LAST_HOUR)
    requests = {}
    if PoolPump.kind in homes.devices:
        power_kw = homes.devices[PoolPump.kind].power_kw
        requests[PoolPump.kind] = jnp.where(is_midday, power_kw, 0.0)[:, None]
    # The load of the context includes the devices under their default control.
    net_load_kwh = context.load_kwh - context.default_devices_kwh - context.solar_kwh
    _, flows, _ = step_devices(
        homes, context.state, context.device_inputs, requests, net_load_kwh, context.step_hours
    )
    net_kwh = net_load_kwh + devices_net_kwh(flows)
    return truthful_dispatch(-net_kwh / context.step_hours, requests)
