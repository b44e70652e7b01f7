"""Segmentation tools."""
