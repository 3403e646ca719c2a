"""Tensor shapes as annotations: jaxtyping's where it is installed, plain tensors where not.

`Float[Tensor, "*lanes out rank"]` reads "a floating-point tensor of that shape". The tests check
the shapes at run time; nothing does in use, and `import adapters` needs torch alone.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ImportError:

        class _Untyped:
            """Stands for an annotation without a shape: `_Untyped[Tensor, shape]` is `Tensor`."""

            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Bool = Float = Int = _Untyped

__all__ = ["Bool", "Float", "Int"]
