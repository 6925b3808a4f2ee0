"""What the operator wrote, validated once: the environment (`Settings`) and models.yaml (`Catalog`)."""

from arena.config.catalog import PROFILES, Catalog, files_named_in, load_catalog, profiles_of
from arena.config.contestants import (
    ENGINES,
    QUANTIZATIONS,
    Chat,
    Contestant,
    DecodingFields,
    EngineName,
    FakeScript,
    Judge,
    Localized,
    Price,
    Prompts,
    Quantization,
    Topic,
)
from arena.config.explained import keys_table
from arena.config.profile import nvidia_gpu_visible, on_disk, resolve_profile
from arena.config.settings import Settings, options_table, unknown_variables

__all__ = [
    "ENGINES",
    "PROFILES",
    "QUANTIZATIONS",
    "Catalog",
    "Chat",
    "Contestant",
    "DecodingFields",
    "EngineName",
    "FakeScript",
    "Judge",
    "Localized",
    "Price",
    "Prompts",
    "Quantization",
    "Settings",
    "Topic",
    "files_named_in",
    "keys_table",
    "load_catalog",
    "nvidia_gpu_visible",
    "on_disk",
    "options_table",
    "profiles_of",
    "resolve_profile",
    "unknown_variables",
]
