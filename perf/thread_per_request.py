"""A peer to measure against: one `generate` with a `TextIteratorStreamer` in a thread for every request.

This is how FastChat's model worker serves a transformers model. It is here to be measured, not
used: `python perf/thread_per_request.py DIR SOCKET [nf4]`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, TextIteratorStreamer


def main(directory: str, socket: str, quantization: str = "") -> None:
    """Serve the checkpoint on a Unix socket until killed."""
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(directory)
    how: dict[str, Any] = {"dtype": "auto", "device_map": {"": device}}
    if quantization == "nf4":
        how["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    model = AutoModelForCausalLM.from_pretrained(directory, **how).eval()

    async def chat(request: Request) -> StreamingResponse:
        body = await request.json()
        prompt = tokenizer.apply_chat_template(body["messages"], add_generation_prompt=True, return_tensors="pt")
        return StreamingResponse(_events(model, tokenizer, prompt.to(device), body), media_type="text/event-stream")

    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    uvicorn.run(app, uds=socket, log_level="warning", access_log=False)


def _events(model: Any, tokenizer: Any, prompt: Any, body: dict[str, Any]) -> Iterator[bytes]:
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    options = {"max_new_tokens": body["max_tokens"], "do_sample": bool(body["temperature"]), "streamer": streamer}
    threading.Thread(target=model.generate, kwargs={**prompt, **options}, daemon=True).start()
    for text in streamer:
        if text:
            yield b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"
    yield b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\ndata: [DONE]\n\n'


if __name__ == "__main__":
    main(*sys.argv[1:])
