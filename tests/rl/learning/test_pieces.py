"""Returns, distributions and gradients against loops, closed forms and finite differences written here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.algorithms.policy_gradient import PolicyGradient
from prosumax.rl.algorithms.registry import choose
from prosumax.rl.components import advantages, distributions
from prosumax.rl.components.spaces import Action, Mask, Space
from prosumax.rl.components.types import SHARED, Batch, Spec
from prosumax.rl.engine.rollout import over_groups

T, B = 7, 3
GAMMA, LAM = 0.9, 0.8


@pytest.fixture(scope="module")
def played():
    """Rewards, values, and episodes that end by time or for good at some steps."""
    rng = np.random.default_rng(0)
    reward, value, after = rng.normal(size=(3, T, B))
    done = rng.random((T, B)) < 0.3
    dead = done & (rng.random((T, B)) < 0.5)
    after[:-1] = np.where(
        done[:-1], after[:-1], value[1:]
    )  # within an episode it is the next step's value
    return reward, value, after, dead, done


def test_gae_is_the_weighted_sum_of_its_definition(played):
    reward, value, after, dead, done = played
    found = advantages.gae(*map(jnp.asarray, played), GAMMA, LAM)
    delta = reward + GAMMA * after * ~dead - value
    for b in range(B):
        for t in range(T):
            total, weight = 0.0, 1.0
            for k in range(t, T):
                total += weight * delta[k, b]
                weight *= GAMMA * LAM
                if done[k, b]:
                    break
            np.testing.assert_allclose(found.advantage[t, b], total, atol=1e-5)


def test_vtrace_of_its_own_policy_is_gae(played):
    # With ratios of 1 the correction vanishes, and the advantage is that of the corrected next value (Espeholt 2018).
    reward, value, after, dead, done = (jnp.asarray(part) for part in played)
    found = advantages.vtrace(jnp.ones((T, B)), reward, value, after, dead, done, GAMMA)
    expected = advantages.gae(reward, value, after, dead, done, GAMMA, 1.0)
    np.testing.assert_allclose(found.target, expected.target, atol=1e-5)
    np.testing.assert_allclose(found.advantage, expected.advantage, atol=1e-5)


SPACE = Space(numbers=2, choices=2, options=4)
MASK = Mask(
    jnp.array([True, False]), jnp.array([[True, True, False, False], [False, True, True, True]])
)  # the second number and three options do not exist


OUT = jax.random.normal(jax.random.key(0), (distributions.outputs(SPACE),))


def some_policy():
    return distributions.policy(OUT, MASK, SPACE)


def draw(key, out=OUT, mask=MASK, space=SPACE):
    return distributions.draw(out, mask, space, distributions.roll(space, key, out.shape[:-1]))[0]


def test_probabilities_of_all_actions_add_up_to_one():
    policy = some_policy()
    grid = np.linspace(
        -12, 12, 20001
    )  # numbers before squashing; the slope of tanh makes densities of them
    total = 0.0
    for first in range(2):
        for second in range(1, 4):
            choices = jnp.broadcast_to(jnp.array([first, second]), (len(grid), 2))
            numbers = jnp.stack([jnp.asarray(grid, jnp.float32), jnp.zeros(len(grid))], axis=1)
            log_prob = jax.vmap(distributions.log_prob, in_axes=(None, 0))(
                policy, Action(numbers, choices)
            )
            squashed_density = np.exp(np.asarray(log_prob, np.float64)) / np.cosh(grid) ** 2
            total += np.trapezoid(squashed_density, grid)
    assert total == pytest.approx(1.0, abs=1e-3)  # float32 sums of 20,000 terms


def test_what_is_masked_is_never_drawn_and_counts_for_nothing():
    policy = some_policy()
    many = jax.vmap(draw)(jax.random.split(jax.random.key(1), 2000))
    assert set(np.unique(many.choices[:, 0])) == {0, 1}
    assert set(np.unique(many.choices[:, 1])) == {1, 2, 3}
    shares = [(many.choices[:, 1] == option).mean() for option in (1, 2, 3)]
    np.testing.assert_allclose(
        shares, np.exp(policy.logp[1, 1:]), atol=0.04
    )  # four standard errors of 2000 draws
    one = jax.tree.map(lambda leaf: leaf[0], many)
    other = one._replace(numbers=one.numbers.at[1].add(5.0))
    assert distributions.log_prob(policy, one) == distributions.log_prob(policy, other)


@pytest.mark.parametrize("space", [SPACE, Space(1, 0, 1), Space(0, 1, 3)])
def test_without_dice_the_likeliest_action_is_taken(space):
    out = jax.random.normal(jax.random.key(4), (3, 5, distributions.outputs(space)))
    choices = (
        jax.random.bernoulli(jax.random.key(5), 0.7, (3, 5, space.choices, space.options))
        .at[..., -1]
        .set(True)
    )
    mask = Mask(jnp.ones((3, 5, space.numbers), bool), choices)
    policy, (action, log_prob) = (
        distributions.policy(out, mask, space),
        distributions.draw(out, mask, space, None),
    )
    np.testing.assert_array_equal(action.numbers, policy.mean)
    np.testing.assert_array_equal(action.choices, np.argmax(policy.logp, axis=-1))
    np.testing.assert_allclose(
        log_prob, distributions.log_prob(policy, action), rtol=1e-5, atol=1e-5
    )


def test_numbers_are_drawn_with_their_mean_and_deviation_and_actions_with_their_log_prob():
    policy, many = some_policy(), jax.vmap(draw)(jax.random.split(jax.random.key(6), 10_000))
    for moment, of in ((np.mean, policy.mean), (np.std, np.exp(policy.log_std))):
        # Four standard errors of the mean of 10,000 draws; a deviation's is smaller.
        np.testing.assert_allclose(
            moment(many.numbers, axis=0), of, atol=0.04 * float(np.exp(policy.log_std).max())
        )
    dice, mask = (
        distributions.roll(SPACE, jax.random.key(6), (50,)),
        Mask(*(jnp.stack([part] * 50) for part in MASK)),
    )
    action, log_prob = distributions.draw(jnp.tile(OUT, (50, 1)), mask, SPACE, dice)
    expected = jax.vmap(distributions.log_prob, in_axes=(None, 0))(policy, action)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5)


def test_the_highest_and_lowest_throw_hit_options_that_exist():
    lowest, highest = 0.0, float(np.nextafter(np.float32(1.0), np.float32(0.0)))
    for thrown, expected in ((lowest, [0, 1]), (highest, [1, 3])):
        dice = distributions.Dice(jnp.zeros(2), jnp.full(2, thrown), jnp.zeros(2))
        np.testing.assert_array_equal(
            distributions.draw(OUT, MASK, SPACE, dice)[0].choices, expected
        )


def test_entropy_is_the_mean_of_minus_log_prob():
    policy = some_policy()
    keys = jax.random.split(jax.random.key(2), 40_000)
    drawn = jax.vmap(lambda key: distributions.log_prob(policy, draw(key)))(keys)
    assert distributions.entropy(policy) == pytest.approx(
        -float(drawn.mean()), abs=4 * float(drawn.std()) / 200
    )


@pytest.mark.parametrize("space", [SPACE, Space(1, 0, 1), Space(0, 1, 3)])
def test_score_is_log_prob_and_entropy_with_their_gradients(space):
    # Derivatives are written down in `score`; those of the plain formulas are JAX's. Outputs of 3 clip some deviations.
    rows, key = (3, 5), jax.random.split(jax.random.key(3), 4)
    out = 3.0 * jax.random.normal(key[0], (*rows, distributions.outputs(space)))
    choices = (
        jax.random.bernoulli(key[1], 0.7, (*rows, space.choices, space.options))
        .at[..., 0]
        .set(True)
    )
    mask = Mask(jax.random.bernoulli(key[1], 0.7, (*rows, space.numbers)), choices)
    action = draw(key[2], out, mask, space)
    weight = jax.random.normal(key[3], (2, *rows))

    def plain(out):
        policy = distributions.policy(out, mask, space)
        return distributions.log_prob(policy, action), distributions.entropy(policy)

    def added(scores):
        return lambda out: sum(
            (part * by).sum() for part, by in zip(scores(out), weight, strict=True)
        )

    score = lambda out: distributions.score(out, mask, action, space)  # noqa: E731
    for found, expected in zip(score(out), plain(out), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    gradients = jax.grad(added(score))(out), jax.grad(added(plain))(out)
    np.testing.assert_allclose(
        *gradients, rtol=1e-4, atol=1e-4
    )  # single precision, other orders of sums


def test_the_slopes_of_the_squashings_mean_are_those_of_its_value():
    mean, std = jnp.linspace(-3.0, 3.0, 7), jnp.linspace(0.1, 2.7, 7)
    value = lambda mean, std: distributions._mean_log_slope(mean, std).sum()  # noqa: E731
    for at, found in enumerate(jax.grad(value, (0, 1))(mean, std)):
        ahead, back = (
            value(*(x + by * (at == i) for i, x in enumerate((mean, std)))) for by in (1e-2, -1e-2)
        )
        assert float(found.sum()) == pytest.approx(
            float(ahead - back) / 2e-2, abs=2e-3
        )  # differences of 1e-2


def test_one_group_alone_is_what_vmap_makes_of_it():
    batch = Batch(*jnp.arange(3.0 * len(Batch._fields)).reshape(-1, 1, 3))
    axes = SHARED._replace(home=None)
    batch = batch._replace(**{name: part[0] for name, part, axis in zip(Batch._fields, batch, axes, strict=True)
                              if axis is None})  # fmt: skip

    def call(state, batch, dice, hp):
        return {"sum": sum(part.sum() for part in batch) * state["a"] + hp, "dice": dice}

    given = {"a": jnp.ones((1, 2))}, batch, None, jnp.float32(3.0)
    expected = jax.vmap(call, in_axes=(0, axes, 0, None))(*given)
    found = over_groups(call, (0, axes, 0, None), 1)(*given)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_home_with_nothing_to_decide_has_no_weight():
    idle = Mask(jnp.zeros(2, bool), jnp.zeros((2, 4), bool).at[:, 0].set(True))
    assert distributions.freedom(idle) == 0
    assert distributions.freedom(MASK) == 1


def one_step_batch(learner, state, hp, draws=64):
    """Moments of one step with three levels, level k paid k."""
    obs = jax.random.normal(jax.random.key(5), (1, draws, 1, 2))
    mask = Mask(jnp.ones((1, draws, 1, 0), bool), jnp.ones((1, draws, 1, 1, 3), bool))
    first = jax.tree.map(lambda leaf: leaf[0], (obs, mask))
    dice = distributions.roll(learner.spec.space, jax.random.key(6), (draws, 1))
    done = learner.act(state, *first, jnp.zeros((draws, 1, 0)), hp, dice)
    action, notes = jax.tree.map(lambda leaf: leaf[None], (done.action, done.notes))
    nothing, over = jnp.zeros((1, draws, 0)), jnp.ones((1, draws), bool)
    return Batch(
        obs=obs,
        last_obs=obs[-1:],
        mask=mask,
        last_mask=jax.tree.map(lambda leaf: leaf[-1:], mask),
        action=action,
        notes=notes,
        reward=action.choices[..., 0].astype(jnp.float32),
        terminated=over[..., None],
        weight=jnp.ones((1, draws, 1)),
        memory=jnp.zeros((draws, 1, 0)),
        home=jnp.zeros(1, jnp.int32),
        begins=over,
        done=over,
        everyone=nothing,
        last_everyone=nothing[-1:],
        joint=Action(jnp.zeros((1, draws, 0, 0)), jnp.zeros((1, draws, 0, 1), jnp.int32)),
    )


@pytest.fixture(scope="module")
def learner():
    spec = Spec(2, 0, 1, Space(0, 1, 3), Space(0, 1, 3))
    return PolicyGradient(spec, hidden=(4,), standardise=False)


def test_ppo_begins_with_the_gradient_of_advantage_actor_critic(learner):
    hp = choose("ppo", {"entropy": 0.0}).hp
    state = learner.init(jax.random.key(0), hp)
    batch = one_step_batch(learner, state, hp)
    advantage = jax.random.normal(jax.random.key(7), batch.reward.shape)
    plain = PolicyGradient(learner.spec, hidden=(4,), standardise=False, loss="gradient")
    clipped = jax.grad(learner.actor_loss, has_aux=True)(state.actor, batch, advantage, hp)[0]
    simple = jax.grad(plain.actor_loss, has_aux=True)(state.actor, batch, advantage, hp)[0]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), clipped, simple)


def test_gradients_agree_with_finite_differences(learner):
    hp = choose("ppo", {"entropy": 0.01}).hp
    state = learner.init(jax.random.key(0), hp)
    batch = one_step_batch(learner, state, hp)
    estimate = jax.random.normal(jax.random.key(7), batch.reward.shape)
    moved = jax.tree.map(
        lambda leaf: leaf + 0.03 * jax.random.normal(jax.random.key(8), leaf.shape), state.actor
    )
    losses = {
        "actor": (lambda net: learner.actor_loss(net, batch, estimate, hp)[0], moved),
        "critic": (
            lambda net: learner.critic_loss(net, state.scale, batch, estimate),
            state.critic,
        ),
    }
    for name, (loss, network) in losses.items():
        gradient = jax.grad(loss)(network)
        up = loss(jax.tree.map(lambda leaf, way: leaf + 1e-2 * way, network, gradient))
        down = loss(jax.tree.map(lambda leaf, way: leaf - 1e-2 * way, network, gradient))
        steepness = sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient))
        # Single precision leaves about three digits of a difference over so small a step.
        assert float(up - down) / 2e-2 == pytest.approx(steepness, rel=2e-2), name


def test_the_policy_gradient_is_that_of_the_expected_reward(learner):
    """REINFORCE with a baseline, over every action weighted by its probability, is the exact gradient."""
    plain = PolicyGradient(learner.spec, hidden=(4,), standardise=False, loss="gradient")
    hp = choose("a2c", {"entropy": 0.0}).hp
    state = plain.init(jax.random.key(0), hp)
    batch = one_step_batch(plain, state, hp, draws=1)
    seen = batch.obs[0, 0]

    def expected(actor):
        out, _ = actor(seen, jnp.zeros((1, 0)))
        return (jax.nn.softmax(out[0]) * jnp.arange(3.0)).sum()

    out, _ = state.actor(seen, jnp.zeros((1, 0)))
    chance = jax.nn.softmax(out[0])
    total = None
    for level in range(3):
        one = batch._replace(action=batch.action._replace(choices=jnp.full((1, 1, 1, 1), level)))
        advantage = jnp.full((1, 1, 1), level - 0.7)  # any baseline will do
        found = jax.grad(plain.actor_loss, has_aux=True)(state.actor, one, advantage, hp)[0]
        part = jax.tree.map(lambda leaf, level=level: -chance[level] * leaf, found)
        total = part if total is None else jax.tree.map(jnp.add, total, part)
    exact = jax.grad(expected)(state.actor)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), total, exact)
