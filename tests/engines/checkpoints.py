"""Builds tiny but real checkpoints: the architecture and the shape of the chat template of each family.

Random weights, a byte-level BPE tokenizer trained on the spot, safetensors and configs on disk,
loaded by tests exactly like a model from a hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORPUS = (
    "Какая столица у Франции? Париж. What is the capital of France? Paris. "
    "Сколько будет два плюс два? Четыре. Two plus two is four. Привет, как дела? Hello, how are you? "
    "Напиши короткое стихотворение о зиме. Write a short poem about winter. 0123456789 😀 ёЁ\n"
)

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are Tiny, made by Nobody.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}{% if m['role'] == 'user' %}[INST]{% if loop.last and system %}{{ system }}\n\n{% endif %}"
    "{{ m['content'] }}[/INST]{% else %}{{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI3 = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
DEEPSEEK = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'user' %}<｜User｜>{{ m['content'] }}"
    "{% else %}<｜Assistant｜>{{ m['content'].split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
VIKHR = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """An architecture and a template: what `build` writes to disk."""

    name: str
    model_type: str
    template: str | None
    bos: str | None
    eos: str
    terminators: tuple[str, ...]
    special: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    quirks: Mapping[str, Any] = field(default_factory=dict)


FAMILIES = {
    family.name: family
    for family in (
        Family("qwen2", "qwen2", CHATML, None, "<|im_end|>", ("<|im_end|>", "<|endoftext|>"), ("<|im_start|>",)),
        Family(
            "llama3", "llama", LLAMA3, "<|begin_of_text|>", "<|end_of_text|>", ("<|end_of_text|>",),
            ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), quirks={"stop": ("<|eot_id|>",)},
        ),
        Family("mistral", "mistral", MISTRAL, "<s>", "</s>", ("</s>",), ("[INST]", "[/INST]"),
               config={"sliding_window": 24}),
        Family(
            "gemma2", "gemma2", GEMMA, "<bos>", "<eos>", ("<eos>", "<end_of_turn>"), ("<start_of_turn>",),
            config={"head_dim": 16, "sliding_window": 24, "query_pre_attn_scalar": 16}, quirks={"system_role": False},
        ),
        Family("phi3", "phi3", PHI3, "<s>", "<|endoftext|>", ("<|endoftext|>", "<|end|>"),
               ("<|user|>", "<|assistant|>", "<|system|>"), config={"pad_token_id": 0}),
        Family("zephyr", "mistral", ZEPHYR, "<s>", "</s>", ("</s>",)),
        Family(
            "deepseek", "qwen2", DEEPSEEK, "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
            ("<｜end▁of▁sentence｜>",), ("<｜User｜>", "<｜Assistant｜>"), ("<think>", "</think>"),
            quirks={"think": True},
        ),
        Family("vikhr", "mistral", VIKHR, "<s>", "</s>", ("</s>",), ("<|start_header_id|>", "<|end_header_id|>"),
               quirks={"documents_role": True}),
        Family("rwkv", "rwkv", ZEPHYR, None, "<|endoftext|>", ("<|endoftext|>",),
               config={"attention_hidden_size": 64, "context_length": 256}),
        Family("bare", "qwen2", None, None, "</s>", ("</s>",)),
    )
}  # fmt: skip


def build(
    directory: Path, family: str, *, context: int = 256, seed: int = 0, endless: bool = False, **config: Any
) -> Path:
    """Write a checkpoint of this family into `directory` and return the directory.

    An `endless` one never draws a terminator when it is greedy.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    shape = FAMILIES[family]
    tokenizer = tokenizer_of(shape)
    ids = [tokenizer.convert_tokens_to_ids(text) for text in shape.terminators]
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": False,
    }
    torch.manual_seed(seed)
    settings |= {**shape.config, **config}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(shape.model_type, **settings), dtype=torch.float32)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)  # decisive logits: greedy answers do not hang on rounding
    if endless:  # zero logits never win against random ones: a greedy answer ends at its limit only
        with torch.no_grad():
            model.get_output_embeddings().weight[ids] = 0.0
    model.generation_config = GenerationConfig(eos_token_id=ids, bos_token_id=tokenizer.bos_token_id)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def tokenizer_of(shape: Family) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = [text for text in dict.fromkeys((shape.bos, shape.eos, *shape.terminators, *shape.special)) if text]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CORPUS] * 4, trainer)
    tokenizer.add_tokens(list(shape.plain))
    if shape.bos:  # encode() adds BOS on its own: the trap that doubles it behind a template
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{shape.bos} $A", special_tokens=[(shape.bos, tokenizer.token_to_id(shape.bos))]
        )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=shape.bos, eos_token=shape.eos)
    fast.chat_template = shape.template
    return fast
