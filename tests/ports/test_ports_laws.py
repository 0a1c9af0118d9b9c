"""Ports obey the laws, and every port has an instance in the catalogue."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from modules import public_functions

import jaxsched.ports
from catalogue.ports import PORTS
from jaxsched.testing import LAWS

PLATEAUS = {
    "ReduceLROnPlateau",
    "ReduceOnPlateau",
    "reduce_on_plateau",
    "PlateauLRScheduler",
    "get_reduce_on_plateau_schedule",
    "get_greedy_schedule",
    "GreedyLR",
    "ReduceOnPlateauLR",
    "ReduceOnPlateauMomentum",
}
SYSTEMS = sorted(
    module.name for module in pkgutil.iter_modules(jaxsched.ports.__path__) if module.name[0] != "_"
)


PAIRS = [(port, law) for i, port in enumerate(PORTS) for j, law in enumerate(LAWS) if (i + j) % 6 == 0]
"""A sixth of the laws for each port, and a sixth of the ports for each law. A port only composes what the
catalogue has, where `test_laws.py` checks all of them, and `test_ports.py` has its values."""


@pytest.mark.thorough
@pytest.mark.parametrize(("port", "law"), PAIRS)
def test_law(port, law):
    LAWS[law](PORTS[port]())


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_port_has_an_instance(system):
    module = importlib.import_module(f"jaxsched.ports.{system}")
    ports = public_functions(module)
    assert ports - PLATEAUS - {"from_config"} == {
        name.split()[1] for name in PORTS if name.split()[0] == system
    }
