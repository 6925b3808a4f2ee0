"""A ZeroGPU profile plays battles from this process; what cannot be loaded takes no part and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.config import Contestant, Settings
from arena.engines.local import Phase
from arena.errors import ConfigError, ModelUnavailable
from arena.service.opening import models_here
from arena.types import Decoding, Finish, Message, Role
from tests.engines.checkpoints import build

pytestmark = pytest.mark.torch
pytest.importorskip("torch")


def entry(name: str, model: Path) -> Contestant:
    return Contestant(name=name, engine="zerogpu", model=str(model), quantization="fp32", context=128, concurrency=1)


async def test_models_are_loaded_once_and_answer_here(tmp_path: Path) -> None:
    """A sound one answers; a broken one is out of the game, and the operator sees the reason."""
    sound = build(tmp_path / "sound", "qwen2", context=512, seed=1)
    broken = tmp_path / "broken"
    broken.mkdir()
    models = models_here((entry("sound", sound), entry("broken", broken)), Settings(storage=tmp_path))
    await models.start()
    assert models.ready() == {"sound"}
    assert models.cold() == frozenset()
    phases = {one.name: one.phase for one in models.states()}
    assert phases == {"sound": Phase.WARM, "broken": Phase.FAILED}
    assert models.preparation().problem
    with pytest.raises(ModelUnavailable):
        await models.warm(["sound", "broken"])
    question = (Message(Role.USER, "Привет!"),)
    items = [item async for item in models.engine("sound").stream(question, Decoding(max_tokens=4, temperature=0))]
    assert isinstance(items[-1], Finish)
    await models.enable("sound", False)
    assert models.ready() == frozenset()
    await models.close()


def test_a_profile_of_both_kinds_is_refused_in_words(tmp_path: Path) -> None:
    """Workers and this process would each want the one GPU."""
    mixed = (entry("lent", tmp_path), Contestant(name="own", model="org/own"))
    with pytest.raises(ConfigError, match="lent runs in this process"):
        models_here(mixed, Settings(storage=tmp_path))
