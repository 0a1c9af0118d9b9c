"""Functions that goldens name: what users pass to schedulers that take one."""

import math


def halving(epoch):
    return 0.5**epoch


def inverse(epoch):
    return 1 / (1 + epoch)


def steps_of_ten(epoch):
    return 0.1 ** (epoch // 10)


def quarter_turns(step):
    return 0.5 * (1 + math.sin(step * math.pi / 2))


def ramp_of_eight(step):
    return min(1.0, (step + 1) / 8)


def three_levels(step):
    return [1.0, 0.5, 0.25][step % 3]


def nearly_one(step):
    return 1 - 0.5 / (1 + step)


def up_and_down(step):
    return 1.05 if step % 2 else 0.95


def inverse_of_cycle(cycle):
    return 1 / cycle


def slow_decay(step):
    return 1 / 5 ** (step * 0.001)


def down_from_the_fifth(epoch, learning_rate):
    return learning_rate if epoch < 5 else 0.9 * learning_rate


def by_the_epoch(epoch, learning_rate=1.0):
    return learning_rate / (1 + epoch / 10)


def fading(fraction):
    return 0.9 - 0.7 * math.sqrt(fraction)
