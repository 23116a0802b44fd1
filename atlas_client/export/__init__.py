"""Offline copies: an atlas in a folder, with a page that shows it from the file system."""
