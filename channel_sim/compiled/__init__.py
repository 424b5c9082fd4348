"""The channel's arithmetic as machine code: the bits of numpy's, at a fraction of the cost.

numba compiles `kernels.py` once. `machine_code.py` keeps the result, so that a later start needs
llvmlite alone, a fifth of the time and of the memory of numba. `engine.py` calls it.
"""
