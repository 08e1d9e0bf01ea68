"""Mean-pose baseline: the same pose for every image, which any network must beat."""

import torch
from torch import Tensor, nn


class MeanPose(nn.Module):
    """Network without weights whose heatmaps show the mean pose of the training set, whatever the image."""

    pose: Tensor  # K x 2; x, y as fractions of the crop

    def __init__(self, joints: int):
        super().__init__()
        self.register_buffer("pose", torch.full((joints, 2), 0.5))

    @torch.no_grad()
    def fit(self, keypoints: Tensor, weights: Tensor) -> None:
        """Set the pose to the weighted mean of N x K x 2 fractions; weights N x K, 0 where not annotated.

        A joint that is never annotated goes to the centre of the crop.
        """
        weights = weights.to(self.pose)[..., None]  # N x K x 1
        total = weights.sum(0)  # K x 1
        mean = (torch.where(weights > 0, keypoints.to(self.pose), 0) * weights).sum(0) / total.clamp_min(1e-12)
        self.pose.copy_(torch.where(total > 0, mean, 0.5))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Map N x 3 x h x w to N x K x h/4 x w/4: a Gaussian at every joint, its sigma one heatmap pixel."""
        height, width = images.shape[-2] // 4, images.shape[-1] // 4
        x = torch.arange(width, device=images.device)  # heatmap pixel i lies at pixel 4 i of the image
        y = torch.arange(height, device=images.device)
        columns = torch.exp(-((x - self.pose[:, :1] * width) ** 2) / 2)  # K x w/4
        rows = torch.exp(-((y - self.pose[:, 1:] * height) ** 2) / 2)  # K x h/4
        heatmaps = rows[:, :, None] * columns[:, None, :]  # K x h/4 x w/4
        return (heatmaps.expand(len(images), -1, -1, -1),)


def mean_pose(*, joints: int = 16, width: float = 1.0) -> MeanPose:
    """Build the mean-pose baseline; `width` is accepted as for every network, and has no effect."""
    return MeanPose(joints)
