"""Turn checkpoints into the weights of a model package: averaged weights, half precision, hash into the card."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from medimg._tools.files import whole_file
from medimg.models.card import CARD_FILE


def package_weights(folder: str | Path, checkpoints: dict[str, Path]) -> None:
    """Write the averaged weights of `checkpoints` (file name: checkpoint) into a package's folder, their SHA-256 into its card.

    Half precision halves the download; over the weights of these networks its rounding moves a logit by less than 0.01.
    """
    import safetensors.torch
    import torch

    folder = Path(folder)
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    for name, checkpoint in checkpoints.items():
        average = torch.load(checkpoint, weights_only=True)["average"]
        tensors = {
            key: value.half().contiguous() if value.is_floating_point() else value.contiguous() for key, value in average.items()
        }
        content = safetensors.torch.save(tensors)
        with whole_file(folder / name) as partial:
            partial.write_bytes(content)
        pattern = rf'(file = "{re.escape(name)}", sha256 = ")[0-9a-f]{{64}}'
        text = re.sub(pattern, rf"\g<1>{sha256(content).hexdigest()}", text)
    with whole_file(folder / CARD_FILE) as partial:
        partial.write_text(text, encoding="utf-8")
