"""The list of cells with copies, as a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ._copies import Copies


class CopyTable:
    """Writes the copies to a Parquet file, a group for each partition."""

    def __init__(self, path: Path | None, uids: Sequence[str]) -> None:
        self.path, self.uids = path, list(uids)
        self.writer: Any = None

    def __enter__(self) -> Self:
        import pyarrow as pa
        import pyarrow.parquet as pq

        uid = pa.dictionary(pa.int32(), pa.string())
        self.schema = pa.schema(
            {
                "dataset": uid,
                "row": pa.uint32(),
                "same_as_dataset": uid,
                "same_as_row": pa.uint32(),
                "kept": pa.bool_(),
            }
        )
        if self.path is not None:
            self.writer = pq.ParquetWriter(self.path, self.schema, compression="zstd")
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def add(self, copies: Copies, left_out: npt.NDArray[np.bool_]) -> None:
        if self.writer is None:
            return
        again = np.flatnonzero(~copies.is_first)
        again = again[np.argsort(copies.dataset[again] << 32 | copies.row[again])]
        first = copies.first[again]
        columns = copies.dataset[again], copies.row[again], copies.dataset[first]
        self._write(*columns, copies.row[first], ~left_out[again])

    def declare(
        self, a: int, rows: npt.NDArray[np.int64], b: int, kept: npt.NDArray[np.bool_]
    ) -> None:
        if self.writer is not None:
            a_s, b_s = np.full(len(rows), a), np.full(len(rows), b)
            self._write(a_s, rows.astype(np.uint32), b_s, None, kept)

    def _write(
        self,
        dataset: npt.NDArray[np.int64],
        row: npt.NDArray[np.uint32],
        same_as: npt.NDArray[np.int64],
        same_row: npt.NDArray[np.uint32] | None,
        kept: npt.NDArray[np.bool_],
    ) -> None:
        import pyarrow as pa

        if not len(row):
            return

        def named(codes: npt.NDArray[np.int64]) -> Any:
            used = np.flatnonzero(np.bincount(codes))  # a group holds the names it needs
            place = np.zeros(len(self.uids), dtype=np.int32)
            place[used] = np.arange(len(used))
            names = pa.array([self.uids[i] for i in used.tolist()], pa.string())
            return pa.DictionaryArray.from_arrays(pa.array(place[codes]), names)

        other = pa.nulls(len(row), pa.uint32()) if same_row is None else pa.array(same_row)
        arrays = [named(dataset), pa.array(row), named(same_as), other, pa.array(kept)]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
