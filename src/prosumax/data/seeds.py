"""Seeds derived from the seed of a scenario."""

import numpy as np


def derive_seed(*entropy: int) -> int:
    """Derive an independent seed, such as one per home and purpose.

    Args:
        entropy: Seed of the scenario, followed by the numbers that identify the home and the
            purpose.

    Returns:
        A seed that does not change when homes or purposes are added.
    """
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
