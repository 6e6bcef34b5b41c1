"""How the functions that run over bytes are compiled, and the few loads that numba lacks.

Modules that import this one import numba, which takes a second: import them inside functions.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
from llvmlite import ir
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

cgutils: Any = _cgutils  # is not typed
carray: Any = numba.carray  # type: ignore[attr-defined]  # as the documentation says

__all__ = [
    "built",
    "bytes_at",
    "carray",
    "cgutils",
    "compiled",
    "fetch_ahead",
    "load8",
    "load16",
    "load32",
    "load64",
    "ones",
    "trailing_zeros",
]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile when first called, without the GIL, and keep the machine code on disk if possible."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(**options)(function)
    # numba compiles again when the function's own file changed; it must as well when another did
    # whose functions are inlined
    file: Any = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if hasattr(file, "_source_stamp"):
        file._source_stamp = (file._source_stamp, _stamp())
    return made


@functools.cache
def _stamp() -> tuple[tuple[str, int, int], ...]:
    """What changes when a file of this folder does."""
    files = ((path.name, path.stat()) for path in Path(__file__).parent.glob("*.py"))
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in files))


def built(function: Callable[..., Any]) -> Any:
    """Make a function whose body is built of instructions."""
    return intrinsic(function)


def _loads(bits: int, result: Any) -> Any:
    """Make a function that loads a little-endian number from any address."""

    @built
    def load(typingctx: Any, address: Any) -> Any:
        del typingctx

        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            del context, signature
            kind = ir.IntType(bits)
            found = builder.load(builder.inttoptr(args[0], kind.as_pointer()), typ=kind)
            found.align = 1
            return builder.zext(found, ir.IntType(64)) if bits < 64 else found

        return result(types.int64), build

    return load


load8 = _loads(8, types.int64)
load16 = _loads(16, types.int64)
load32 = _loads(32, types.int64)
load64 = _loads(64, types.uint64)


@built
def bytes_at(typingctx: Any, address: Any) -> Any:
    """Turn an address into a pointer that `numba.carray` takes."""
    del typingctx, address

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), build


@built
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Count the zeros below the lowest one of a u64 that is not 0."""
    del typingctx, word

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), build


@built
def ones(typingctx: Any, word: Any) -> Any:
    """Count the ones of a u64."""
    del typingctx, word

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.ctpop(args[0])

    return types.int64(types.uint64), build


@built
def fetch_ahead(typingctx: Any, address: Any) -> Any:
    """Ask for the 64 bytes around an address, which need not be readable, and go on."""
    del typingctx, address

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del signature
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(ask, [builder.inttoptr(args[0], pointer), number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.none(types.int64), build
