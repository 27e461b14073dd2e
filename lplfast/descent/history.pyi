from collections.abc import Sequence

from ..annotations import Array

COLUMNS: tuple[str, ...]

def table_of(rows: Array, last: Array, columns: Sequence[int]) -> Array: ...
