"""Use of trained policies: evaluation on other scenarios, and export of one home's policy."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.rl.algorithms.base import Learner, tunable_names
from prosumax.rl.algorithms.registry import algorithms, configure_algorithm
from prosumax.rl.components.distributions import sample_noise
from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace, decode_action
from prosumax.rl.components.types import AgentSpec
from prosumax.rl.engine.agent_groups import AgentGroup
from prosumax.rl.engine.checkpoints import load_tree, save_tree
from prosumax.rl.engine.evaluation import evenly_spaced
from prosumax.rl.env import CommunityEnv, EnvConfig
from prosumax.rl.training.comparison import evaluate_all
from prosumax.rl.training.setup import (
    TrainingSetup,
    load_learners,
    load_training_config,
    make_training_setup,
)
from prosumax.scenario.loading import ScenarioLike, load_scenario
from prosumax.scenario.schema.community import Scenario

_MAX_EPISODES = 64


class EvaluationResult(NamedTuple):
    """Metrics of trained policies on a scenario.

    Attributes:
        scenario: Name of the scenario.
        episodes: Number of episodes.
        metrics: Values of each metric [seed] by policy: `learned`, rules, and the optimum.
    """

    scenario: str
    episodes: int
    metrics: Mapping[str, Mapping[str, NDArray[np.float64]]]


def evaluate(
    folder: Path | str,
    scenario: ScenarioLike | None = None,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    data_dir: str | Path | None = None,
) -> EvaluationResult:
    """Evaluate the policies of a run on other homes, days or mechanisms, without learning.

    The environment (observations, actions and their scales) is that of the run. Policies with
    shared parameters control any homes; others control homes of the same name.

    Args:
        folder: Folder of the run.
        scenario: Scenario; that of the run, on its test episodes, when absent.
        overrides: Changes to it, as in `prosumax.run`.
        data_dir: Folder of data sets.

    Raises:
        InputError: There is no finished run, or its policies do not suit these homes.
    """
    folder = Path(folder)
    trained = make_training_setup(load_training_config(folder), data_dir)
    learners = load_learners(folder, trained)
    changes = dict(overrides) if isinstance(overrides, Mapping) else list(overrides)
    setup = trained
    if scenario is not None or changes:
        other = load_scenario(trained.scenario if scenario is None else scenario, changes)
        setup, learners = transfer_learners(trained, learners, other, data_dir)
    metrics = evaluate_all(setup, learners)
    return EvaluationResult(setup.scenario.name, len(setup.episodes.test), metrics)


def transfer_learners(
    trained: TrainingSetup,
    learners: tuple[PyTree, ...],
    other: Scenario,
    data_dir: str | Path | None = None,
    *,
    episode_steps: int | None = None,
) -> tuple[TrainingSetup, tuple[PyTree, ...]]:
    """Set up another scenario with the environment of a run, and reorder the learners for it.

    Its test episodes are spread over its period; `evaluate_learned` plays them.

    Args:
        trained: Setup of the run.
        learners: State of every group's learner [seed, policy, ..].
        other: Scenario.
        data_dir: Folder of data sets.
        episode_steps: Number of steps of an episode; as in training when absent.

    Returns:
        The setup, and the learners in the order of its homes.

    Raises:
        InputError: The learners do not suit its homes.
    """
    content = trained.scenario.model_dump(mode="json")
    environment = content["environment"]
    if episode_steps is not None:
        environment["episode_steps"] = episode_steps
    scenario = other.model_dump(mode="json") | {
        "environment": environment,
        "population": content["population"],
    }
    setup = make_training_setup(replace(trained.config, scenario=scenario), data_dir)
    episode_steps = setup.env.config.episode_steps
    length = int(setup.env.params.community.series.hour.shape[0])
    stride = max(setup.env.config.start_interval, episode_steps)
    first_steps = np.arange(0, length - episode_steps + 1, stride)
    # Observations and actions keep the scales of training, whatever orders these homes may make.
    scales = trained.env.params.scales._replace(
        network_capacity_kwh=setup.env.params.scales.network_capacity_kwh
    )
    env = CommunityEnv(setup.env.config, setup.env.params._replace(scales=scales))
    setup = replace(
        setup,
        env=env,
        agents=setup.agents._replace(env=env),
        episodes=setup.episodes._replace(test=evenly_spaced(first_steps, _MAX_EPISODES)),
    )
    return setup, _reorder_learners(trained, setup, learners)


def _reorder_learners(
    trained: TrainingSetup, setup: TrainingSetup, learners: tuple[PyTree, ...]
) -> tuple[PyTree, ...]:
    """Return every group's learners in the order of the other setup's policies."""
    reordered = []
    for old, new, states in zip(trained.agents.groups, setup.agents.groups, learners, strict=True):
        _check_sizes(old, new)
        if old.paradigm.shared_parameters or old.paradigm.joint_agent:
            reordered.append(states)
            continue
        known = [trained.env.agents[agent] for agent in old.agent_indices]
        names = [setup.env.agents[agent] for agent in new.agent_indices]
        for name in names:
            if name not in known:
                raise InputError(
                    f"{old.name}: home {name!r}",
                    "the run has no policy for a home of this name",
                    "Train with a paradigm that shares parameters, such as dtde-shared.",
                )
        index = jnp.array([known.index(name) for name in names])
        reordered.append(jax.tree.map(lambda leaf, index=index: leaf[:, index], states))
    return tuple(reordered)


def _check_sizes(old: AgentGroup, new: AgentGroup) -> None:
    if old.spec.obs_size != new.spec.obs_size:
        raise InputError(
            f"{old.name}: agents",
            f"observations have {new.spec.obs_size} features, and the policies were trained on "
            f"{old.spec.obs_size}",
            "Evaluate a joint agent with as many homes as in training.",
        )
    if old.spec.action_space != new.spec.action_space:
        raise InputError(
            f"{old.name}: agents",
            "the action space differs from training, because bids select a partner among all homes",
            "Evaluate with as many homes as in training.",
        )


@dataclass(frozen=True)
class HomePolicy:
    """Trained policy of one home, without scenario, critic and other homes.

    Attributes:
        algorithm: Registered name of the algorithm.
        spec: Sizes of the agent.
        observation_names: Names of the features of its observation, in order.
        action_type: Meaning of its action: `bid`, `power_level` or `power`.
        config: Hyperparameters.
        state: State with which the policy acts.
        settings: Settings of the algorithm.
    """

    algorithm: str
    spec: AgentSpec
    observation_names: tuple[str, ...]
    action_type: str
    config: Mapping[str, float]
    state: PyTree
    settings: Mapping[str, object]

    def initial_state(self) -> Float[Array, "1 1 hidden"]:
        """Return the hidden state at the start of an episode."""
        return jnp.zeros((1, 1, self._learner.hidden_state_size))

    def act(
        self,
        obs: Float[Array, " feature"],
        hidden_state: Float[Array, "1 1 hidden"],
        mask: ActionMask | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Action, Float[Array, "1 1 hidden"]]:
        """Select the home's action.

        Args:
            obs: Observation, with the features of `observation_names`.
            hidden_state: Hidden state from `initial_state` or the previous step.
            mask: Valid actions; all actions when absent.
            key: Random key to sample from the policy; the deterministic action when absent.

        Returns:
            The action, and the hidden state after it. Continuous actions are between -1 and 1:
            power, or price and quantity of a bid with -1 the lowest. Discrete actions are the
            power level, or side and partner of a bid.
        """
        spec = self.spec
        space = spec.action_space
        if mask is None:
            mask = ActionMask(
                jnp.ones(space.continuous, bool),
                jnp.ones((space.discrete, space.num_actions), bool),
            )
        output = self._learner.act(
            self.state,
            obs[None, None],
            jax.tree.map(lambda leaf: leaf[None, None], mask),
            hidden_state,
            None if key is None else sample_noise(space, key, (1, 1)),
        )
        action = decode_action(
            output.action, spec.env_action_space, spec.action_bins, spec.ordinal_actions
        )
        return jax.tree.map(lambda leaf: leaf[0, 0], action), output.hidden_state

    @property
    def _learner(self) -> Learner:
        learner = configure_algorithm(self.algorithm, self.settings).build(self.spec)
        return learner.with_config(replace(learner.config, **self.config))


def export_policy(folder: Path | str, home: str, out: Path | str, *, seed: int = 0) -> Path:
    """Write one home's best policy as a JSON file and an npz file beside it.

    Args:
        folder: Folder of the run.
        home: Name of the home.
        out: Path of the JSON file.
        seed: Index of the seed in the run.

    Returns:
        Path of the JSON file.

    Raises:
        InputError: There is no such home or seed, or the home has no learned policy of its own.
    """
    folder = Path(folder)
    out = Path(out)
    setup = make_training_setup(load_training_config(folder))
    if home not in setup.env.agents:
        fix = f"Name one of: {', '.join(setup.env.agents)}."
        raise InputError("home", f"there is no home {home!r}", fix)
    if not 0 <= seed < setup.config.seeds:
        fix = f"Give 0 to {setup.config.seeds - 1}."
        raise InputError("--seed", f"the run has no seed {seed}", fix)
    agent = setup.env.agents.index(home)
    learners = load_learners(folder, setup)
    entries = [entry for entry in setup.scenario.population if entry.policy in algorithms]
    for group, states, entry in zip(setup.agents.groups, learners, entries, strict=True):
        if agent not in group.agent_indices:
            continue
        if group.paradigm.joint_agent:
            raise InputError(
                f"home {home!r}",
                "the home has no policy of its own, because a joint agent controls all homes",
                "Train with another paradigm, such as dtde-shared.",
            )
        is_shared = group.paradigm.shared_parameters
        policy = 0 if is_shared else group.agent_indices.index(agent)
        state = jax.tree.map(lambda leaf, policy=policy: leaf[seed, policy], states)
        content = {
            "algorithm": entry.policy,
            "settings": dict(entry.settings),
            "spec": group.spec._asdict(),
            "observation_names": setup.env.observation_names,
            "action_type": _action_type(setup.env.config),
            "config": {
                name: float(getattr(group.config, name)) for name in tunable_names(group.config)
            },
            "home": home,
            "version": setup.config.version,
        }
        save_tree(out.with_suffix(".npz"), group.learner.inference_state(state))
        out.write_text(json.dumps(content, indent=1), encoding="utf-8")
        return out
    raise InputError(
        f"home {home!r}", "the home follows a rule in this run", "Name a learning home."
    )


def _action_type(config: EnvConfig) -> str:
    if config.action_mode == "bid":
        return "bid"
    return "power" if config.power_levels is None else "power_level"


def load_policy(path: Path | str) -> HomePolicy:
    """Read a policy that `export_policy` wrote.

    Raises:
        InputError: The file does not exist or is incomplete.
    """
    path = Path(path)
    if not path.is_file():
        fix = "Name a policy that `prosumax export-policy` wrote."
        raise InputError(str(path), "the file does not exist", fix)
    content = json.loads(path.read_text(encoding="utf-8"))
    spaces = {
        name: None if value is None else ActionSpace(*value)
        for name, value in content["spec"].items()
        if name.endswith("action_space")
    }
    spec = AgentSpec(**content["spec"] | spaces)
    algorithm = configure_algorithm(content["algorithm"], content["settings"])
    learner = algorithm.build(spec)
    template = jax.eval_shape(lambda: learner.inference_state(learner.init(jax.random.key(0))))
    return HomePolicy(
        algorithm=content["algorithm"],
        spec=spec,
        observation_names=tuple(content["observation_names"]),
        action_type=content["action_type"],
        config=content["config"],
        state=load_tree(path.with_suffix(".npz"), template),
        settings=content["settings"],
    )
