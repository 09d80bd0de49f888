"""The optimiser and its learning-rate schedule, made of optax's parts."""

import optax

from zoo.training.config import TrainingConfig
from zoo.training.objective import penalised


def learning_rate(config: TrainingConfig, total_steps: int) -> optax.Schedule:
    """The learning rate as a function of the step, counted from 0.

    It climbs in a straight line over `warmup · total_steps` steps, then stays, or falls to
    zero along half a cosine or a straight line.
    """
    warm = round(config.warmup * total_steps)
    fall = max(total_steps - warm, 1)
    after: optax.Schedule = {
        "constant": optax.constant_schedule(config.learning_rate),
        "cosine": optax.cosine_decay_schedule(config.learning_rate, fall),
        "linear": optax.linear_schedule(config.learning_rate, 0.0, fall),
    }[config.schedule]
    if not warm:
        return after
    # The first step of a climb from zero is not wasted on a rate of zero.
    climb = optax.linear_schedule(config.learning_rate / warm, config.learning_rate, warm - 1)
    return optax.join_schedules((climb, after), (warm,))


def make_optimizer(config: TrainingConfig, total_steps: int) -> optax.GradientTransformation:
    """Clipping, then the rule, then decoupled weight decay, then the learning rate."""
    rule = {
        "adam": optax.scale_by_adam(config.beta_1, config.beta_2, config.epsilon),
        "sgd": optax.trace(config.beta_1),
    }[config.optimizer]
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity(),
        rule,
        optax.add_decayed_weights(config.weight_decay, mask=penalised)
        if config.weight_decay
        else optax.identity(),
        optax.scale_by_learning_rate(learning_rate(config, total_steps)),
    )
