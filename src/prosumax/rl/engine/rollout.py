"""Play: many copies of a community step by step, each team acting for its homes; what learners then learn from."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from prosumax import batching
from prosumax.rl.components.distributions import Dice, roll
from prosumax.rl.components.spaces import Action, Mask, mask_of, to_env, widened, widest_of
from prosumax.rl.components.types import Batch, Decision
from prosumax.rl.engine.agent_groups import Team

World = Any
"""An environment's state."""


class Script(Protocol):
    """Homes that follow a rule: they may look at the whole state, as rules do, and learn nothing."""

    @property
    def homes(self) -> tuple[int, ...]:
        """Their numbers in the community."""

    def begin(self, params: Any, key: PRNGKeyArray) -> Any:
        """Memory at the start of an episode of one community."""

    def act(self, params: Any, state: World, memory: Any, key: PRNGKeyArray) -> tuple[Action, Any]:
        """What the rule's homes do in one community, squashed; and what `after` is to be told."""

    def after(self, params: Any, state: World, memory: Any, sent: Any, step: Any) -> Any:
        """Memory after the step."""


class Carry(NamedTuple):
    """Between two steps, and between two rollouts.

    Attributes:
        world: states of the environments [env].
        obs, mask: what homes see [env, home, feature], and what makes sense for them.
        memories: of every team [group, env, member, memory].
        scripts: memory of every script [env].
        over: whether the episode is over, so that a new one begins [env].
    """

    world: World
    obs: Float[Array, "env home feature"]
    mask: Mask
    memories: tuple[Array, ...]
    scripts: tuple[Any, ...]
    over: Bool[Array, " env"]


class Steps(NamedTuple):
    """What happened, [time, env, ..] or for a team's parts [time, group, env, member, ..].

    Attributes:
        obs, mask: what homes saw before, and what made sense.
        last_obs, last_mask: after the last step of every stretch within which no episode ends [stretch, env, ..].
        decisions: of every team.
        joint: what homes did, squashed.
        reward, terminated: of each home.
        begins, done: whether an episode began before or ended after the step.
        watched: what `watch` took from the environment's step.
    """

    obs: Array
    last_obs: Array
    mask: Mask
    last_mask: Mask
    decisions: tuple[Decision, ...]
    joint: Action
    reward: Array
    terminated: Array
    begins: Array
    done: Array
    watched: Any


Watch = Callable[[Any], Any]
"""From what an environment's step returned to figures worth keeping."""


class Game(NamedTuple):
    """A community and who plays for which homes.

    Attributes:
        env: the environment: `CommunityEnv` or anything with its `reset`, `step`, `action_mask` and `config`.
        teams: who learns.
        scripts: who follows rules.
        order: where each home's action is among those of all teams and scripts.
    """

    env: Any
    teams: tuple[Team, ...]
    scripts: tuple[Script, ...]
    order: np.ndarray


def game(env: Any, teams: Sequence[Team], scripts: Sequence[Script] = ()) -> Game:
    """Put teams and scripts around an environment; every agent must be in exactly one of them."""
    homes = [home for team in teams for home in team.homes] + [
        home for script in scripts for home in script.homes
    ]
    if sorted(homes) != list(range(env.num_agents)):
        raise ValueError(f"teams and scripts play for homes {sorted(homes)} of {env.num_agents}")
    return Game(env, tuple(teams), tuple(scripts), np.argsort(np.array(homes)))


def start(game: Game, params: Any, key: PRNGKeyArray, environments: int) -> Carry:
    """Before the first step: all episodes are over, so that the first rollout begins new ones."""
    # Never looked at, so not computed, which takes seconds to compile.
    begun = jax.eval_shape(partial(_begin, game), jax.random.split(key, environments), params)
    world, obs, mask = jax.tree.map(_blank, begun)
    memories = tuple(
        jnp.zeros(
            (*team.agents.shape[:1], environments, team.agents.shape[1], team.learner.memory_size)
        )
        for team in game.teams
    )
    scripts = tuple(
        jax.vmap(script.begin, in_axes=(None, 0))(params, jax.random.split(key, environments))
        for script in game.scripts
    )
    return Carry(world, obs, mask, memories, scripts, jnp.ones(environments, bool))


