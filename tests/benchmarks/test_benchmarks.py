"""The benchmarks run and compare equivalent code. The sizes are small, so the times mean nothing."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax import lax

from benchmarks import cost, device, epoch, hlo, overhead, targets, timing
from benchmarks.bounds import BOUNDS, REASONS, judged
from benchmarks.peers import PAIRS, THIRTEEN, T
from benchmarks.report import markdown
from benchmarks.timing import calls_in, paired
from train.data import Data, Split
from train.model import LeNet


def bright(count, seed=0):
    """Images whose brightness shows their label."""
    labels = np.random.default_rng(seed).integers(0, 10, count, np.int32)
    images = np.broadcast_to((25 * labels.astype(np.uint8))[:, None, None, None], (count, 28, 28, 1))
    return Split(images, labels)


DATA = Data(bright(600), bright(60, seed=1))
PEERS = ("ours", *(pytest.param(peer, marks=pytest.mark.thorough) for peer in ("plain_flax", "pytorch")))


@pytest.fixture
def peer(request):
    if request.param == "pytorch":
        pytest.importorskip("torch")
    return getattr(epoch, request.param)


@pytest.mark.parametrize("peer", PEERS, indirect=True)
@pytest.mark.thorough
def test_an_epoch_is_the_whole_batches_and_the_test(peer):
    one = peer(DATA)
    results = [one() for _ in range(4)]
    losses = [loss for loss, _ in results]
    assert losses[0] == pytest.approx(np.log(10), rel=0.1)
    assert losses[-1] < losses[0]
    assert all(0 <= accuracy <= 1 for _, accuracy in results)


LAYERS = ("conv1", "conv2", "dense1", "dense2", "dense3")


def pytorch_logits(ours, images):
    """The logits of PyTorch's LeNet with our parameters, and the number of parameters."""
    torch = pytest.importorskip("torch")
    theirs = epoch.torch_lenet()
    layers = [layer for layer in theirs if list(layer.parameters())]
    with torch.no_grad():
        for name, layer in zip(LAYERS, layers, strict=True):
            mine = getattr(ours, name)
            kernel = np.array(mine.kernel[...])
            if name == "dense1":  # PyTorch orders pixels by channel, row, column
                kernel = kernel.reshape(5, 5, 16, 120).transpose(2, 0, 1, 3).reshape(400, 120)
            layer.weight.copy_(torch.tensor(np.moveaxis(kernel, (-1, -2), (0, 1))))
            layer.bias.copy_(torch.tensor(np.array(mine.bias[...])))
        logits = theirs(torch.tensor(np.array(images).transpose(0, 3, 1, 2))).numpy()
    return logits, sum(each.numel() for each in theirs.parameters())


