"""Layers that PyTorch has, or is to have: `Linear.weight` is (outputs, inputs), and so transposed here."""

import numpy as np

from .validation import as_matrix

__all__ = ["from_linear", "to_linear"]


def from_linear(first, second):
    """Return W1 (n, h) and W2 (h, m) of two layers without bias, float64.

    Raises
    ------
    TypeError, ValueError
        If one is no such layer, or its weight no finite real matrix.

    """
    return [_weight(name, layer).T for name, layer in (("first", first), ("second", second))]


def _weight(name, layer):
    weight = getattr(layer, "weight", None)
    if weight is None or not hasattr(layer, "bias"):
        raise TypeError(f"{name}: expected a torch.nn.Linear, got {type(layer).__name__}; of a model of two such "
                        "layers, give each: Network.from_torch(model[0], model[1])")
    if layer.bias is not None:
        raise ValueError(f"{name}: expected a layer without bias, got one with: the network here is x -> x W1 W2; make "
                         "the layer with torch.nn.Linear(..., bias=False)")
    # out of the graph, into memory that NumPy sees, and of a dtype that it has: bfloat16 is none
    for method in ("detach", "cpu", "double"):
        weight = getattr(weight, method, lambda weight=weight: weight)()
    return as_matrix(f"{name}.weight", weight)


def to_linear(W1, W2):
    """Return two torch.nn.Linear without bias, float64, with copies of these layers.

    Raises
    ------
    ImportError
        Without PyTorch.

    """
    try:
        import torch
    except ImportError as error:
        raise ImportError('to_torch needs PyTorch: pip install "lplfast[torch]"') from error
    made = []
    for W in (W1, W2):
        # no weights are drawn: torch's generator is the user's
        linear = torch.nn.utils.skip_init(torch.nn.Linear, *W.shape, bias=False, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.array(W.T, order="C")))
        made.append(linear)
    return tuple(made)
