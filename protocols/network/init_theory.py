"""What theory says of response variances at initialization, in closed form (Yang et al. 2017, section 4).

Responses count as zero-mean Gaussian, weights and addends as independent; `gain` is fan-in x Var[weight].
"""

import math
from dataclasses import dataclass

from protocols.network.graph import Addition, Graph

RELU_SQUARE = 1 / 2  # E[relu(z)^2], z ~ N(0, 1)
RELU_VARIANCE = 1 / 2 - 1 / (2 * math.pi)


@dataclass(frozen=True)
class Layer:
    """What `protocols.init_variance` observes of a convolution."""

    gain: float  # fan-in x E[weight^2]
    bias: float  # variance of the biases
    inside: float  # share of the kernel's places that do not lie on zero padding
    entering: float  # E[x^2] of what it reads
    variance: float  # of its response


def expected(graph: Graph, additions: list[Addition]) -> dict[int, float]:
    """Operation of each addition -> its variance by theory, for a graph observed by `protocols.init_variance`.

    Batch normalisation resets to 1, a convolution gives gain x E[input^2], an addition the sum of its addends.
    An addend that no closed form reaches, behind a max pooling for instance, enters with its measured variance.
    """
    variances: dict[int, float] = {0: 1.0}
    squares: dict[int, float] = {0: 1.0}  # E[response^2]; only a ReLU makes it differ from the variance
    summed = {addition.operation: addition for addition in additions}
    for index, operation in enumerate(graph.operations[1:], start=1):
        source = operation.inputs[0] if operation.inputs else None
        if operation.operator.endswith("batch_norm"):
            variances[index] = squares[index] = 1.0
        elif operation.operator == "convolution" and source in squares:
            layer = operation.observed
            variances[index] = squares[index] = layer.gain * squares[source] + layer.bias
        elif operation.operator == "relu" and source in variances:
            variances[index] = RELU_VARIANCE * variances[source]
            squares[index] = RELU_SQUARE * variances[source]
        elif operation.operator == "upsample_nearest2d" and source in variances:
            variances[index], squares[index] = variances[source], squares[source]
        elif index in summed:
            variances[index] = squares[index] = sum(
                variances.get(graph.operations[at].inputs[place], graph.operations[at].observed[1][place])
                for at, place in summed[index].addends
            )
    return {index: variances[index] for index in summed}


def layer_by_layer(graph: Graph) -> dict[int, float]:
    """Operation of each convolution -> its variance by theory, for networks that add nothing.

    gain x E[input^2] x the share of the kernel on the map + Var[bias]. E[input^2] follows from the layers before,
    through ReLU (half of it) and concatenation (its mean over channels); behind anything else, a pool or a gate, it
    is the measured one.
    """
    squares: dict[int, float] = {0: 1.0}  # E[response^2]
    variances: dict[int, float] = {}
    for index, operation in enumerate(graph.operations[1:], start=1):
        sources = operation.inputs
        if operation.operator == "convolution":
            layer: Layer = operation.observed
            square = squares.get(sources[0] if sources else -1, layer.entering)
            variances[index] = squares[index] = layer.gain * square * layer.inside + layer.bias
        elif operation.operator == "relu" and sources[0] in squares:
            squares[index] = RELU_SQUARE * squares[sources[0]]
        elif operation.operator == "cat" and all(source in squares for source in sources):
            channels = [graph.operations[source].shape[1] for source in sources]
            squares[index] = sum(c * squares[source] for c, source in zip(channels, sources, strict=True)) / sum(
                channels
            )
    return variances
