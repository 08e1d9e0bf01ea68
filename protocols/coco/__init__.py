"""COCO keypoint evaluation."""
