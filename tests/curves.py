"""What TensorBoard shows of event files, by its own reader."""

from __future__ import annotations

import sys
import types

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

# The reader imports TensorFlow, which takes seconds, unless it finds this module.
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")


def curves(folder):
    """The curve of each metric: its steps and values."""
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    tags = reader.Tags()
    scalars = {tag: [(each.step, each.value) for each in reader.Scalars(tag)] for tag in tags["scalars"]}
    return scalars | {  # TensorFlow writes a scalar as a tensor
        tag: [(each.step, make_ndarray(each.tensor_proto)) for each in reader.Tensors(tag)]
        for tag in tags["tensors"]
    }


def times(folder, tag):
    """When the points of a curve were made, in seconds."""
    return [each.wall_time for each in EventAccumulator(str(folder)).Reload().Scalars(tag)]
