"""The arithmetic of an optimizer step, counted on a model without weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["StepWork", "count_work", "work_by_weights"]

# Where the operands of a product are that may need a gradient; elsewhere the first two.
_OPERANDS = {"addmm": slice(1, 3), "baddbmm": slice(1, 3)}
_TOKENS, _PIXELS = 64, 224


@dataclass(frozen=True)
class StepWork:
    """The products of a forward pass, and what a gradient of each depends on.

    A product costs as much again in the backward pass for each operand that needs a gradient:
    its weight when that trains, its input when anything below it trains.

    Attributes:
        products: (multiply-adds, for each operand the bits of the parameters it comes from).
        bits: parameter name -> its bit.
        unit: what is counted: "multiply-adds" or "weights".
    """

    products: tuple[tuple[float, tuple[int, ...]], ...]
    bits: Mapping[str, int]
    unit: str

    def of(self, trained: Iterable[str]) -> float:
        """Return the work of a step, forward and backward, in which these parameters train."""
        mask = 0
        for name in trained:
            mask |= self.bits[name]
        return sum(
            work * (1 + sum(1 for operand in operands if operand & mask))
            for work, operands in self.products
        )


def count_work(
    model: nn.Module, tokens: int | None = None, image_size: int | None = None
) -> StepWork | None:
    """Count the products of a forward pass on tensors that have a shape and no values.

    The model is left as it is. Only products count (matrix products, convolutions, attention):
    looking up an embedding, norms and activations are free.

    Args:
        model: a model of transformers that reads texts or images.
        tokens: length of a text; None: 64.
        image_size: pixels of an image; None: what the configuration says, else 224.

    Returns:
        None when the model cannot run without values, or takes other inputs.
    """
    import torch
    from torch.func import functional_call

    parameters = {n: torch.empty_like(p, device="meta") for n, p in model.named_parameters()}
    buffers = {n: torch.empty_like(b, device="meta") for n, b in model.named_buffers()}
    names = {tensor.untyped_storage()._cdata: name for name, tensor in parameters.items()}
    bits = {name: 1 << index for index, name in enumerate(parameters)}
    for inputs in _inputs(model, tokens, image_size):
        counted: list[tuple[float, tuple[int, ...]]] = []
        mode = _counting({key: bits[name] for key, name in names.items()}, counted)
        try:
            with torch.no_grad(), mode:
                functional_call(model, parameters | buffers, (), inputs)
        except Exception:  # whatever a forward pass that needs values raises
            continue
        if counted:
            return StepWork(tuple(counted), bits, "multiply-adds")
    return None


def work_by_weights(model: nn.Module, groups: Sequence[Sequence[str]]) -> StepWork:
    """Take the number of weights of each parameter for its work.

    Args:
        model: any model.
        groups: names of the parameters of each layer group, input to head.
    """
    from torch import nn

    looked_up = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    bits = {name: 1 << index for index, name in enumerate(sizes)}
    below, products = 0, []
    for group in groups:
        for name in group:
            if name not in looked_up:
                products.append((float(sizes[name]), (below, bits[name])))
        for name in group:
            below |= bits[name]
    return StepWork(tuple(products), bits, "weights")


def _inputs(
    model: nn.Module, tokens: int | None, image_size: int | None
) -> Iterable[dict[str, torch.Tensor]]:
    import torch

    config: Any = getattr(model, "config", None)
    name = getattr(model, "main_input_name", None)
    if name == "input_ids":
        length = min(tokens or _TOKENS, getattr(config, "max_position_embeddings", None) or 10**6)
        ids = torch.zeros(1, length, dtype=torch.long, device="meta")
        yield {"input_ids": ids}
        yield {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if name == "pixel_values":
        timm_size = (getattr(config, "pretrained_cfg", None) or {}).get("input_size", (0,))[-1]
        size: Any = image_size or timm_size or getattr(config, "image_size", None) or _PIXELS
        height, width = size if isinstance(size, list | tuple) else (size, size)
        channels = getattr(config, "num_channels", None) or 3
        # Two: BatchNorm refuses a batch of one value for each channel.
        yield {"pixel_values": torch.empty(2, channels, height, width, device="meta")}


def _counting(known: dict[int, int], counted: list[tuple[float, tuple[int, ...]]]) -> Any:
    """Return a mode that follows which parameters each tensor comes from."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry

    formulas: Mapping[Any, Callable[..., Any]] = flop_registry

    class Counting(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self._sources = dict(known)
            self._alive: list[torch.Tensor] = []  # so that no storage gets the place of another

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            out = func(*args, **kwargs)
            packet = func._overloadpacket
            if packet in formulas:
                work = formulas[packet](*args, **kwargs, out_val=out) / 2
                operands = args[_OPERANDS.get(packet.__name__, slice(0, 2))]
                counted.append((float(work), tuple(self._from(each) for each in operands)))
            source = self._from((args, kwargs))
            for tensor in tree_leaves(out):
                if isinstance(tensor, torch.Tensor):
                    place = tensor.untyped_storage()._cdata
                    self._sources[place] = self._sources.get(place, 0) | source
                    self._alive.append(tensor)
            return out

        def _from(self, value: Any) -> int:
            source = 0
            for tensor in tree_leaves(value):
                if isinstance(tensor, torch.Tensor):
                    source |= self._sources.get(tensor.untyped_storage()._cdata, 0)
            return source

    return Counting()
