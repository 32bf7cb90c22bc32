"""What a detector must not lose in a restart: a few numbers and arrays, as bytes."""

import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model.text import Refused


@dataclass
class Saved:
    """Numbers keep their full precision, arrays are float32: a four-week series of five minutes takes 32 KB."""

    numbers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Write everything; no code is in it."""
        file = io.BytesIO()
        header = np.frombuffer(json.dumps(self.numbers).encode(), np.uint8)
        np.savez(file, numbers=header, **{f"array_{name}": array for name, array in self.arrays.items()})  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Saved":
        """Read what `to_bytes` wrote.

        Raises:
            Refused: It was not, or not wholly.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                numbers = json.loads(file["numbers"].tobytes())
                arrays = {name.removeprefix("array_"): file[name] for name in file.files if name != "numbers"}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise Refused(
                f"this is not a detector's saved state ({error}); start without one, and it learns anew"
            ) from None
        return cls(numbers, arrays)
