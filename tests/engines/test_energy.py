"""Energy: read from the GPUs' counters or their power, shared among answers by their tokens, never guessed."""

from __future__ import annotations

import asyncio
import threading

import pytest
from fake_nvml import FakeNvml

from arena.engines.energy import EnergyCounter, EnergyShares


def test_the_counters_of_the_visible_gpus_are_added_up() -> None:
    """The library counts millijoules and is opened once; a GPU that is not ours is not read."""
    nvml = FakeNvml(100.0, 20.5, 7000.0)
    counter = EnergyCounter([0, 1], nvml)
    assert counter.joules() == pytest.approx(120.5)
    nvml.joules[1] += 4
    assert counter.joules() == pytest.approx(124.5)
    assert nvml.begun == 1


def test_a_gpu_without_a_counter_has_its_power_integrated() -> None:
    """From 100 W to 300 W within two seconds: 400 J."""
    nvml, clock = FakeNvml(0.0, counters=False), iter((10.0, 12.0))
    counter = EnergyCounter([0], nvml, now=lambda: next(clock))
    nvml.watts[0] = 100.0
    assert counter.joules() == 0.0
    nvml.watts[0] = 300.0
    assert counter.joules() == pytest.approx(400.0)


def test_where_nothing_measures_nothing_is_said() -> None:
    """No library, no GPU, or a driver that refuses: None, and no zero."""

    class Refusing(FakeNvml):
        def nvmlInit(self) -> None:
            raise self.NVMLError("no driver")

    assert EnergyCounter([0], None).joules() is None
    assert EnergyCounter([], FakeNvml()).joules() is None
    assert EnergyCounter([0], Refusing(1.0)).joules() is None


async def test_answers_at_the_same_time_share_by_their_tokens() -> None:
    """Thirty tokens and ten: three quarters and one."""
    nvml = FakeNvml(50.0)
    shares = await measuring(nvml)
    one, two = shares.begin(), shares.begin()
    assert one is not None
    assert two is not None
    one.tokens, two.tokens = 30, 10
    nvml.joules[0] += 80
    assert await shares.end(one) == pytest.approx(60.0)
    two.tokens = 11
    nvml.joules[0] += 5
    assert await shares.end(two) == pytest.approx(20.0 + 5.0), "what came later is the other's alone"


async def test_while_all_are_being_read_the_energy_is_shared_evenly() -> None:
    """No token yet, but the prompts are being computed."""
    nvml = FakeNvml(0.0)
    shares = await measuring(nvml)
    one, two = shares.begin(), shares.begin()
    assert one
    assert two
    nvml.joules[0] += 10
    assert (await shares.end(one), await shares.end(two)) == (pytest.approx(5.0), pytest.approx(5.0))


async def test_an_idle_gpu_is_nobodys_and_an_unmeasured_answer_costs_nothing_known() -> None:
    """Energy between answers is not charged to the next one."""
    nvml = FakeNvml(0.0)
    shares = await measuring(nvml)
    nvml.joules[0] += 1000
    await shares.settle()
    share = shares.begin()
    assert share
    share.tokens = 1
    nvml.joules[0] += 2
    assert await shares.end(share) == pytest.approx(2.0)
    unmeasured = EnergyShares(lambda: None)
    await unmeasured.keep_settling()
    assert unmeasured.begin() is None


async def test_who_is_cancelled_while_the_gpus_are_read_shares_in_nothing_more() -> None:
    """A reading takes milliseconds, and a voter may stop in one of them."""
    nvml, reading, go_on = FakeNvml(0.0), threading.Event(), threading.Event()
    counter = EnergyCounter([0], nvml)

    def read() -> float | None:
        reading.set()
        assert go_on.wait(60)
        return counter.joules()

    shares = EnergyShares(read)
    go_on.set()
    await shares.settle()
    gone, here = shares.begin(), shares.begin()
    assert gone
    assert here
    for event in (reading, go_on):
        event.clear()
    ending = asyncio.create_task(shares.end(gone))
    assert await asyncio.to_thread(reading.wait, 60)
    ending.cancel()
    await asyncio.wait({ending})
    go_on.set()
    nvml.joules[0] += 10
    assert await shares.end(here) == pytest.approx(10.0)


async def measuring(nvml: FakeNvml) -> EnergyShares:
    """Shares that have read the counters once."""
    shares = EnergyShares(EnergyCounter(range(len(nvml.joules)), nvml).joules)
    await shares.settle()
    return shares
