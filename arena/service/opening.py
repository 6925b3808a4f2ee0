"""Putting an arena together: from settings to the store, the engines and the facade over them."""

from __future__ import annotations

from array import array

import numpy as np

from arena.battles.masking import Masker
from arena.config import Catalog, Contestant, Settings, load_catalog, resolve_profile
from arena.errors import ConfigError
from arena.ratings import elo
from arena.ratings.comparisons import Comparisons
from arena.service.arena import Arena
from arena.service.boards import default_parameters
from arena.service.borrowed_models import BorrowedModels
from arena.service.fleet import LocalModels, build_fleet
from arena.service.local_models import PooledModels
from arena.store.connections import require_file
from arena.store.store import Store


def open_store(settings: Settings, *, new: bool = True) -> Store:
    """The database that the settings name, with Elo as they state it.

    Raises `StoreError` where there is none and no new one is wanted.
    """
    if not new:
        require_file(settings.database, settings.storage)
    parameters = default_parameters(settings.elo_k, settings.elo_start, settings.elo_scale)

    def step(rating_a: float, rating_b: float, outcome: float) -> tuple[float, float]:
        gain = elo.step(rating_a, rating_b, outcome, parameters)
        return rating_a + gain, rating_b - gain

    def fold(ratings: list[float], a: array[int], b: array[int], outcomes: array[float]) -> None:
        first, second = np.frombuffer(a, np.int64), np.frombuffer(b, np.int64)
        rows = Comparisons(("",) * len(ratings), first, second, np.frombuffer(outcomes))
        ratings[:] = elo.fold(rows, parameters, ratings).ratings.tolist()

    return Store.open(
        settings.database,
        storage_dir=settings.storage,
        elo_step=step,
        elo_fold=fold,
        elo_start=parameters.scale.start,
        secrets=settings.signing_keys(),
    )


def open_arena(settings: Settings) -> Arena:
    """Everything that the settings name, opened and joined. Raises `ConfigError` or `StoreError`."""
    profile = resolve_profile(settings)
    catalog = load_catalog(settings.models, profile)
    fleet = build_fleet(catalog, settings, models_here)
    return Arena(settings, catalog, open_store(settings), fleet, masker=masker_of(catalog))


def models_here(entries: tuple[Contestant, ...], settings: Settings) -> LocalModels:
    """Models in workers of their own, or in this process where a Space lends its GPU by the call."""
    borrowed = [entry.name for entry in entries if entry.engine == "zerogpu"]
    if not borrowed:
        return PooledModels(entries, settings)
    if len(borrowed) < len(entries):
        message = f"{borrowed[0]} runs in this process, others of this profile in workers: they cannot share a GPU"
        raise ConfigError(message, key="engine", suggestion="use one of engine: local and engine: zerogpu in a profile")
    return BorrowedModels(entries, settings)


def masker_of(catalog: Catalog) -> Masker:
    """Hides the names that stand in the catalogue, disabled ones included, wherever an answer introduces itself."""
    entries = catalog.contestants
    return Masker.from_names(
        [entry.name for entry in entries],
        [entry.organisation for entry in entries if entry.organisation],
        [entry.family for entry in entries if entry.family],
    )
