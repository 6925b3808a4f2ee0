"""Putting an arena together: from settings to the store, the engines and the facade over them."""

from __future__ import annotations

from arena.battles.masking import Masker
from arena.config import Catalog, Settings, load_catalog, resolve_profile
from arena.ratings import elo
from arena.service.arena import Arena
from arena.service.boards import default_parameters
from arena.service.fleet import build_fleet
from arena.service.local_models import PooledModels
from arena.store.store import Store


def open_store(settings: Settings) -> Store:
    """The database that the settings name, with Elo as they state it."""
    parameters = default_parameters(settings.elo_k, settings.elo_start, settings.elo_scale)

    def step(rating_a: float, rating_b: float, outcome: float) -> tuple[float, float]:
        gain = elo.step(rating_a, rating_b, outcome, parameters)
        return rating_a + gain, rating_b - gain

    return Store.open(settings.database, storage_dir=settings.storage, elo_step=step, elo_start=parameters.scale.start)


def open_arena(settings: Settings) -> Arena:
    """Everything that the settings name, opened and joined. Raises `ConfigError` or `StoreError`."""
    profile = resolve_profile(settings)
    catalog = load_catalog(settings.models, profile)
    fleet = build_fleet(catalog, settings, PooledModels)
    return Arena(settings, catalog, open_store(settings), fleet, masker=masker_of(catalog))


def masker_of(catalog: Catalog) -> Masker:
    """Hides the names that stand in the catalogue, disabled ones included, wherever an answer introduces itself."""
    entries = catalog.contestants
    return Masker.from_names(
        [entry.name for entry in entries],
        [entry.organisation for entry in entries if entry.organisation],
        [entry.family for entry in entries if entry.family],
    )
