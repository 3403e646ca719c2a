"""Tensor shapes as annotations: jaxtyping's where it is installed, plain tensors elsewhere.

`Float[Tensor, "*lanes out rank"]` is a floating-point tensor of that shape. Only the tests check
the shapes at run time; `import adapters` requires torch only.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Int8

    Counts = tuple[int, ...]
else:
    Counts = tuple  # To check an entry, beartype would draw from Python's global generator.
    try:
        from jaxtyping import Bool, Float, Int, Int8
    except ImportError:

        class _Untyped:
            """Annotation without a shape: `_Untyped[Tensor, shape]` is `Tensor`."""

            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Bool = Float = Int = Int8 = _Untyped

Number = float | int
"""A real number; run-time type checkers do not accept an `int` where `float` is annotated."""

__all__ = ["Bool", "Counts", "Float", "Int", "Int8", "Number"]
