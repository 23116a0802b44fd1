"""The demo: a small labelled world of pictures, and two networks trained on it."""