@pytest.mark.thorough
def test_the_models_are_one():
    ours = LeNet(nnx.Rngs(0))
    for name in LAYERS:
        bias = getattr(ours, name).bias
        bias[...] = jax.random.normal(jax.random.key(0), bias.shape)
    images = jax.random.uniform(jax.random.key(1), (64, 28, 28, 1))
    labels = np.arange(64) % 10
    logits, count = pytorch_logits(ours, images)
    assert count == 61_706
    losses = [
        optax.softmax_cross_entropy_with_integer_labels(np.asarray(each), labels).mean()
        for each in (nnx.jit(ours)(images), logits)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@pytest.mark.thorough
def test_the_table_of_epochs():
    pytest.importorskip("torch")
    rows = epoch.measure(DATA, rounds=1, divisor=2)
    assert [row["peer"].split(",")[0] for row in rows] == ["PyTorch", "Flax"]
    assert "None" not in markdown(rows)


def test_a_share_is_the_first_images():
    share = epoch.share(DATA, 10)
    assert [len(array) for array in jax.tree.leaves(share)] == [60, 60, 6, 6]
    np.testing.assert_array_equal(share.train.labels, DATA.train.labels[:60])


@pytest.mark.thorough
def test_the_table_of_overheads():
    rows = overhead.training(steps=2, rounds=1, alone=10) + overhead.one_after_another(3)
    assert [row["peer"] for row in rows] == ["a constant rate"] * 2 + ["Optax"] * 3
    assert [(row["ours"], row["theirs"]) for row in rows[-2:]] == [("1", "3"), ("1", "3")]


def test_one_trace_serves_all_seven_kinds():
    kinds = [kind(i) for i, kind in enumerate(overhead.KINDS)]
    assert len({type(kind) for kind in kinds}) == 7
    stacked = overhead.picked(kinds)
    assert overhead.traces_of_arguments(stacked) == 1
    np.testing.assert_array_equal([each(7) for each in stacked], [each(7) for each in kinds])


@pytest.mark.thorough
def test_the_table_of_a_device(monkeypatch):
    monkeypatch.setattr(device, "EVERY", {name: device.EVERY[name] for name in ("cosine", "linear")})
    rows = {row["what"]: row["result"] for row in device.measure(images=600, epochs=1, many=2)}
    assert [what.partition(",")[0] for what in rows][:3] == [
        "one schedule",
        "the 7 schedules of `compare`",
        "2 schedules",
    ]
    assert rows["error of 2 schedules"].startswith("at most ")
    assert rows["a resumed run ends with the same bits"] == "yes"


def test_a_device_is_not_measured_on_a_cpu(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["device"])
    with pytest.raises(SystemExit) as ended:
        device.main()
    assert ended.value.code == 1
    assert "no accelerator here, only a CPU. Nothing was measured." in capsys.readouterr().err


def test_random_data_has_the_form_of_the_real():
    data = device.random_data(60)
    assert data.train.images.shape == (60, 28, 28, 1)
    assert data.test.images.shape == (10, 28, 28, 1)
    assert (data.train.images.dtype, data.train.labels.dtype) == (np.uint8, np.int32)


COMPUTATIONS = """HloModule jit_rate, is_scheduled=true, entry_computation_layout={(s32[])->f32[]}

%sines (x: f32[]) -> f32[] {
  %x = f32[]{:T(128)} parameter(0)
  %two = f32[]{:T(128)} constant(2)
  %product = f32[]{:T(128)S(6)} multiply(%x, %two), metadata={op_name="jit(rate)/call(add(x))"}
  ROOT %sine = f32[]{:T(128)S(6)} sine(%product)
}

%sign (y: f32[]) -> f32[] {
  %y = f32[] parameter(0)
  ROOT %negative.1 = f32[] negate(%y)
}

%body.2 (state: (s32[], f32[])) -> (s32[], f32[]) {
  %state = (s32[]{:T(128)}, f32[]{:T(128)}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %value = f32[] get-tuple-element(%state), index=1
  %one = s32[] constant(1)
  %next = s32[] add(%i, %one)
  %called = f32[] call(%value), to_apply=%sines
  ROOT %both = (s32[]{:T(128)}, /*index=1*/f32[]{:T(128)}) tuple(%next, %called)
}

%condition.2 (state.1: (s32[], f32[])) -> pred[] {
  %state.1 = (s32[], f32[]) parameter(0)
  %i.1 = s32[] get-tuple-element(%state.1), index=0
  %limit = s32[]{:T(128)} constant(7), metadata={op_name="jit(rate)/while"}
  ROOT %more = pred[] compare(%i.1, %limit), direction=LT
}

ENTRY %main.9 (step: s32[]) -> f32[] {
  %step = s32[]{:T(128)} parameter(0), metadata={op_name="step"}
  %zero = f32[]{:T(128)} constant(0)
  %start = (s32[], f32[]) tuple(%step, %zero)
"""

ENTRIES = {
    "nothing": ('  ROOT %r = f32[] bitcast(%zero), metadata={op_name="a line with sine(x)"}', 0),
    "one": ('  ROOT %r = f32[]{:T(128)S(6)} sine(%zero), backend_config={"flag_configs":[]}', 1),
    "a copy and a conversion": (
        "  %c = s32[]{:T(128)S(6)} copy(%step)\n  ROOT %r = f32[] convert(%c)",
        2,
    ),
    "a fusion, however much it fuses": ("  ROOT %r = f32[] fusion(%zero), kind=kLoop, calls=%sines", 1),
    "a call": ("  ROOT %r = f32[] call(%zero), to_apply=%sines", 2),
    "a result of two": ("  ROOT %r = (f32[8]{0}, /*index=1*/s32[]) custom-call(%zero)", 1),
    "a loop whose trips are known": (
        "  ROOT %w = (s32[], f32[]) while(%start), condition=%condition.2, body=%body.2, "
        'backend_config={"known_trip_count":{"n":"5"},"known_init_step":{"init":"0","step":"1"}}',
        15,
    ),
    "a loop up to a constant": (
        "  ROOT %w = (s32[], f32[]) while(%start), condition=%condition.2, body=%body.2",
        21,
    ),
    "a choice": (
        "  ROOT %r = f32[] conditional(%step, %zero, %zero), branch_computations={%sign, %sines}",
        2,
    ),
    "a choice, the longer if true": (
        "  ROOT %r = f32[] conditional(%p, %zero, %zero), true_computation=%sines, false_computation=%sign",
        2,
    ),
    "a choice, the longer if false": (
        "  ROOT %r = f32[] conditional(%p, %zero, %zero), true_computation=%sign, false_computation=%sines",
        2,
    ),
}


@pytest.mark.parametrize(("lines", "count"), ENTRIES.values(), ids=ENTRIES)
def test_instructions_that_run(lines, count):
    text = f"{COMPUTATIONS}{lines}\n}}\n"
    assert hlo.instructions(text) == count
    assert hlo.loops(text) == (" while(" in lines)


def test_what_cannot_be_counted_is_refused():
    endless = COMPUTATIONS.replace("constant(7)", "negate(%i.1)")
    loop, _ = ENTRIES["a loop up to a constant"]
    with pytest.raises(ValueError, match="trip count of every loop, got none for `w`"):
        hlo.instructions(f"{endless}{loop}\n}}\n")
    with pytest.raises(ValueError, match="ENTRY"):
        hlo.instructions(COMPUTATIONS.partition("ENTRY")[0])


def test_a_real_program_is_counted():
    """A loop of six sines has one loop and at least six executed instructions."""

    def looped(x):
        return lax.fori_loop(0, 6, lambda _, value: jnp.sin(value), x)

    text = targets.here().lower(looped, 1.0).compile().as_text()
    assert hlo.loops(text) == 1
    assert hlo.instructions(text) >= 6
    assert hlo.instructions(targets.here().lower(lambda x: x, 1.0).compile().as_text()) <= 1


FLOAT64 = {
    "module @jit_f { %0 = stablehlo.constant dense<0.1> : tensor<f64> }": 1,
    "%1 = stablehlo.convert %0 : (tensor<4x3xf64>) -> tensor<?xf64>": 2,
    "%a = f64[8]{0} convert(%b)": 1,
    '%to_f64.1 = f32[] convert(%b), metadata={op_name="jit(f64_free)/bf640"}': 0,
}


@pytest.mark.parametrize(("text", "count"), FLOAT64.items())
def test_float64_is_found(text, count):
    assert hlo.float64s(text) == count


@pytest.mark.parametrize(
    "name",
    # Optax's join of a thousand is as many operations.
    [pytest.param(name, marks=[pytest.mark.thorough] * (name in cost.SLOW)) for name in PAIRS],
)
def test_costs_are_of_the_same_rates(name):
    pair = PAIRS[name]()
    steps = jnp.array([0, 1, 700, 999, 1000, 1001, 5050, 20001, 29000, 45000, 60001, T - 1000])
    ours, theirs = (np.asarray(jax.vmap(rate)(steps)) for rate in (pair.our_closed, pair.their_rate))
    assert ours.shape == (len(steps), pair.members)[: 1 + bool(pair.members)]
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.thorough
def test_the_tables_of_costs():
    """The CPU stands in for the other targets. It computes in float64, so the TPU table must report that."""
    target = targets.here()
    tables = {
        "cpu": cost.on_cpu(["Linear"], many=10, rounds=1),
        "many": cost.of_many_parts(parts=5, rounds=1),
        "import": at_their_limits()["import"],
        "tpu": cost.on_tpu(target, ["Linear"], rounds=1),
        "gpu": cost.on_gpu(target, ["Linear", "stack of 5 kinds"], rounds=1),
    }
    tables = json.loads(json.dumps(tables))  # as if from another environment
    for table in tables.values():
        assert "None" not in markdown(table)
    (tpu,) = tables["tpu"]
    assert tpu["float64"] > 0
    assert 1 <= tpu["closed over"] <= tpu["an argument"]
    assert tpu["Optax adds"] >= 1
    for row in tables["cpu"]:
        assert 2 <= row["constant"] < row["Optax"]
    assert "a call" in tables["gpu"][0]
    rows = judged(tables)
    assert len(rows) == len(BOUNDS)
    assert [row["what"] for row in rows if row["is"] == "not measured"] == [
        "TPU: those of thirteen usual schedules",
        "TPU: those of growing restarts",
    ]


@pytest.mark.thorough
def test_the_table_of_imports():
    """In processes of their own, the first without any bytecode."""
    (row,) = cost.of_importing(rounds=1)
    assert row.keys() == at_their_limits()["import"][0].keys()
    assert row["import"].keys() == times(1, 1).keys()
    assert min(row["import"]["ours"], row["import"]["theirs"]) > 0


def times(ours, theirs):
    return {"ours": ours, "theirs": theirs, "factor": ours / theirs, "spread": [0.5, 2]}


def at_their_limits():
    """Costs at their limits. Nine of the thirteen are below theirs, so that the total equals Optax's."""

    def counts(name, ours, theirs, loops=0):
        return {
            "schedule": name,
            "closed over": ours,
            "an argument": 150,
            "Optax": theirs,
            "loops": loops,
            "adds to a step": 5,
            "Optax adds": 3,
            "float64": 0,
            "compile": times(1.55, 1.0),
        }

    numbers = 3 * [22] + 9 * [6] + [10]
    usual = [counts(name, number, 10) for name, number in zip(THIRTEEN, numbers, strict=True)]
    return {
        "tpu": [
            *usual,
            counts("warm_restarts, growing", 80, 100),
            counts("join of 1,000", 30, 1000, loops=1),
        ],
        "gpu": [counts("Linear", 1, 1), counts("stack of 5 kinds", 3, 1)],
        "cpu": [
            {
                "schedule": name,
                "in a step": 5,
                "Optax": 3,
                "trace, lower, compile": times(to_compile, 1),
                "an eager call": times(9 if name == "Constant" else 1, 1),
                "many rates": times(many, 1),
            }
            for name, to_compile, many in (
                ("Constant", 1.5, 2.5),
                ("noam", 0.999 * 1.25**4 / 1.5**3, 6),
                ("inverse_sqrt", 1.5, 6),
                ("Linear", 1.5, 0.999 * 1.3**4 / (2.5 * 6 * 6)),
                ("join of 1,000", 1e-3, 1e-3),
            )
        ],
        "many": [{"schedule": "join of 1,000", "compile": times(5, 1), "a call": times(2, 1)}],
        "import": [{"what": "import", "import": times(0.1, 1)}],
    }


def broken(tables):
    return [row["what"] for row in judged(tables) if row["holds"] != "yes"]


def test_costs_at_their_limits_hold():
    assert broken(at_their_limits()) == []


BREAKS = {
    "TPU: instructions of one evaluation, closed over": ("tpu", "Constant", "closed over", 23),
    "TPU: those of thirteen usual schedules": ("tpu", "join of 3", "closed over", 11),
    "TPU: those of growing restarts": ("tpu", "warm_restarts, growing", "closed over", 81),
    "TPU: loops in one evaluation, closed over": ("tpu", "Cosine", "loops", 1),
    "TPU: instructions of one evaluation, as an argument": ("tpu", "join of 1,000", "an argument", 151),
    "TPU: float64 in StableHLO or compiled, forward or in a gradient": ("tpu", "Cosine", "float64", 1),
    "TPU: seconds to compile one evaluation": ("tpu", "Cosine", "compile", times(1.56, 1)),
    "TPU: instructions added to a step of SGD with momentum": ("tpu", "Cosine", "adds to a step", 6),
    "GPU: kernels of one evaluation, closed over": ("gpu", "Linear", "closed over", 2),
    "GPU: those of a stack": ("gpu", "stack of 5 kinds", "closed over", 4),
    "GPU: kernels added to a step of SGD with momentum": ("gpu", "Linear", "adds to a step", 6),
    "CPU: operations in a step of SGD with momentum": ("cpu", "Constant", "in a step", 6),
    "CPU: trace, lower and compile, to Optax's": (
        "cpu",
        "join of 1,000",
        "trace, lower, compile",
        times(2, 1),
    ),
    "CPU: trace, lower and compile, geometric mean": ("cpu", "noam", "trace, lower, compile", times(0.75, 1)),
    "CPU: an eager call, to Optax's": ("cpu", "Linear", "an eager call", times(1.01, 1)),
    "CPU: 10^6 rates in one call, to Optax's": ("cpu", "join of 1,000", "many rates", times(2.6, 1)),
    "CPU: 10^6 rates, geometric mean": ("cpu", "Linear", "many rates", times(0.04, 1)),
    "CPU: 1,000 parts, to compile, to Optax's warmup-cosine": (
        *("many", "join of 1,000", "compile"),
        times(5.1, 1),
    ),
    "CPU: 1,000 parts, a call, to one Cosine": ("many", "join of 1,000", "a call", times(2.1, 1)),
    "`import jaxsched` beyond `import jax, optax`, to that": ("import", "import", "import", times(0.11, 1)),
}


@pytest.mark.parametrize("what", BREAKS)
def test_costs_above_a_limit_break_their_bound(what):
    tables = at_their_limits()
    table, name, column, value = BREAKS[what]
    (row,) = [row for row in tables[table] if name in (row.get("schedule"), row.get("what"))]
    row[column] = value
    # A usual schedule that exceeds its limit by one also exceeds the limit of the thirteen together.
    usual = (table, column) == ("tpu", "closed over") and name in THIRTEEN
    assert set(broken(tables)) == {what} | ({"TPU: those of thirteen usual schedules"} if usual else set())


def test_a_bound_names_what_is_furthest_above_it():
    tables = at_their_limits()
    tables["tpu"][1]["closed over"], tables["tpu"][2]["closed over"] = 24, 1234
    row = judged(tables)[0]
    assert (row["is"], row["holds"]) == (f"{THIRTEEN[2]} 1,234, limit 22", "no: 2 of 15")


def test_bounds_that_do_not_hold_have_reasons_of_bounds():
    assert set(BREAKS) == {bound.what for bound in BOUNDS} >= set(REASONS)


@pytest.fixture
def wait(monkeypatch):
    """Advances a fake clock by a number of seconds."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def seconds(count):
        now[0] += count

    return seconds


def test_what_comes_before_a_turn_is_not_timed(wait):
    order = []

    def turn(name, seconds):
        return lambda: (order.append(name), wait(seconds))

    times = paired(turn("ours", 2), turn("theirs", 3), calls=2, rounds=3, before=turn("before", 100))
    assert times == (2, 3, 1.5, (1.5, 1.5))
    assert order == ["ours", "theirs", *3 * ["before", "ours", "ours", "before", "theirs", "theirs"]]


@pytest.mark.parametrize(("seconds", "calls"), [(1, 1), (0.011, 2), (1e-4, 200), (1e-9, 1000)])
def test_as_many_calls_as_a_time_allows(wait, seconds, calls):
    assert calls_in(lambda: wait(seconds)) == calls


def test_a_factor_is_ours_to_theirs(wait):
    cell = cost.in_turns(lambda: wait(0.5), lambda: wait(0.25), rounds=3)
    assert cell == {"ours": 0.5, "theirs": 0.25, "factor": 2, "spread": (2, 2)}
    assert markdown([{"a call": cell}]).endswith("| 500 ms to 250 ms: 2.00 (2.00 to 2.00) |")
