"""Sums over many small numbers, which are done in vectors: LLVM makes slower code of the loops."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from ._compiled import built, cgutils

__all__ = ["running_sum16", "running_sum32", "sum_nibbles", "widen"]


def _load_vector(builder: Any, address: Any, kind: Any) -> Any:
    found = builder.load(builder.inttoptr(address, kind.as_pointer()), typ=kind)
    found.align = 1
    return found


def _total(builder: Any, sums: Any) -> Any:
    """Add up a vector of u16."""
    wide = ir.VectorType(ir.IntType(32), sums.type.count)
    kind = ir.FunctionType(ir.IntType(32), [wide])
    name = f"llvm.vector.reduce.add.v{sums.type.count}i32"
    reduce = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.zext(builder.call(reduce, [builder.zext(sums, wide)]), ir.IntType(64))


@built
def widen(typingctx: Any, address: Any, n_steps: Any, target: Any) -> Any:
    """Write ``32 * n_steps`` bytes at an address as u16 to another, and give their sum.

    At most 128 steps: each of 32 sums is of 16 bits.
    """
    del typingctx, address, n_steps, target
    lanes = 32

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        small = ir.VectorType(ir.IntType(8), lanes)
        wide = ir.VectorType(ir.IntType(16), lanes)
        sums = cgutils.alloca_once_value(builder, wide([0] * lanes))
        with cgutils.for_range(builder, args[1]) as loop:
            step = builder.mul(loop.index, loop.index.type(lanes))
            found = builder.zext(_load_vector(builder, builder.add(args[0], step), small), wide)
            place = builder.add(args[2], builder.add(step, step))
            builder.store(found, builder.inttoptr(place, wide.as_pointer())).align = 1
            builder.store(builder.add(builder.load(sums, typ=wide), found), sums)
        return _total(builder, builder.load(sums, typ=wide))

    return types.int64(types.int64, types.int64, types.int64), build


@built
def sum_nibbles(typingctx: Any, address: Any, n_steps: Any) -> Any:
    """Sum the upper and lower halves of ``32 * n_steps`` bytes at an address; at most 1,024 steps.

    LLVM would widen each to the size of the sum; pairs in 16 bits are a third of the work.
    """
    del typingctx, address, n_steps
    lanes = 32

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        small = ir.VectorType(ir.IntType(8), lanes)
        pairs = ir.VectorType(ir.IntType(16), lanes // 2)
        sums = cgutils.alloca_once_value(builder, pairs([0] * (lanes // 2)))
        with cgutils.for_range(builder, args[1]) as loop:
            step = builder.mul(loop.index, loop.index.type(lanes))
            found = _load_vector(builder, builder.add(args[0], step), small)
            low = builder.and_(found, small([15] * lanes))
            found = builder.add(low, builder.lshr(found, small([4] * lanes)))
            found = builder.bitcast(found, pairs)
            low = builder.and_(found, pairs([255] * (lanes // 2)))
            pair = builder.add(low, builder.lshr(found, pairs([8] * (lanes // 2))))
            builder.store(builder.add(builder.load(sums, typ=pairs), pair), sums)
        return _total(builder, builder.load(sums, typ=pairs))

    return types.int64(types.int64, types.int64), build


def _running_sums(bits: int) -> Any:
    """Make a function that turns differences into ids of so many bits."""
    lanes = 16

    @built
    def add_up(typingctx: Any, differences: Any, n_steps: Any, ids: Any) -> Any:
        del typingctx, differences, n_steps, ids

        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            del context, signature
            source, n_steps, target = args
            vector = ir.VectorType(ir.IntType(16), lanes)
            fours = ir.VectorType(ir.IntType(64), lanes // 4)
            wide = ir.VectorType(ir.IntType(bits), lanes)
            shuffle = ir.VectorType(ir.IntType(32), lanes)
            zeros, ones = vector([0] * lanes), vector([1] * lanes)
            before = cgutils.alloca_once_value(builder, vector([0xFFFF] * lanes))
            with cgutils.for_range(builder, n_steps) as loop:
                step = builder.mul(loop.index, loop.index.type(2 * lanes))
                total = builder.add(_load_vector(builder, builder.add(source, step), vector), ones)
                # times 1 + 2**16 + 2**32 + 2**48: of each four the sum of it and those before it
                four = builder.mul(builder.bitcast(total, fours), fours([0x1_0001_0001_0001] * 4))
                total = builder.bitcast(four, vector)
                for half in (4, 8):
                    end = [i // half * half - 1 if i & half else lanes for i in range(lanes)]
                    total = builder.add(total, builder.shuffle_vector(total, zeros, shuffle(end)))
                so_far = builder.load(before, typ=vector)
                found = builder.add(total, so_far)
                if bits > 16:
                    step = builder.mul(loop.index, loop.index.type(bits // 8 * lanes))
                    found = builder.zext(found, wide)
                pointer = builder.inttoptr(builder.add(target, step), wide.as_pointer())
                builder.store(found, pointer).align = 1
                end = builder.shuffle_vector(total, zeros, shuffle([lanes - 1] * lanes))
                builder.store(builder.add(so_far, end), before)
            found = builder.extract_element(builder.load(before, typ=vector), ir.IntType(32)(0))
            return builder.zext(found, ir.IntType(64))

        return types.int64(types.int64, types.int64, types.int64), build

    return add_up


running_sum16 = _running_sums(16)
"""Write ids of 16 bits: each is the last one plus its difference plus 1; none may exceed 65,534.

Takes the address of ``16 * n_steps`` differences of 16 bits, `n_steps`, and the address of the ids.
Gives the last id; the one before the first is 65,535."""
running_sum32 = _running_sums(32)
"""The same, for ids of 32 bits."""
