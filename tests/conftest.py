"""Eight CPU devices for every test, before JAX starts."""

import os

# These run the original systems, or write the docs; none of them is a test.
collect_ignore_glob = ["goldens/make_*.py"]

os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
