"""Attention maps and gate weights of a network for a few people, as one picture.

Of Chu 2017: the map of every stack (with several resolutions their sum, as in figure 5), its refined map, and the last
stack's maps of some joints. Of Liu 2018: the weights that the last gate of every stage gives to its three scales,
averaged over channels. Networks without such layers have no picture.
"""

import re
from collections.abc import Iterable, Mapping

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from architectures.inception import ReleasedGate, TextGate
from architectures.multi_context import Attention
from bench.cells.recipe import Recipe
from bench.results.gallery import webp
from bench.training.batches import normalised
from protocols.pose.crops import crop, windows
from protocols.pose.people import People

COUNT, TILE, MARGIN = 6, 104, 124  # number of people; pixels of a tile, and of the labels at the left
JOINTS = ("head_top", "right_wrist", "right_knee", "right_ankle")  # whose part attention is shown
_STACK = re.compile(r"stacks\.(\d+)\.(resolutions|holistic)\.(\d+)")
_PART = re.compile(r"stacks\.(\d+)\.score\.attentions\.(\d+)")


def attention(network: nn.Module, people: People, recipe: Recipe, size: tuple[int, int], device: str) -> bytes:
    """Draw six people, evenly spaced, and their maps below, one row each, as WebP; b"" for a network without maps.

    The colours of a row span its lowest to highest value over all people, which its label names.
    """
    kinds = (Attention, ReleasedGate, TextGate)
    layers: dict[str, nn.Module] = {name: part for name, part in network.named_modules() if isinstance(part, kinds)}
    if not layers:
        return b""
    rows = np.linspace(0, len(people) - 1, min(COUNT, len(people))).astype(int)
    centre, height = windows(people)
    crops = np.stack([crop(people.read_image(row), centre[row], float(height[row]), size) for row in rows])
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    found = maps(captured(network, layers, normalised(images, recipe.pixels).to(device)), people.skeleton.joints)
    tile = (round(TILE * size[1] / size[0]), TILE)  # width, height
    lines = [_row("person", [cv2.resize(image, tile, interpolation=cv2.INTER_AREA) for image in crops])]
    for label, values in found.items():
        low, high = float(values.min()), float(values.max())
        grey = (255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8)
        large = [cv2.resize(values, tile, interpolation=cv2.INTER_NEAREST) for values in grey]
        coloured = [cv2.applyColorMap(values, cv2.COLORMAP_VIRIDIS)[:, :, ::-1] for values in large]
        lines.append(_row(f"{label}\n{low:.3g} to {high:.3g}", coloured))
    return webp(np.concatenate(lines))


@torch.inference_mode()
def captured(network: nn.Module, layers: Mapping[str, nn.Module], images: Tensor) -> dict[str, Tensor]:
    """Record the outputs of layers: N x C x h x w, C the number of outputs of a layer, each averaged over channels."""
    found = {}

    def record(name: str) -> None:
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor | tuple[Tensor, ...]) -> None:
            maps = output if isinstance(output, tuple) else (output,)
            found[name] = torch.cat([part.float().mean(1, keepdim=True) for part in maps], 1).cpu()

        hooks.append(layers[name].register_forward_hook(hook))

    hooks: list = []
    for name in layers:
        record(name)
    try:
        network.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def maps(found: dict[str, Tensor], joints: Iterable[str]) -> dict[str, np.ndarray]:
    """Select the maps to show: label -> N x h x w, in the order of execution."""
    stacks: dict[str, Tensor] = {}
    parts: dict[str, Tensor] = {}
    gates: dict[str, Tensor] = {}
    names = list(joints)
    last = max((match[1] for name in found if (match := _PART.fullmatch(name))), key=int, default="")
    for name, maps in found.items():
        if match := _STACK.fullmatch(name):
            label = f"stack {int(match[1]) + 1}"
            if match[2] == "resolutions":
                side = found[f"stacks.{match[1]}.resolutions.0"].shape[-2:]  # the finest comes first
                stacks[label] = stacks.get(label, 0) + functional.interpolate(maps, size=side)
            else:
                stacks[f"{label}, refined" if label in stacks else label] = maps
        elif (match := _PART.fullmatch(name)) and match[1] == last and names[int(match[2])] in JOINTS:
            parts[names[int(match[2])].replace("_", " ")] = maps
        elif match := re.match(r"stage(\d+)\.", name):
            gates[f"stage {match[1]}"] = maps  # the last gate of a stage replaces the others
    shown = {label: maps[:, 0] for label, maps in (stacks | parts).items()}
    for stage, maps in gates.items():
        shown |= {f"{stage}, scale {scale + 1}": maps[:, scale] for scale in range(maps.shape[1])}
    return {label: maps.numpy() for label, maps in shown.items()}


def _row(label: str, tiles: list[np.ndarray]) -> np.ndarray:
    """Draw a row of the picture: the label, then tiles with white gaps."""
    margin = np.full((TILE, MARGIN, 3), 255, np.uint8)
    for index, text in enumerate(label.split("\n")):
        position = (4, TILE // 2 - 4 + 18 * index)
        cv2.putText(margin, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (30, 33, 35), 1, cv2.LINE_AA)
    gap = np.full((TILE, 2, 3), 255, np.uint8)
    line = np.concatenate([margin, *(part for tile in tiles for part in (tile, gap))], axis=1)
    return np.concatenate([line, np.full((2, line.shape[1], 3), 255, np.uint8)])
