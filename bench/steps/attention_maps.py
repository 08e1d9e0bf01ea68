"""What a network attends to: the maps of attention and of gates, for a few people, as one picture.

A network without such layers has no picture. Shown are, of Chu 2017, the map of every stack (with several
resolutions their sum, as in figure 5), its refined map and the last stack's maps of some joints; of Liu 2018, the
weights that the last gate of every stage gives to its three scales, averaged over channels.
"""

import re
from collections.abc import Iterable

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

COUNT, TILE, MARGIN = 6, 104, 124  # people; pixels: a tile, and the words to the left of a row
JOINTS = ("head_top", "right_wrist", "right_knee", "right_ankle")  # whose part attention is shown
_STACK = re.compile(r"stacks\.(\d+)\.(resolutions|holistic)\.(\d+)")
_PART = re.compile(r"stacks\.(\d+)\.score\.attentions\.(\d+)")


def attention(network: nn.Module, people: People, recipe: Recipe, size: tuple[int, int], device: str) -> bytes:
    """Six people, evenly spaced, and below them the maps, a row each; WebP, b"" without such layers.

    The colours of a row run from its lowest to its highest value over all people, which stand beside it.
    """
    kinds = (Attention, ReleasedGate, TextGate)
    layers = {name: part for name, part in network.named_modules() if isinstance(part, kinds)}
    if not layers:
        return b""
    rows = np.linspace(0, len(people) - 1, min(COUNT, len(people))).astype(int)
    centre, height = windows(people)
    crops = np.stack([crop(people.read_image(row), centre[row], height[row], size) for row in rows])
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    found = maps(captured(network, layers, normalised(images, recipe.pixels).to(device)), people.skeleton.joints)
    tile = (round(TILE * size[1] / size[0]), TILE)  # width, height
    lines = [_line("person", [cv2.resize(image, tile, interpolation=cv2.INTER_AREA) for image in crops])]
    for label, values in found.items():
        low, high = float(values.min()), float(values.max())
        grey = np.uint8(255 * (values - low) / max(high - low, 1e-12))
        large = [cv2.resize(values, tile, interpolation=cv2.INTER_NEAREST) for values in grey]
        coloured = [cv2.applyColorMap(values, cv2.COLORMAP_VIRIDIS)[:, :, ::-1] for values in large]
        lines.append(_line(f"{label}\n{low:.3g} to {high:.3g}", coloured))
    return webp(np.concatenate(lines))


@torch.inference_mode()
def captured(network: nn.Module, layers: dict[str, nn.Module], images: Tensor) -> dict[str, Tensor]:
    """What each layer gives for the images: N x C x h x w, C the number of its outputs, each averaged over channels."""
    found = {}

    def keep(name: str) -> None:
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor | tuple[Tensor, ...]) -> None:
            maps = output if isinstance(output, tuple) else (output,)
            found[name] = torch.cat([part.float().mean(1, keepdim=True) for part in maps], 1).cpu()

        hooks.append(layers[name].register_forward_hook(hook))

    hooks: list = []
    for name in layers:
        keep(name)
    try:
        network.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def maps(found: dict[str, Tensor], joints: Iterable[str]) -> dict[str, np.ndarray]:
    """label -> N x h x w, in the order of execution."""
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
            gates[f"stage {match[1]}"] = maps  # a later gate of the same stage takes the place
    shown = {label: maps[:, 0] for label, maps in (stacks | parts).items()}
    for stage, maps in gates.items():
        shown |= {f"{stage}, scale {scale + 1}": maps[:, scale] for scale in range(maps.shape[1])}
    return {label: maps.numpy() for label, maps in shown.items()}


def _line(words: str, tiles: list[np.ndarray]) -> np.ndarray:
    """A row of the picture: words, then tiles with a white gap between them."""
    margin = np.full((TILE, MARGIN, 3), 255, np.uint8)
    for index, text in enumerate(words.split("\n")):
        place = (4, TILE // 2 - 4 + 18 * index)
        cv2.putText(margin, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (30, 33, 35), 1, cv2.LINE_AA)
    gap = np.full((TILE, 2, 3), 255, np.uint8)
    line = np.concatenate([margin, *(part for tile in tiles for part in (tile, gap))], axis=1)
    return np.concatenate([line, np.full((2, line.shape[1], 3), 255, np.uint8)])
