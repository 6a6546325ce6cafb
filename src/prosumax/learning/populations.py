"""From who does what in a community to a game: teams of learners, and homes that follow rules."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prosumax.errors import InputError, did_you_mean
from prosumax.learning.algorithms import choose
from prosumax.learning.rollout import Game, Script, game
from prosumax.learning.spaces import space_of
from prosumax.learning.teams import PARADIGMS, Team, groups_of, spec_of


class Part(NamedTuple):
    """Homes that learn alike.

    Attributes:
        name: for figures and files.
        homes: their numbers.
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
            f"{part.name}: paradigm", f"there is no {part.paradigm!r}", did_you_mean(part.paradigm, PARADIGMS)
        )
    paradigm = PARADIGMS[part.paradigm]
    chosen = choose(part.algorithm, part.settings, part.name)
    members, valid = groups_of(part.homes, paradigm)
    features = len(env.observation_names)
    spec = spec_of(space_of(env), features, env.num_agents, part.homes, paradigm, chosen.bins)
    return Team(part.name, part.homes, members, valid, paradigm, spec, chosen.build(spec), chosen.hp)


def make_game(env: Any, parts: Sequence[Part], scripts: Sequence[Script] = ()) -> Game:
    """A game of learners and rules; together they play for every home once."""
    return game(env, [make_team(env, part) for part in parts], scripts)


def everyone(env: Any, algorithm: str, paradigm: str = "dtde", settings: Mapping[str, Any] | None = None) -> Game:
    """All homes learn by one algorithm in one paradigm."""
    return make_game(env, [Part(algorithm, tuple(range(env.num_agents)), algorithm, paradigm, settings or {})])
