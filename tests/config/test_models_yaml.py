"""The catalogue that ships: complete, pinned, and honest about what is not free."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arena.config import PROFILES, Catalog, load_catalog

FILE = Path(__file__).parents[2] / "models.yaml"

EXPECTED = """
T-lite-it-1.0 · T-pro-it-1.0 · T-lite-instruct-0.1 · Vikhr-Nemo-12B-Instruct-R-21-09-24 ·
Vikhr-Llama3.1-8B-Instruct-R-21-09-24 · Mistral-Nemo-Instruct-2407 · saiga_nemo_12b v3 · RuadaptQwen2.5-7B-Instruct ·
RuadaptQwen2.5-32B-Instruct · Qwen2.5-7B-Instruct · Qwen2.5-14B-Instruct · Qwen2.5-32B-Instruct · gemma-2-9b-it ·
gemma-2-27b-it · Llama-3.1-8B-Instruct · Llama-3.1-Tulu-3-8B · suzume-llama-3-8B-multilingual-orpo-borda-half ·
notus-7b-v1 · SmallThinker-3B-Preview · DeepSeek-R1-Distill-Qwen-7B · DeepSeek-R1-Distill-Qwen-32B · EagleX v2 7B
"""


def catalog(profile: str) -> Catalog:
    return load_catalog(FILE, profile, {})


def test_every_expected_model_stands_in_the_gpu_profile() -> None:
    """None is left out silently."""
    names = {entry.name for entry in catalog("gpu").contestants}
    assert {name.strip() for name in EXPECTED.replace("\n", " ").split("·")} <= names


@pytest.mark.parametrize("profile", ["gpu", "cpu", "zerogpu"])
def test_every_enabled_model_is_pinned_and_described(profile: str) -> None:
    """Revision by its full commit, licence, organisation, size, languages and context."""
    for entry in catalog(profile).enabled:
        assert re.fullmatch(r"[0-9a-f]{40}", entry.revision or ""), entry.name
        assert entry.confirmed, entry.name
        described = (entry.licence, entry.organisation, entry.family, entry.parameters, entry.context, entry.languages)
        assert all(described), entry.name


def test_what_is_disabled_says_why() -> None:
    """A note, or a price that speaks for itself."""
    for profile in PROFILES:
        for entry in catalog(profile).contestants:
            assert entry.enabled or entry.note or entry.price, entry.name


def test_gated_and_restricted_models_are_off_until_someone_accepts_their_terms() -> None:
    """Gemma and Llama are gated, suzume forbids commercial use."""
    for profile in PROFILES:
        for entry in catalog(profile).contestants:
            assert not (entry.enabled and (entry.gated or (entry.licence or "").startswith("cc-by-nc"))), entry.name


def test_no_entry_runs_code_of_others() -> None:
    """`trust_remote_code` is the operator's to set."""
    assert not any(entry.trust_remote_code for profile in PROFILES for entry in catalog(profile).contestants)


def test_known_quirks_of_templates_are_written_down() -> None:
    """Gemma has no system role, Vikhr knows documents, the distills think, Llama 3 ends by <|eot_id|>."""
    entries = {entry.name: entry.chat for entry in catalog("gpu").contestants}
    assert not entries["gemma-2-9b-it"].system_role
    assert entries["Vikhr-Nemo-12B-Instruct-R-21-09-24"].documents_role
    assert entries["DeepSeek-R1-Distill-Qwen-7B"].think == ("<think>", "</think>")
    assert "<|eot_id|>" in entries["T-lite-instruct-0.1"].stop


def test_the_cpu_profile_fits_a_laptop() -> None:
    """At most two billion parameters each, and at least two to compare."""
    entries = [entry for entry in catalog("cpu").contestants if entry.engine == "local"]
    assert all((entry.parameters or 99) <= 2 for entry in entries)
    assert len(catalog("cpu").enabled) >= 2


def test_the_demo_has_three_toys_in_three_precisions() -> None:
    """Labelled as toys; one in int8 and one in nf4."""
    toys = catalog("demo").enabled
    assert [(toy.toy, toy.quantization) for toy in toys] == [(True, "fp32"), (True, "int8"), (True, "nf4")]
    assert len({toy.fingerprint for toy in toys}) == 3


def test_endpoints_of_every_kind_are_there_as_disabled_examples() -> None:
    """One edit turns each on, in any profile."""
    hosts = " ".join(entry.base_url or "" for entry in catalog("demo").contestants if not entry.enabled)
    for host in (
        "127.0.0.1:8000",
        "127.0.0.1:30000",
        "127.0.0.1:8080",
        "openai.com",
        "deepseek.com",
        "sberbank",
        "yandex",
    ):
        assert host in hosts


def test_paid_examples_carry_a_price_and_a_cap() -> None:
    """Contestants and judges alike: whoever asks for a key asks for money."""
    paid = [entry for entry in (*catalog("gpu").contestants, *catalog("gpu").judges) if entry.api_key_env]
    assert len(paid) >= 6
    for entry in paid:
        assert entry.paid, entry.name
        assert entry.spending_cap, entry.name


def test_suggested_prompts_cover_many_topics_in_both_languages() -> None:
    """Eight topics of five at least, none said twice; the demo asks what its toys learned."""
    topics = catalog("gpu").prompts.topics
    assert len(topics) >= 8
    assert all(len(topic.prompts) >= 5 for topic in topics)
    for language in ("ru", "en"):
        texts = [prompt.in_language(language) for topic in topics for prompt in topic.prompts]
        assert len(set(texts)) == len(texts)
    assert catalog("demo").prompts.topics == ()
