"""From who does what in a community to a game: teams of learners, and homes that follow rules."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prosumax.errors import InputError, did_you_mean
from prosumax.rl.algorithms.registry import choose
from prosumax.rl.components.spaces import PRICES, space_of, widest_of
from prosumax.rl.engine.agent_groups import PARADIGMS, Team, groups_of, spec_of
from prosumax.rl.engine.rollout import Game, Script, game


class Part(NamedTuple):
    """Homes, or price agents, that learn alike.

    Attributes:
        name: for figures and files.
        homes: their numbers; those of price agents follow on those of homes.
        algorithm, paradigm: by name.
        settings: of the algorithm.
    """

    name: str
    homes: tuple[int, ...]
    algorithm: str
    paradigm: str = "dtde"
    settings: Mapping[str, Any] = {}


def make_team(env: Any, part: Part) -> Team:
    """A team for a part of a population.

    Raises:
        InputError: no such algorithm, paradigm or setting.
    """
    if part.paradigm not in PARADIGMS:
        raise InputError(
            f"{part.name}: paradigm",
            f"there is no {part.paradigm!r}",
            did_you_mean(part.paradigm, PARADIGMS),
        )
    paradigm = PARADIGMS[part.paradigm]
    chosen = choose(part.algorithm, part.settings, part.name)
    prices = part.homes[-1] >= env.num_homes
    if prices and part.homes[0] < env.num_homes:
        raise InputError(
            part.name,
            "has both homes and price agents, who decide different things",
            "Make it two.",
        )
    if not prices and chosen.ordered and env.config.levels is None:
        raise InputError(
            f"{part.name}: ordered",
            "is for levels of power",
            "Set environment.levels, or leave it out.",
        )
    members, valid = groups_of(part.homes, paradigm)
    home = len(env.observation_names)
    other = len(env.price_observation_names) if env.config.price_agents else 0
    space, features = (PRICES, other) if prices else (space_of(env), home)
    shown, widest = (chosen.bins, chosen.ordered and not prices), (max(home, other), widest_of(env))
    spec = spec_of(space, features, env.num_agents, part.homes, paradigm, *shown, widest)
    return Team(
        part.name,
        part.homes,
        members,
        valid,
        paradigm,
        spec,
        chosen.build(spec),
        chosen.hp,
        features,
    )


def make_game(env: Any, parts: Sequence[Part], scripts: Sequence[Script] = ()) -> Game:
    """A game of learners and rules; together they play for every home once."""
    return game(env, [make_team(env, part) for part in parts], scripts)


def everyone(
    env: Any, algorithm: str, paradigm: str = "dtde", settings: Mapping[str, Any] | None = None
) -> Game:
    """All homes learn by one algorithm in one paradigm, and all price agents too, where there are any."""
    own = (algorithm, paradigm, settings or {})
    parts = [Part(algorithm, tuple(range(env.num_homes)), *own)]
    if env.num_agents > env.num_homes:
        parts.append(Part(f"{algorithm} prices", tuple(range(env.num_homes, env.num_agents)), *own))
    return make_game(env, parts)
