"""The adapter of a transfer in plain words, and the code that loads it."""

from __future__ import annotations

import json

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.names import display_name, hub_model, one_line
from hf_transfer_plugin.report.words import percent

__all__ = ["adapter_sentences", "adapter_snippet", "is_kept_alone"]

_SIZES = ("bytes", "kB", "MB", "GB")


def is_kept_alone(report: Report) -> bool:
    """Tell whether the folder of the model holds an adapter, which needs its checkpoint."""
    adapter = report.transfer.plan.adapter
    return adapter is not None and not adapter.is_merged


def adapter_sentences(report: Report) -> list[str]:
    """Return kind, share of weights, bytes and form of the adapter; empty without one."""
    transfer = report.transfer
    adapter = transfer.plan.adapter
    if adapter is None:
        return []
    options = {**adapter.kind.defaults, **adapter.options}
    told = "".join(f", {one_line(str(key))} {one_line(str(options[key]))}" for key in options)
    told += f", B matrices at {adapter.lora_plus:g} times the rate" if adapter.lora_plus else ""
    sentences = [f"{adapter.name} ({adapter.kind.paper}){told}."]
    if transfer.parameters:
        sentences.append(
            f"{percent(transfer.trainable_parameters / transfer.parameters)} of the weights train "
            f"in the last phase ({transfer.trainable_parameters:,} of {transfer.parameters:,}); "
            f"adapter and head take {_size(transfer.adapter_bytes)}."
        )
    if adapter.is_merged:
        sentences.append("They are added to the weights of the network: transformers loads it.")
    else:
        base = one_line(display_name(transfer.plan.checkpoint))
        sentences.append(f"The adapter is kept alone: peft loads it on {base}.")
    return sentences


def adapter_snippet(report: Report, repository: str | None) -> str:
    """Return the code that loads an adapter that is kept alone, with peft and transformers."""
    text = report.task == "text-classification"
    plan = report.transfer.plan
    prompt = plan.adapter is not None and plan.adapter.kind.place == "prompt"
    # A pipeline knows the network with the adapter in it, and the models of peft for prompts.
    used = "model" if prompt else "model.get_base_model()"
    model = "AutoModelForSequenceClassification" if text else "AutoModelForImageClassification"
    reader, argument = (
        ("AutoTokenizer", "tokenizer") if text else ("AutoImageProcessor", "image_processor")
    )
    base = hub_model(plan.checkpoint) or display_name(plan.checkpoint)
    note = "" if repository else "  # the folder beside this file, or its name on the Hub"
    return (
        "from peft import PeftModel\n"
        f"from transformers import AutoConfig, {reader}, {model}, pipeline\n\n"
        f"name = {json.dumps(repository or 'model')}{note}\n"
        f"network = {model}.from_pretrained(\n"
        f"    {json.dumps(base)}, config=AutoConfig.from_pretrained(name), "
        "ignore_mismatched_sizes=True\n)\n"
        "model = PeftModel.from_pretrained(network, name)\n"
        f"reader = {reader}.from_pretrained(name)\n"
        f"classify = pipeline({json.dumps(report.task)}, model={used}, {argument}=reader)\n"
        f"print(classify({json.dumps('a text to classify' if text else 'picture.png')}))"
    )


def _size(count: float) -> str:
    """Return a number of bytes with its unit, such as "1.5 MB"."""
    unit = 0
    while count >= 1000 and unit < len(_SIZES) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {_SIZES[unit]}"
