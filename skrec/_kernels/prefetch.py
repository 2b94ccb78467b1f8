"""Loading memory ahead of its use."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


def _prefetch(typing_context, array, at):
    def generate(context, builder, signature, arguments):
        address = builder.gep(make_array(signature.args[0])(context, builder, arguments[0]).data, [arguments[1]])
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        # To be read, into every level of cache, as data.
        read, everywhere, data = (ir.Constant(ir.IntType(32), value) for value in (0, 3, 1))
        kind = ir.FunctionType(ir.VoidType(), [address.type, read.type, everywhere.type, data.type])
        function = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, read, everywhere, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


prefetch: Any = intrinsic(_prefetch)
"""``prefetch(array, at)`` asks the processor to load ``array[at]`` into its cache. Nothing else changes, and any
address may be given."""
