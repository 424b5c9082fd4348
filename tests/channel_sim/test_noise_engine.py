"""The engines of the channel: which is used, and that one that rounds differently is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from channel_sim import noise_bench, noise_engine
from channel_sim.compiled import engine as compiled_engine
from channel_sim.compiled import machine_code
from channel_sim.noise_engine import NUMPY, chosen_engine, load_engine, noise_rounding
from semcom.errors import ConfigurationError

KERNELS = "channel_sim.compiled.kernels"


@pytest.fixture(autouse=True)
def engines_are_loaded_again():
    load_engine("numba")  # compiled, if no process has done it before
    for each in (load_engine, chosen_engine):
        each.cache_clear()
    yield
    for each in (load_engine, chosen_engine):
        each.cache_clear()


def test_numpy_is_not_compiled_anything():
    assert load_engine("numpy") is NUMPY


def test_both_engines_round_known_noise_alike():
    assert noise_rounding("numpy").rounding == noise_rounding("numba").rounding


@pytest.mark.parametrize("choice", ["numpy", "numba"])
def test_a_choice_is_kept(choice):
    assert chosen_engine(choice) == choice


def test_auto_is_numba_where_it_is_installed():
    assert chosen_engine("auto") == "numba"


def test_auto_waits_for_no_compiler_but_has_one_work_for_the_next_start(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(machine_code, "_folders", lambda: iter([tmp_path]))
    monkeypatch.setattr(noise_engine, "start_with_log", lambda *words, **_: started.append(words))
    assert chosen_engine("auto") == "numpy"
    assert chosen_engine("auto") == "numpy"  # a process keeps to its choice
    assert started == [("channel_sim.compiled",)]


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_auto_is_numpy_where_a_package_is_missing(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    assert chosen_engine("auto") == "numpy"


def test_auto_is_numpy_and_says_why_where_numba_does_not_work(monkeypatch, caplog):
    def broken():
        raise ImportError("Numba needs NumPy 1.9 or less")

    monkeypatch.setattr(machine_code, "load_program", broken)
    with caplog.at_level("INFO"):
        assert chosen_engine("auto") == "numpy"
    [record] = caplog.records
    assert record.getMessage() == "noise_engine auto: numpy is used"
    assert "Numba needs NumPy 1.9 or less" in record.fields["why"]


def test_without_numba_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(machine_code, "_folders", lambda: iter(()))
    monkeypatch.delitem(sys.modules, KERNELS, raising=False)
    monkeypatch.delitem(sys.modules, "channel_sim.compiled.loops", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigurationError, match=r"numba.*: pip install 'rkd-sc\[compiled\]'"):
        load_engine("numba")


@pytest.mark.parametrize("what", ["normals", "mean_power"])
def test_an_engine_that_rounds_differently_is_refused(what, monkeypatch):
    exact = getattr(compiled_engine.CompiledEngine, what)

    def nearly(*arguments, **options):
        found = exact(*arguments, **options)
        reals = found.view(np.float32).reshape(-1)
        reals[3] = np.nextafter(reals[3], np.float32(9))
        return found

    monkeypatch.setattr(compiled_engine.CompiledEngine, what, nearly)
    with pytest.raises(ConfigurationError, match="rounds differently on this machine"):
        load_engine("numba")


@pytest.mark.parametrize("what", ["through", "superposed"])
def test_an_engine_whose_frames_differ_in_a_bit_is_refused(what, monkeypatch):
    exact = getattr(compiled_engine.CompiledEngine, what)

    def nearly(*arguments, **options):
        found = exact(*arguments, **options)
        found.received_BK.real[0, 0] = np.nextafter(found.received_BK.real[0, 0], np.float32(9))
        return found

    monkeypatch.setattr(compiled_engine.CompiledEngine, what, nearly)
    with pytest.raises(ConfigurationError, match="rounds differently on this machine"):
        load_engine("numba")


def test_bench_names_every_engine_and_numpys_own_normals(monkeypatch):
    monkeypatch.setattr(noise_bench, "DRAWS", 2)
    costs = noise_bench.nanoseconds()
    assert set(costs) == {"numpy", "numba", "numpy's normals"}
    assert all(cost > 0 for cost in costs.values())
