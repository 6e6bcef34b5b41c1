from __future__ import annotations

import threading

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.loaders._batch import csr_tensor
from corpuscle.loaders.packed._buffers import Buffers


def test_memory_is_used_again_when_nothing_refers_to_it() -> None:
    buffers = Buffers()
    first = buffers.empty(100, np.float32)
    place = first.ctypes.data
    tensor = torch.from_numpy(first)
    del first
    assert buffers.empty(100, np.float32).ctypes.data != place
    part = tensor[50:]
    del tensor
    assert buffers.empty(100, np.float32).ctypes.data != place
    del part
    again = buffers.empty((5, 10), np.int32)
    assert (again.ctypes.data, again.shape) == (place, (5, 10))
    assert again.dtype == np.int32


def test_parts_of_a_sparse_tensor_keep_their_memory() -> None:
    buffers = Buffers()
    ids, values = buffers.empty(3, np.int32), buffers.empty(3, np.float32)
    ids[:], values[:] = [0, 1, 0], [1, 2, 3]
    matrix = csr_tensor(np.array([0, 2, 3], np.int32), ids, values, 2)
    del ids, values
    kept = matrix.values()
    del matrix
    for _ in range(3):
        buffers.empty(3, np.float32)[:] = 9
    assert kept.tolist() == [1, 2, 3]


def test_pieces_that_are_too_small_make_room() -> None:
    buffers = Buffers()
    for n in range(1, 2000, 100):
        buffers.empty(n, np.float64)
    assert len(buffers._pieces) == 1


@given(sizes=st.lists(st.integers(0, 50), max_size=30), held=st.integers(1, 4))
def test_arrays_at_hand_never_share_memory(sizes: list[int], held: int) -> None:
    buffers, alive = Buffers(), list[tuple[int, np.ndarray]]()
    for number, n in enumerate(sizes):
        array = buffers.empty(n, np.int64)
        array[:] = number
        alive = [*alive, (number, array)][-held:]
        del array
        assert all((kept == value).all() for value, kept in alive)


def test_threads_share_no_memory() -> None:
    buffers, wrong = Buffers(), list[int]()

    def work(value: int) -> None:
        for _ in range(2000):
            array = buffers.empty(64, np.int64)
            array[:] = value
            if (array != value).any():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(buffers._pieces) <= 8  # each holds the last one while it asks for the next
