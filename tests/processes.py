"""What tests share that start processes of their own or compile much."""

from importlib.metadata import version

COMPILED_QUICKLY = {"xla_backend_optimization_level": 0, "xla_cpu_parallel_codegen_split_count": 1}
"""Options for programs on a CPU whose tests are not about what a compiler makes of them: it takes a third of
the time."""

if tuple(map(int, version("jax").split(".")[:2])) < (0, 11):
    # Later versions of XLA have no other emitters.
    COMPILED_QUICKLY["xla_cpu_use_fusion_emitters"] = False

HANG = 30 * 60
"""Seconds after which a process has hung. It only ends what would never end: no test waits that long, however
busy the machine is, and none depends on how long anything takes."""
