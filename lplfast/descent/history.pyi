from collections.abc import Sequence

from ..annotations import Array

COLUMNS: tuple[str, ...]

def copy_columns(rows: Array, columns: Sequence[str], table: Array) -> None: ...
