"""Tensor shapes as annotations: jaxtyping's where it is installed, plain tensors where not.

`Float[Tensor, "*lanes out rank"]` reads "a floating-point tensor of that shape". The tests check
the shapes at run time; nothing does in use, and `import adapters` needs torch alone.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
else:
    try:
        from jaxtyping import Bool, Float
    except ImportError:

        class _Untyped:
            """Stands for an annotation without a shape: `_Untyped[Tensor, shape]` is `Tensor`."""

            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Bool = Float = _Untyped

Number = float | int
"""A real number: run-time checkers take `float` literally, and `alpha=16` should do."""

__all__ = ["Bool", "Float", "Number"]
