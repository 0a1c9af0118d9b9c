"""A training loop for each section of `docs/how-to/other-code.md`, with the old line of its diff in it.

A loop has the structure of the code that the section names, and calls the same packages. The line is theirs,
word for word; lines that they wrap are joined.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import jax_utils, nnx
from flax import linen as nn
from flax.training.train_state import TrainState
from jax.example_libraries import optimizers

import jaxsched as js


class Run(NamedTuple):
    """What a loop did.

    Attributes:
      params: the parameters that it trained.
      rate: the rate of its last update, as its own code gives it.
      state: what `js.learning_rate` reads after the diff; `None` if the diff makes nothing readable.
    """

    params: Any
    rate: Any
    state: Any = None


UPDATES = 6
X = np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(4, 3)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 0.3
PARAMS = {"w": np.full((3, 1), 0.1, np.float32), "b": np.zeros(1, np.float32)}
LEARNING_RATE = optax.linear_schedule(0.1, 0.0, 10)


def error(prediction: Any, y: Any = Y) -> Any:
    return jnp.mean((prediction - y) ** 2)


def loss(params: Any, x: Any = X, y: Any = Y) -> Any:
    return error(x @ params["w"] + params["b"], y)


def fit(tx: Any, scales: Any = (1.0,) * UPDATES) -> tuple[Any, Any]:
    """The plain loop of Optax; `scales` are factors of the gradients."""

    @jax.jit
    def step(params, opt_state, scale):
        gradients = jax.tree.map(lambda gradient: scale * gradient, jax.grad(loss)(params))
        updates, opt_state = tx.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    params, opt_state = PARAMS, tx.init(PARAMS)
    for scale in scales:
        params, opt_state = step(params, opt_state, scale)
    return params, opt_state


def optax_loop():
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=2, decay_steps=10)
    optimizer = optax.chain(
        optax.clip(1.0),
        optax.adamw(learning_rate=schedule),
    )
    params, opt_state = fit(optimizer)
    return Run(params, schedule(UPDATES - 1), opt_state)


def jax_loop():
    step_size, momentum_mass = optimizers.polynomial_decay(0.1, 10, 0.0), 0.9
    schedule = js.Linear(0.1, 0.0, 10)
    opt_init, opt_update, get_params = optimizers.momentum(step_size, mass=momentum_mass)

    @jax.jit
    def update(i, opt_state):
        return opt_update(i, jax.grad(loss)(get_params(opt_state)), opt_state)

    opt_state = opt_init(PARAMS)
    for i in range(UPDATES):
        opt_state = update(i, opt_state)
    return Run(get_params(opt_state), schedule(UPDATES - 1))


def flax_linen():
    config = SimpleNamespace(num_epochs=5, warmup_epochs=1, momentum=0.9)
    base_learning_rate, steps_per_epoch = 0.1, 2

    def create_learning_rate_fn(config, base_learning_rate, steps_per_epoch):
        warmup, total = config.warmup_epochs * steps_per_epoch, config.num_epochs * steps_per_epoch
        return optax.warmup_cosine_decay_schedule(0.0, base_learning_rate, warmup, total)

    @functools.partial(jax.jit, static_argnames="learning_rate_fn")
    def train_step(state, learning_rate_fn):
        lr = learning_rate_fn(state.step)
        gradients = jax.grad(lambda params: error(state.apply_fn(params, X)))(state.params)
        return state.apply_gradients(grads=gradients), {"learning_rate": lr}

    learning_rate_fn = create_learning_rate_fn(config, base_learning_rate, steps_per_epoch)
    model = nn.Dense(1)
    tx = optax.sgd(learning_rate_fn, momentum=config.momentum, nesterov=True)
    state = TrainState.create(apply_fn=model.apply, params=model.init(jax.random.key(0), X), tx=tx)
    for _ in range(UPDATES):
        state, metrics = train_step(state, learning_rate_fn)
    return Run(state.params, metrics["learning_rate"])


def flax_nnx():
    lr_schedule, momentum = optax.linear_schedule(0.1, 0.0, 10), 0.8
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.sgd(lr_schedule, momentum, nesterov=True), wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer):
        optimizer.update(model, nnx.grad(lambda model: error(model(X)))(model))

    for _ in range(UPDATES):
        train_step(model, optimizer)
    return Run(nnx.to_pure_dict(nnx.state(model, nnx.Param)), lr_schedule(UPDATES - 1), optimizer)


def equinox():
    schedule = js.Linear(0.1, 0.0, 10)
    optim = optax.adamw(LEARNING_RATE)
    model = eqx.nn.Linear(3, 1, key=jax.random.key(0))
    opt_state = optim.init(eqx.filter(model, eqx.is_array))

    @eqx.filter_jit
    def make_step(model, opt_state):
        gradients = eqx.filter_grad(lambda model: error(jax.vmap(model)(X)))(model)
        updates, opt_state = optim.update(gradients, opt_state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), opt_state

    for _ in range(UPDATES):
        model, opt_state = make_step(model, opt_state)
    return Run(eqx.filter(model, eqx.is_array), schedule(UPDATES - 1), opt_state)


def keras():
    import keras

    keras.utils.set_random_seed(0)
    lr_schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5)
    schedule = js.Exponential(0.1, 0.5, 4)
    optimizer = keras.optimizers.RMSprop(learning_rate=lr_schedule)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(X, Y, batch_size=len(X), epochs=UPDATES, verbose=0)
    np.testing.assert_allclose(optimizer.learning_rate, schedule(UPDATES), rtol=1e-5)
    return Run(model.get_weights(), np.asarray(optimizer.learning_rate))


def maxtext():
    config = SimpleNamespace(learning_rate_schedule_steps=20, learning_rate=0.1)

    def create_learning_rate_schedule(config):
        lr, final_lr = config.learning_rate, 0.1 * config.learning_rate
        warmup_steps = config.learning_rate_schedule_steps // 10
        cosine_steps = config.learning_rate_schedule_steps - warmup_steps - 1
        pieces = [
            optax.linear_schedule(0.0, lr, warmup_steps),
            optax.cosine_decay_schedule(lr, cosine_steps, final_lr / lr),
        ]
        boundaries = [warmup_steps]
        return optax.join_schedules(pieces, boundaries)

    learning_rate_schedule = create_learning_rate_schedule(config)
    tx = optax.adamw(learning_rate_schedule, b1=0.9, b2=0.95, weight_decay=0.1)
    return Run(fit(tx)[0], jnp.stack([learning_rate_schedule(step) for step in (UPDATES - 1, 19)]))


def levanter():
    class AdamConfig:
        learning_rate, min_lr_ratio = 0.1, 0.1

        def lr_scheduler(self, num_train_steps):
            learning_rate, min_lr = self.learning_rate, self.min_lr_ratio * self.learning_rate
            warmup = num_train_steps // 100
            alpha = min_lr / learning_rate
            schedule = optax.cosine_decay_schedule(learning_rate, num_train_steps - warmup, alpha)
            if warmup:
                rising = optax.linear_schedule(0.0, learning_rate, warmup)
                schedule = optax.join_schedules([rising, schedule], [warmup])
            return schedule

        def build(self, num_train_steps):
            def _optimizer(learning_rate):
                return optax.chain(optax.scale_by_adam(0.9, 0.95), optax.scale(-learning_rate))

            return optax.inject_hyperparams(_optimizer)(learning_rate=self.lr_scheduler(num_train_steps))

    params, opt_state = fit(AdamConfig().build(300))
    return Run(params, opt_state.hyperparams["learning_rate"], opt_state)


def big_vision():
    config = SimpleNamespace(lr=1000.0)  # so large that the start of a long warmup trains
    config.schedule = dict(warmup_steps=10_000, decay_type="cosine")  # noqa: C408
    sched_kw = {"total_steps": 112_000}

    def create_schedule(total_steps, warmup_steps, decay_type):
        assert decay_type == "cosine"

        def step_fn(step):
            progress = jnp.clip((step - warmup_steps) / (total_steps - warmup_steps), 0.0, 1.0)
            return 0.5 * (1.0 + jnp.cos(jnp.pi * progress)) * jnp.minimum(1.0, step / warmup_steps)

        return step_fn

    scheds = [config.schedule]
    schedule_fns = [create_schedule(**sched_kw, **sched) for sched in scheds]
    schedules = [optax.scale_by_schedule(schedule_fn) for schedule_fn in schedule_fns]
    tx = optax.chain(optax.scale_by_adam(), optax.scale(config.lr), *schedules, optax.scale(-1.0))
    return Run(fit(tx)[0], jnp.stack([schedule_fns[0](step) for step in (UPDATES - 1, 90_000)]))


def nanodo():
    c = SimpleNamespace(
        init_learning_rate=0.02,
        peak_learning_rate=0.1,
        final_learning_rate=0.01,
        warmup_steps=2,
        num_train_steps=10,
    )

    def get_learning_rate_schedule(c):
        alpha = c.final_learning_rate / c.peak_learning_rate
        schedules = [
            optax.linear_schedule(c.init_learning_rate, c.peak_learning_rate, c.warmup_steps),
            optax.cosine_decay_schedule(c.peak_learning_rate, c.num_train_steps - c.warmup_steps, alpha),
        ]
        return optax.join_schedules(schedules, boundaries=[c.warmup_steps])

    tx = optax.MultiSteps(optax.adamw(get_learning_rate_schedule(c), b2=0.98, weight_decay=0.1), 2)
    params, opt_state = fit(tx, [1.0] * 2 * UPDATES)
    return Run(params, get_learning_rate_schedule(c)(opt_state.gradient_step - 1))


def purejaxrl():
    config = {"LR": 0.1, "NUM_UPDATES": 3, "UPDATE_EPOCHS": 2, "NUM_MINIBATCHES": 2, "MAX_GRAD_NORM": 0.5}
    schedule = js.Linear(config["LR"], 0.0, config["NUM_UPDATES"])
    epochs = jax.tree.map(
        lambda data: np.tile(data.reshape(config["NUM_MINIBATCHES"], 2, -1), (config["UPDATE_EPOCHS"], 1, 1)),
        (X, Y),
    )

    def linear_schedule(count):
        done = count // (config["NUM_MINIBATCHES"] * config["UPDATE_EPOCHS"])
        return config["LR"] * (1.0 - done / config["NUM_UPDATES"])

    def train(scale):
        params = jax.tree.map(lambda leaf: scale * leaf, PARAMS)
        tx = optax.chain(
            optax.clip_by_global_norm(config["MAX_GRAD_NORM"]),
            optax.adam(learning_rate=linear_schedule, eps=1e-5),
        )
        train_state = TrainState.create(apply_fn=None, params=params, tx=tx)

        def minibatch(train_state, batch):
            gradients = jax.grad(loss)(train_state.params, *batch)
            return train_state.apply_gradients(grads=gradients), None

        def update(train_state, _):
            return jax.lax.scan(minibatch, train_state, epochs)

        return jax.lax.scan(update, train_state, length=config["NUM_UPDATES"])[0]

    train_state = jax.jit(jax.vmap(train))(np.array([1.0, 2.0], np.float32))
    return Run(train_state.params, jnp.full(2, schedule(config["NUM_UPDATES"] - 1)), train_state)


def multi_transform():
    schedule = js.Constant(0.1)
    transforms = {"train": optax.adam(0.1), "freeze": optax.set_to_zero()}
    params, opt_state = fit(optax.multi_transform(transforms, {"w": "train", "b": "freeze"}))
    return Run(params, {"train": schedule(UPDATES - 1)}, opt_state)


def muon():
    schedule = js.Constant(1e-3)
    opt = optax.contrib.muon(learning_rate=1e-3)
    params, opt_state = fit(opt)
    return Run(params, schedule(UPDATES - 1), opt_state)


def multi_steps():
    learning_rate_schedule = optax.piecewise_constant_schedule(1.0, {0: 1e-1, 1: 1e-1})
    optimizer = optax.sgd(learning_rate_schedule)
    params, opt_state = fit(optax.MultiSteps(optimizer, every_k_schedule=3))
    return Run(params, learning_rate_schedule(UPDATES // 3 - 1), opt_state)


def apply_if_finite():
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    tx = optax.apply_if_finite(optax.adamw(schedule), max_consecutive_errors=3)
    params, opt_state = fit(tx, [1.0, 1.0, jnp.nan, 1.0])
    return Run(params, schedule(2), opt_state)


def accumulation_by_scan():
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    tx = optax.adamw(schedule)
    microbatches = jax.tree.map(lambda data: data.reshape(2, 2, -1), (X, Y))

    @jax.jit
    def train_step(params, opt_state):
        def add(total, batch):
            return jax.tree.map(jnp.add, total, jax.grad(loss)(params, *batch)), None

        total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), microbatches)
        updates, opt_state = tx.update(jax.tree.map(lambda each: each / 2, total), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    params, opt_state = PARAMS, tx.init(PARAMS)
    for _ in range(UPDATES):
        params, opt_state = train_step(params, opt_state)
    return Run(params, schedule(UPDATES - 1), opt_state)


def pmap():
    learning_rate_fn = optax.linear_schedule(0.1, 0.0, 10)
    optimizer = optax.adamw(learning_rate_fn, b1=0.9, b2=0.98, eps=1e-9, weight_decay=1e-1)
    state = TrainState.create(apply_fn=None, params=PARAMS, tx=optimizer)
    state = jax_utils.replicate(state, jax.local_devices()[:2])

    @functools.partial(jax.pmap, axis_name="batch")
    def p_train_step(state, x, y):
        lr = learning_rate_fn(state.step)
        gradients = jax.lax.pmean(jax.grad(loss)(state.params, x, y), "batch")
        return state.apply_gradients(grads=gradients), {"learning_rate": lr}

    for _ in range(UPDATES):
        state, metrics = p_train_step(state, X.reshape(2, 2, 3), Y.reshape(2, 2, 1))
    return Run(state.params, metrics["learning_rate"], state)


PROGRAMS = {
    "A plain loop with Optax": optax_loop,
    "A plain loop without Optax": jax_loop,
    "Flax Linen": flax_linen,
    "Flax NNX": flax_nnx,
    "Equinox": equinox,
    "Keras on JAX": keras,
    "MaxText": maxtext,
    "Levanter": levanter,
    "big_vision": big_vision,
    "nanodo": nanodo,
    "purejaxrl": purejaxrl,
    "`optax.multi_transform`": multi_transform,
    "`optax.contrib.muon`": muon,
    "`optax.MultiSteps`": multi_steps,
    "`optax.apply_if_finite`": apply_if_finite,
    "Gradients accumulated by a scan": accumulation_by_scan,
    "`jax.pmap`": pmap,
}
"""The loops by the headings of the page."""
