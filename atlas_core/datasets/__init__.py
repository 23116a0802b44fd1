"""Datasets: pictures in a folder or a zip, listed once, read one at a time."""
