"""The phase of a frozen backbone."""

from __future__ import annotations

from hf_transfer_plugin import Phase

__all__ = ["HEAD_ALONE"]

#: `FreezingSchedule.linear_probe()` would also train what lies between the last layer and the head:
#: BERT's pooler and EfficientNet's last convolution, which costs more than a pass over the data.
HEAD_ALONE = Phase(train=("head",), name="head")
