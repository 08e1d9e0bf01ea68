"""Response variances at initialization in theory, in closed form (Yang et al. 2017, section 4).

Responses are treated as zero-mean Gaussian, weights and addends as independent; `gain` is fan-in x Var[weight].
"""

import math
from dataclasses import dataclass

from protocols.network.graph import Addition, Graph

RELU_SQUARE = 1 / 2  # E[relu(z)^2], z ~ N(0, 1)
RELU_VARIANCE = 1 / 2 - 1 / (2 * math.pi)


@dataclass(frozen=True)
class ConvolutionStatistics:
    """Observation of a convolution by `init_variance`."""

    gain: float  # fan-in x E[weight^2]
    bias: float  # variance of the biases
    on_map: float  # share of the kernel's taps that are not on zero padding
    input_square: float  # E[x^2] of the input
    variance: float  # of the response


@dataclass(frozen=True)
class AdditionStatistics:
    """Observation of an addition by `init_variance`."""

    variance: float  # of the sum
    addends: list[float]  # their variances


def addition_variances(graph: Graph, additions: list[Addition]) -> dict[int, float]:
    """Return operation of each addition -> its variance in theory, for a graph observed by `init_variance`.

    Batch normalization resets to 1, a convolution gives gain x E[input^2], an addition the sum of its addends.
    An addend without a closed form, behind a max pooling for instance, has its measured variance.
    """
    variances: dict[int, float] = {0: 1.0}
    squares: dict[int, float] = {0: 1.0}  # E[response^2]; only a ReLU makes it differ from the variance

    def addend_variance(operation: int, argument: int) -> float:
        measured: AdditionStatistics = graph.operations[operation].observed
        return variances.get(graph.operations[operation].inputs[argument], measured.addends[argument])

    summed = {addition.operation: addition for addition in additions}
    for index, operation in enumerate(graph.operations[1:], start=1):
        source = operation.inputs[0] if operation.inputs else None
        if operation.operator.endswith("batch_norm"):
            variances[index] = squares[index] = 1.0
        elif operation.operator == "convolution" and source in squares:
            layer: ConvolutionStatistics = operation.observed
            variances[index] = squares[index] = layer.gain * squares[source] + layer.bias
        elif operation.operator == "relu" and source in variances:
            variances[index] = RELU_VARIANCE * variances[source]
            squares[index] = RELU_SQUARE * variances[source]
        elif operation.operator == "upsample_nearest2d" and source in variances:
            variances[index], squares[index] = variances[source], squares[source]
        elif index in summed:
            variances[index] = squares[index] = sum(addend_variance(*addend) for addend in summed[index].addends)
    return {index: variances[index] for index in summed}


def convolution_variances(graph: Graph) -> dict[int, float]:
    """Return operation of each convolution -> its variance in theory, for networks without additions.

    It is gain x E[input^2] x the share of taps on the map + Var[bias]. E[input^2] follows from the layers before,
    through ReLU (half of it) and concatenation (mean over channels); behind anything else, a pool or a gate, it
    is measured.
    """
    squares: dict[int, float] = {0: 1.0}  # E[response^2]
    variances: dict[int, float] = {}
    for index, operation in enumerate(graph.operations[1:], start=1):
        sources = operation.inputs
        if operation.operator == "convolution":
            layer: ConvolutionStatistics = operation.observed
            square = squares.get(sources[0] if sources else -1, layer.input_square)
            variances[index] = squares[index] = layer.gain * square * layer.on_map + layer.bias
        elif operation.operator == "relu" and sources[0] in squares:
            squares[index] = RELU_SQUARE * squares[sources[0]]
        elif operation.operator == "cat" and all(source in squares for source in sources):
            channels = [graph.operations[source].shape[1] for source in sources]
            squares[index] = sum(c * squares[source] for c, source in zip(channels, sources, strict=True)) / sum(
                channels
            )
    return variances
