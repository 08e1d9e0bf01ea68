"""Protocols of joints: PCK, PCKh, PCP, occluded limbs."""
