"""Every system's schedulers under their own names: `jaxsched.ports.torch.StepLR(0.1, step_size=30)`.

A function here has the name, the arguments and the defaults of its original, without the optimizer, and
returns the schedule that gives what the original gives at the same integer.
"""

from jaxsched.ports import d2l, keras, mxnet, optax, paddle, timm, torch, transformers

__all__ = ["d2l", "keras", "mxnet", "optax", "paddle", "timm", "torch", "transformers"]
