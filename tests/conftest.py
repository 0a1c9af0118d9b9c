"""Eight CPU devices for every test, before JAX starts; no test fails because it was slow, or by chance."""

import os

from hypothesis import HealthCheck, settings
from processes import COMPILED_QUICKLY

os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

settings.register_profile(
    "patient", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_addoption(parser):
    parser.addoption(
        "--optimized",
        action="store_true",
        help="compile as users do; without it XLA leaves LLVM's optimizations out, in half the time",
    )


def pytest_configure(config):
    if not config.getoption("--optimized"):
        quickly = [f"--{name}={str(value).lower()}" for name, value in COMPILED_QUICKLY.items()]
        os.environ["XLA_FLAGS"] = " ".join([os.environ["XLA_FLAGS"], *quickly])