def rollout(
    game: Game,
    states: Sequence[Any],
    hps: Sequence[Any],
    carry: Carry,
    params: Any,
    key: PRNGKeyArray,
    steps: int,
    *,
    explore: bool = True,
    watch: Watch = lambda step: (),
) -> tuple[Carry, Steps]:
    """Play on for some steps.

    All copies are at the same step of their episodes, which all have the same length, so episodes begin at known
    places: no reset is computed in the steps between.

    Arguments:
        game: who plays.
        states, hps: of every team's learner, with a leading axis for groups in the states.
        carry: from `start` or the rollout before.
        params: of the environment, the same for all copies.
        key: of everything that is drawn.
        steps: whole episodes, or a part of one that divides it.
        explore: whether learners try things.
        watch: what else to keep of every step.
    """
    length = game.env.config.steps
    piece = min(steps, length)
    if steps % piece or length % piece:
        raise ValueError(
            f"{steps} steps are neither whole episodes of {length} nor an even part of one"
        )
    count = carry.over.shape[0]

    def stretch(carry: Carry, key: PRNGKeyArray) -> tuple[Carry, tuple[Steps, Array, Mask]]:
        reset_key, script_key, key = jax.random.split(key, 3)
        fresh = _begin(game, jax.random.split(reset_key, count), params)
        scripts = tuple(
            jax.vmap(script.begin, in_axes=(None, 0))(params, jax.random.split(script_key, count))
            for script in game.scripts
        )
        old = (carry.world, carry.obs, carry.mask)
        (world, obs, mask), scripts = _where(carry.over, (fresh, scripts), (old, carry.scripts))
        memories = tuple(
            jnp.where(carry.over[:, None, None], 0.0, memory) for memory in carry.memories
        )
        ready = carry._replace(world=world, obs=obs, mask=mask, scripts=scripts, memories=memories)
        thrown = jax.vmap(lambda key: _throw(game, key, count, explore))(
            jax.random.split(key, piece)
        )
        advance = lambda carry, luck: _advance(game, states, hps, carry, params, luck, watch)  # noqa: E731
        carry, found = jax.lax.scan(advance, ready, thrown)
        return carry, (found, carry.obs, carry.mask)

    carry, (found, last_obs, last_mask) = jax.lax.scan(
        stretch, carry, jax.random.split(key, steps // piece)
    )
    found = jax.tree.map(lambda leaf: leaf.reshape(steps, *leaf.shape[2:]), found)
    return carry, found._replace(last_obs=last_obs, last_mask=last_mask)


def _begin(game: Game, keys: PRNGKeyArray, params: Any) -> tuple[World, Array, Mask]:
    """New episodes [env]: their state, what homes see, and what makes sense."""

    def one(key: PRNGKeyArray) -> tuple[World, Array, Mask]:
        obs, world = game.env.reset(key, params)
        return world, obs, mask_of(game.env, world, params)

    return jax.vmap(one)(keys)


class _Luck(NamedTuple):
    """What is drawn for one step: keys of every environment and script, and the dice of every team [group, ..]."""

    steps: PRNGKeyArray
    scripts: tuple[PRNGKeyArray, ...]
    teams: tuple[Dice | None, ...]


def _throw(game: Game, key: PRNGKeyArray, count: int, explore: bool) -> _Luck:
    step_key, script_key, key = jax.random.split(key, 3)
    scripts = tuple(
        jax.random.split(jax.random.fold_in(script_key, number), count)
        for number in range(len(game.scripts))
    )
    teams = []
    for team in game.teams:
        key, own = jax.random.split(key)
        batch = (count, team.agents.shape[1])
        throw = jax.vmap(lambda key, team=team, batch=batch: roll(team.spec.space, key, batch))
        teams.append(throw(jax.random.split(own, team.groups)) if explore else None)
    return _Luck(jax.random.split(step_key, count), scripts, tuple(teams))


def _advance(
    game: Game,
    states: Sequence[Any],
    hps: Sequence[Any],
    carry: Carry,
    params: Any,
    luck: _Luck,
    watch: Watch,
) -> tuple[Carry, Steps]:
    env, space = game.env, widest_of(game.env)
    decisions, actions = [], []
    for team, state, hp, memory, dice in zip(
        game.teams, states, hps, carry.memories, luck.teams, strict=True
    ):
        act = over_groups(
            lambda state, obs, mask, memory, dice, team=team, hp=hp: team.learner.act(
                state, obs, mask, memory, hp, dice
            ),
            (0, 0, 0, 0, 0),
            team.groups,
        )
        done = act(state, team.see(carry.obs), team.masks(carry.mask), memory, dice)
        decisions.append(done)
        actions.append(widened(team.to_homes(done.action), space))
    sents = []
    for script, memory, keys in zip(game.scripts, carry.scripts, luck.scripts, strict=True):
        action, sent = jax.vmap(script.act, in_axes=(None, 0, 0, 0))(
            params, carry.world, memory, keys
        )
        actions.append(widened(action, space))
        sents.append(sent)
    joint: Action = jax.tree.map(
        lambda *parts: jnp.concatenate(parts, axis=1)[:, game.order], *actions
    )

    def one(key: PRNGKeyArray, world: World, action: Action) -> Any:
        done = env.step(key, world, to_env(env, action), params)
        return done, mask_of(env, done.state, params)

    ts, mask = batching.vmap(one)(luck.steps, carry.world, joint)
    scripts = tuple(
        jax.vmap(script.after, in_axes=(None, 0, 0, 0, 0))(params, carry.world, memory, sent, ts)
        for script, memory, sent in zip(game.scripts, carry.scripts, sents, strict=True)
    )
    memories = tuple(decision.memory for decision in decisions)
    kept = tuple(decision._replace(memory=()) for decision in decisions)
    later: Any = ()  # what comes after the last step is known then
    steps = Steps(
        obs=carry.obs,
        last_obs=later,
        mask=carry.mask,
        last_mask=later,
        decisions=kept,
        joint=joint,
        reward=ts.reward,
        terminated=ts.terminated,
        begins=carry.over,
        done=ts.truncated | ts.terminated.all(-1),
        watched=watch(ts),
    )
    return Carry(ts.state, ts.final_obs, mask, memories, scripts, steps.done), steps


def over_groups(
    call: Callable[..., Any], in_axes: tuple[Any, ...], groups: int
) -> Callable[..., Any]:
    """`jax.vmap` over groups; where there is one only, without: XLA is slower at products with an axis of length 1.

    Arguments:
        call: for one group.
        in_axes: as `jax.vmap` takes them; 0 and None, or trees of them.
        groups: how many.
    """
    if groups > 1:
        return jax.vmap(call, in_axes=in_axes)

    def first(argument: Any, axes: Any) -> Any:
        if axes is None:
            return argument
        if axes == 0:
            return jax.tree.map(lambda leaf: leaf[0], argument)
        return type(argument)(
            *(first(part, axis) for part, axis in zip(argument, axes, strict=True))
        )

    def one(*arguments: Any) -> Any:
        found = call(
            *(first(argument, axes) for argument, axes in zip(arguments, in_axes, strict=True))
        )
        return jax.tree.map(lambda leaf: leaf[None], found)

    return one


def batch_of(team: Team, steps: Steps, decision: Decision, memory: Array) -> Batch:
    """What one team learns from, as [group, time, env, member, ..]; `SHARED` says which parts have no group.

    Arguments:
        team: whose.
        steps: from `rollout`.
        decision: the team's part of `steps.decisions`.
        memory: of its actors before the first step.
    """
    central = team.paradigm.central
    side_by_side = lambda obs: obs.reshape(*obs.shape[:2], -1)[..., : None if central else 0]  # noqa: E731
    first = lambda tree: jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), tree)  # noqa: E731
    dead = team.rewards(steps.terminated.astype(jnp.float32)) >= 1.0
    return Batch(
        obs=team.see(steps.obs),
        last_obs=team.see(steps.last_obs),
        mask=team.masks(steps.mask),
        last_mask=team.masks(steps.last_mask),
        action=first(decision.action),
        notes=first(decision.notes),
        reward=team.rewards(steps.reward),
        terminated=dead,
        weight=team.weights(team.masks(steps.mask)),
        memory=memory,
        home=jnp.asarray(team.agents),
        begins=steps.begins,
        done=steps.done,
        everyone=side_by_side(steps.obs),
        last_everyone=side_by_side(steps.last_obs),
        joint=steps.joint if central else Action(*(part[:, :, :0] for part in steps.joint)),
    )


def _blank(of: jax.ShapeDtypeStruct) -> Array:
    """Zeros, or keys of zeros."""
    if jnp.issubdtype(of.dtype, jax.dtypes.prng_key):
        return jnp.broadcast_to(jax.random.key(0), of.shape)
    return jnp.zeros(of.shape, of.dtype)


def _where(pick: Bool[Array, " env"], new: Any, old: Any) -> Any:
    return jax.tree.map(
        lambda a, b: jnp.where(pick.reshape(-1, *([1] * (a.ndim - 1))), a, b), new, old
    )
