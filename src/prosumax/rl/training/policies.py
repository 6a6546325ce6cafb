"""What a training run left behind, put to use: on other homes, days or rules, or one home's policy by itself."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import algorithms, choose
from prosumax.rl.components.distributions import roll
from prosumax.rl.components.spaces import Action, Mask, Space, executed
from prosumax.rl.components.types import Spec
from prosumax.rl.engine.agent_groups import Team
from prosumax.rl.engine.checkpoints import load_tree, save_tree
from prosumax.rl.env import CommunityEnv
from prosumax.rl.training.comparison import judge
from prosumax.rl.training.setup import Stage, read_learners, read_plan, stage_of
from prosumax.scenario.loading import ScenarioLike, load_scenario
from prosumax.scenario.schema.community import Scenario


class Evaluation(NamedTuple):
    """What trained learners did elsewhere.

    Attributes:
        scenario: its name.
        episodes: how many were played.
        players: player -> figure -> values [seed]; `learned` and the rules beside it, and the optimum.
    """

    scenario: str
    episodes: int
    players: Mapping[str, Mapping[str, NDArray[np.float64]]]


def evaluate(
    folder: Path | str,
    scenario: ScenarioLike | None = None,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    data_dir: str | Path | None = None,
) -> Evaluation:
    """Let the learners of a run play on other homes, days or mechanisms; nothing is learned.

    The environment (what agents see and do, and the scales of it) is the run's own. Learners with shared parameters
    play for any homes; others for homes of the same name.

    Arguments:
        folder: of the run.
        scenario: whose homes, period and rules; the run's own, on its test days, when absent.
        overrides: changes to it, as in `prosumax.run`.
        data_dir: folder with data sets.

    Raises:
        InputError: there is no finished run, or what was learned does not fit these homes.
    """
    folder = Path(folder)
    trained = stage_of(read_plan(folder), data_dir)
    own = dict(overrides) if isinstance(overrides, Mapping) else list(overrides)
    if scenario is None and not own:
        return Evaluation(
            trained.scenario.name,
            len(trained.days.test),
            judge(trained, read_learners(folder, trained)),
        )
    other = load_scenario(trained.scenario if scenario is None else scenario, own)
    there, moved = elsewhere(trained, read_learners(folder, trained), other, data_dir)
    return Evaluation(there.scenario.name, len(there.days.test), judge(there, moved))


def elsewhere(
    trained: Stage,
    learners: tuple[Any, ...],
    other: Scenario,
    data_dir: str | Path | None = None,
    *,
    episode_steps: int | None = None,
) -> tuple[Stage, tuple[Any, ...]]:
    """Another scenario with the environment that learners know, and the learners in the order of its homes.

    Its test days are episodes spread over its period; `judge_learned` plays them.

    Arguments:
        trained: where they learned.
        learners: of every team [seed, group, ..].
        other: the scenario.
        data_dir: folder with data sets.
        episode_steps: length of the episodes; as in training when absent.

    Raises:
        InputError: they do not fit its homes.
    """
    content = trained.scenario.model_dump(mode="json")
    kept = {"environment": content["environment"], "population": content["population"]}
    kept["environment"] |= {} if episode_steps is None else {"episode_steps": episode_steps}
    plan = replace(trained.plan, scenario=other.model_dump(mode="json") | kept)
    stage = stage_of(plan, data_dir)
    steps, length = stage.env.config.steps, int(stage.env.params.community.series.hour.shape[0])
    every = max(stage.env.config.start_every, steps)
    firsts = np.arange(0, length - steps + 1, every)
    spread = firsts[np.unique(np.linspace(0, len(firsts) - 1, 64).round().astype(int))]
    # Numbers must mean what they meant in training, whatever the greatest order of these homes is.
    scales = trained.env.params.scales._replace(capacity_kwh=stage.env.params.scales.capacity_kwh)
    env = CommunityEnv(stage.env.config, stage.env.params._replace(scales=scales))
    stage = replace(
        stage, env=env, game=stage.game._replace(env=env), days=stage.days._replace(test=spread)
    )
    return stage, _moved(trained, stage, learners)


def _moved(trained: Stage, stage: Stage, learners: tuple[Any, ...]) -> tuple[Any, ...]:
    """Every team's learners in the order of the other scenario's groups."""
    moved = []
    for old, new, states in zip(trained.game.teams, stage.game.teams, learners, strict=True):
        _check_fits(old, new)
        if old.paradigm.shared or old.paradigm.joint:
            moved.append(states)
            continue
        names = [trained.env.agents[home] for home in old.homes]
        wanted = [stage.env.agents[home] for home in new.homes]
        for name in wanted:
            if name not in names:
                cure = "Train with a paradigm that shares parameters, such as dtde-shared."
                raise InputError(
                    f"{old.name}: home {name!r}", "has no policy of its own in this run", cure
                )
        at = jnp.array([names.index(name) for name in wanted])
        moved.append(jax.tree.map(lambda leaf, at=at: leaf[:, at], states))
    return tuple(moved)


def _check_fits(old: Team, new: Team) -> None:
    if old.spec.obs != new.spec.obs:
        what = f"see {new.spec.obs} numbers, and the learners were trained on {old.spec.obs}"
        raise InputError(
            f"{old.name}: agents",
            what,
            "A joint agent plays only for as many homes as it was trained on.",
        )
    if old.spec.space != new.spec.space:
        what = "have other choices than in training: a bid names its partner among all homes"
        raise InputError(
            f"{old.name}: agents", what, "Evaluate with as many homes as were trained."
        )


@dataclass(frozen=True)
class HomePolicy:
    """One home's trained policy by itself: no scenario, no other home, no critic.

    Attributes:
        algorithm: its name.
        spec: sizes.
        observation_names: of what it sees, in order.
        control: `bid`, `levels` or `power`: what its action means.
        hp: hyper-parameters.
        state: what it acts with, of one group.
        settings: of the algorithm.
    """

    algorithm: str
    spec: Spec
    observation_names: tuple[str, ...]
    control: str
    hp: Mapping[str, float]
    state: Any
    settings: Mapping[str, Any]

    def start(self) -> Float[Array, "1 1 memory"]:
        """The memory at the beginning of an episode."""
        return jnp.zeros((1, 1, self._learner.memory_size))

    def act(
        self,
        obs: Float[Array, " feature"],
        memory: Array,
        mask: Mask | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Action, Array]:
        """What the home does.

        Arguments:
            obs: what it sees, as `observation_names` says.
            memory: from `start` or the step before.
            mask: what makes sense; everything when absent.
            key: draws from the policy; the likeliest action when absent.

        Returns:
            The action: numbers between -1 and 1 (power; or price and quantity of a bid, -1 the lowest), and choices
            (level; or side and partner). And the memory after it.
        """
        space = self.spec.space
        free = Mask(jnp.ones(space.numbers, bool), jnp.ones((space.choices, space.options), bool))
        asked = jax.tree.map(lambda leaf: leaf[None, None], free if mask is None else mask)
        dice = None if key is None else roll(self.spec.space, key, (1, 1))
        hp = choose(self.algorithm, {}).hp._replace(**self.hp)
        done = self._learner.act(self.state, obs[None, None], asked, memory, hp, dice)
        action = executed(done.action, self.spec.home_space, self.spec.bins, self.spec.ordered)
        return jax.tree.map(lambda leaf: leaf[0, 0], action), done.memory

    @property
    def _learner(self) -> Any:
        return choose(self.algorithm, self.settings).build(self.spec)


def export_policy(folder: Path | str, home: str, out: Path | str, *, seed: int = 0) -> Path:
    """Write one home's best policy as `out` (JSON) and an npz file beside it.

    Arguments:
        folder: of the run.
        home: its name.
        out: the JSON file.
        seed: which of the run's seeds, from 0.

    Raises:
        InputError: there is no such home, it did not learn, or its agent decides for others too.
    """
    folder, out = Path(folder), Path(out)
    stage = stage_of(read_plan(folder))
    if home not in stage.env.agents:
        raise InputError(
            "home", f"there is no {home!r}", f"Name one of: {', '.join(stage.env.agents)}."
        )
    if not 0 <= seed < stage.plan.seeds:
        raise InputError("--seed", f"is {seed}", f"The run has seeds 0 to {stage.plan.seeds - 1}.")
    number = stage.env.agents.index(home)
    learners = read_learners(folder, stage)
    entries = [entry for entry in stage.scenario.population if entry.policy in algorithms]
    for team, states, entry in zip(stage.game.teams, learners, entries, strict=True):
        if number not in team.homes:
            continue
        if team.paradigm.joint:
            raise InputError(
                f"home {home!r}",
                "is one of several that a joint agent decides for",
                "It has no policy.",
            )
        group = 0 if team.paradigm.shared else team.homes.index(number)
        state = team.learner.slim(jax.tree.map(lambda leaf, group=group: leaf[seed, group], states))
        config = stage.env.config
        said = {
            "algorithm": entry.policy,
            "settings": dict(entry.settings),
            "spec": list(team.spec._replace(space=None, home_space=None)),  # type: ignore[arg-type]
            "space": list(team.spec.space),
            "home_space": list(team.spec.home_space),
            "observation_names": stage.env.observation_names,
            "control": "bid"
            if config.control == "bid"
            else "power"
            if config.levels is None
            else "levels",
            "hp": {name: float(value) for name, value in team.hp._asdict().items()},
            "home": home,
            "version": stage.plan.version,
        }
        save_tree(out.with_suffix(".npz"), state)
        out.write_text(json.dumps(said, indent=1), encoding="utf-8")
        return out
    raise InputError(f"home {home!r}", "follows a rule in this run", "Name a home that learns.")


def load_policy(path: Path | str) -> HomePolicy:
    """Read what `export_policy` wrote.

    Raises:
        InputError: it is not there, or not whole.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            str(path), "does not exist", "Name a policy that `prosumax export-policy` wrote."
        )
    said = json.loads(path.read_text(encoding="utf-8"))
    spec = Spec(*said["spec"])._replace(
        space=Space(*said["space"]), home_space=Space(*said["home_space"])
    )
    chosen = choose(said["algorithm"], said["settings"])
    learner = chosen.build(spec)
    like = jax.eval_shape(lambda: learner.slim(learner.init(jax.random.key(0), chosen.hp)))
    state = load_tree(path.with_suffix(".npz"), like)
    names = tuple(said["observation_names"])
    return HomePolicy(
        said["algorithm"], spec, names, said["control"], said["hp"], state, said["settings"]
    )
