"""Pose: people, skeletons, crops, targets and decoding, shared by training, prediction and scoring."""
